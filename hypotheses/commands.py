"""The door of this floor: ``cme judge RUN``."""

from __future__ import annotations

from pathlib import Path

import click

from backtest import seeds
from backtest.config import load_registration
from hypotheses import judge, load


@click.command("judge", epilog="Example: cme judge runs/2f6c1d0a9b3e")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print verdicts.json on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def judge_command(run: Path, as_json: bool, quiet: bool) -> None:
    """Recompute the three verdicts of a run directory from its files and its registration."""
    registration = load_registration(run / "registration.toml")
    plan = load.window_of(run, registration)
    data = load.load(run, registration, plan)
    streams = judge.streams_of(seeds.load(run / "seeds.lock"))
    tell = (lambda _: None) if quiet else (lambda part: click.echo(f"judging {part}", err=True))
    verdicts = judge.judge(data, registration, streams, tell)
    digest = judge.write(run, verdicts, data, plan, judge.header_of(run, data))
    if as_json:
        click.echo((run / "verdicts.json").read_text(encoding="utf-8"), nl=False)
        return
    for name, found in (("H1", verdicts.h1), ("H2", verdicts.h2), ("H3", verdicts.h3)):
        click.echo(f"{name}  {found.answer.value:<12} {found.statement}")
    click.echo(f"digest {digest}")
