"""`cme simulate`: a scenario of a venue's risk mechanics to a run directory and a page.  [interface, risk.md 14.3]"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from uuid import uuid4

import click

from backtest.terminal import echo, remark


@click.command(epilog="Example: cme simulate configs/scenarios/hl-adl-20251010.toml --data ../shared/data --json")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--venue", help="Parameters of this venue (a file of configs/venue_risk) instead of the scenario's.")
@click.option("--data", "data_root", envvar="CME_DATA", type=click.Path(path_type=Path),
              help="Folder of real market data; $CME_DATA where not given.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed instead of the scenario's.")
@click.option("--out", default="runs", show_default=True, type=click.Path(path_type=Path), help="Where runs go.")
@click.option("--workers", default=0, type=click.IntRange(0), help="Processes; 0 takes one a core. No result changes.")
@click.option("--tracking", envvar="CME_TRACKING", help="Address of an MLflow server; OUT/mlflow.db where not given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def simulate(
    scenario: Path,
    venue: str | None,
    data_root: Path | None,
    seed: int | None,
    out: Path,
    workers: int,
    tracking: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate SCENARIO: a venue under stress, or a real event recomputed from its published files.

    \b
    cme simulate configs/scenarios/flash-crash.toml                    a venue, its traders, a falling price
    cme simulate configs/scenarios/flash-crash.toml --venue dydx_v4    the same under another venue's numbers
    cme simulate configs/scenarios/hl-adl-20251010.toml --data DIR     a real event

    Figures, events, accounts and a page go to a directory below --out. The digest is the same for a scenario, a venue
    and a seed, whatever the workers. Simulations are exploratory: no freeze stands beside them.
    """
    from backtest.rundir import checksums
    from backtest.simulation.scenario_run import run_scenario
    from backtest.tracking import journal
    from backtest.tracking.background import Tracker
    from reports.venue_risk.page import write_page

    begun = time.monotonic()

    def on_progress(stage: str) -> None:
        if not quiet:
            remark(f"{time.monotonic() - begun:5.1f} s  {stage}")

    uid = str(uuid4())
    # Before the scenario is read: a run that fails is in the journal too.  [S8.7]
    log = journal.start(out / uid, scenario.stem, "exploratory", f"simulate {scenario.name}", run_uid=uid)
    with journal.ended(log, lambda code: Tracker(out, tracking).conclude(log.path, code, quiet)):
        done = run_scenario(
            scenario, out, data_root=data_root, venue=venue, seed=seed, workers=workers or os.cpu_count() or 1,
            on_progress=on_progress,
        )  # fmt: skip
        on_progress("page")
        write_page(done.folder)
        checksums.write(done.folder)
        for name, value in done.figures.items():
            # MLflow takes numbers alone.
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                log.metric(f"simulate/{name}", float(value))
        log.tag("simulation", done.folder.name)
    report = done.folder / "report.html"
    if as_json:
        document = {"run": str(done.folder), "report": str(report), "digest": done.digest, "figures": done.figures}
        echo(json.dumps(document, indent=1))
        return
    echo(f"{done.folder.name}  (exploratory)")
    for name, value in done.figures.items():
        if not isinstance(value, dict):
            echo(f"  {name:28} {value:,}" if isinstance(value, (int, float)) else f"  {name:28} {value}")
    echo(f"  digest  {done.digest}")
    echo(f"  report  {report}")
