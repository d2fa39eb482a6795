"""The door of this floor: ``cme judge RUN``."""

from __future__ import annotations

from pathlib import Path

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, remark
from engine.errors import MissingError


@click.command("judge", epilog="Example: cme judge runs/ID")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--sensitivities", is_flag=True, help="With every registered draw, and those that read the market again.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of the run's data set, for --sensitivities; found beside the run where not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print verdicts.json on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@leaves_journal()
def judge_command(run: Path, sensitivities: bool, data: Path | None, as_json: bool, quiet: bool) -> None:
    """Recompute the three verdicts of a run directory and its sensitivities, from its files and registration.

    \f

    Raises ``MissingError`` (3) if RUN has no manifest.json.
    """
    from backtest.rundir import checksums
    from backtest.rundir.damage import damage_named
    from backtest.rundir.files import registration_of
    from backtest.seeds import streams as seed_streams
    from hypotheses import judge, load
    from hypotheses.sensitivity import write as sensitivity
    from hypotheses.sensitivity.base import QUICK_DRAWS, JudgedRun
    from hypotheses.sensitivity.thresholds import find_dataset

    if not (run / "manifest.json").is_file():
        raise MissingError(f"{run}: expected a run directory with manifest.json, found none; `cme run` writes it")
    with damage_named(run):
        registration = registration_of(run)
        plan = load.window_of(run, registration)
        market = (data or find_dataset(run)) if sensitivities else None
        seeds = seed_streams.load(run / "seeds.lock")
        on_progress = (lambda _: None) if quiet else (lambda part: echo(f"judging {part}", err=True))
        window, verdicts, digest = judge.judge_folder(run, registration, plan, seeds, on_progress=on_progress)
        draws = registration.stats.bootstrap_draws if sensitivities else QUICK_DRAWS
        judged = JudgedRun(run, window, registration, plan, judge.streams_of(seeds), verdicts, draws, market)
        sensitivity.write(judged, on_progress)
    # Of what it wrote, and no other line: renewing all would launder damage.  [decision 0270]
    if not checksums.renew(run, (*judge.WRITTEN, sensitivity.NAME)) and not quiet:
        remark(f"{run} has no {checksums.NAME} to renew: `cme verify` will say so")
    if as_json:
        echo((run / "verdicts.json").read_text(encoding="utf-8"), nl=False)
        return
    for name, verdict in (("H1", verdicts.h1), ("H2", verdicts.h2), ("H3", verdicts.h3)):
        echo(f"{name}  {verdict.answer.value:<12} {verdict.statement}")
    echo(f"digest {digest}")
