"""The door of the plan: ``cme power CONFIG``, before any outcome is read.  [statistics 1.4, interface]"""

from __future__ import annotations

from pathlib import Path

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo

ROOT = Path(__file__).resolve().parents[2]
FILES = ("power.json", "power.md", "power.html")


@click.command(epilog="Example: cme power configs/prereg/288615/registration.toml --out build/power")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for power.json, power.md and power.html.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No remarks on stderr.")
@leaves_journal(lambda options: options["out"])
def power(config: Path, out: Path | None, as_json: bool, quiet: bool) -> int:
    """What the plan in CONFIG can show: power, days needed, floors, and how often each answer comes.

    Computed from the registration and seeds.lock alone, with the calibration certificate's power of the rule that
    decides; no run and no data are opened. The plan acknowledges the statement by its name, power.acknowledged; a
    confirmatory run of a plan that does not is refused (26).
    """
    from backtest.data.format.atomic_write import write_whole
    from backtest.registration.load import load_registration
    from backtest.seeds import streams
    from hypotheses.judge import streams_of
    from hypotheses.methods import require_methods
    from hypotheses.planning import page
    from hypotheses.planning.statement import statement
    from hypotheses.sensitivity import certificate

    registration = load_registration(config)
    require_methods(registration)
    kept = certificate.load(certificate.PATH)
    stated = statement(registration, streams_of(streams.load(ROOT / "seeds.lock")), kept)
    texts = dict(zip(FILES, (page.as_json(stated), page.as_markdown(stated), page.as_html(stated)), strict=True))
    if out is not None:
        for name, text in texts.items():
            write_whole(out / name, text.encode())
    echo(texts["power.json" if as_json else "power.md"], nl=False)
    # A reminder and no error: the gate of a confirmatory run is what refuses.  [decision 0241]
    if not stated.acknowledged and not quiet:
        echo(
            f'cme: {config}: this statement is not acknowledged; having read it, write acknowledged = "{stated.name}" '
            "under [power]",
            err=True,
        )
    return 0
