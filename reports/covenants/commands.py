"""`cme covenants`: a pair through its covenants, verdicts and page.  [interface, covenants 15]"""

from __future__ import annotations

import json
import time
from pathlib import Path
from uuid import uuid4

import click

from backtest.environment import now_us
from backtest.terminal import echo, remark


@click.command(epilog="Example: cme covenants configs/studies/scpc-2022-2024.toml --data ../shared/data --json")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--data", "data_root", envvar="CME_DATA", type=click.Path(path_type=Path),
              help="Folder of real market data; $CME_DATA where not given.")  # fmt: skip
@click.option("--out", default="runs", show_default=True, type=click.Path(path_type=Path), help="Where runs go.")
@click.option("--again", is_flag=True, help="Run a finished study anew; without it, its run directory stays as it is.")
@click.option("--tracking", envvar="CME_TRACKING", help="Address of an MLflow server; OUT/mlflow.db where not given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def covenants(
    config: Path, data_root: Path | None, out: Path, again: bool, tracking: str | None, as_json: bool, quiet: bool
) -> None:
    """Replay a pair of perpetuals through the covenants of CONFIG: run directory, verdicts, page.

    A three-way study compares the covenanted account with standard ones and with placebos of the same leverage or the
    same reallocations. The run directory appears whole or not at all, and the same command takes up a study that was
    killed: finished parts are kept. Covenant studies are exploratory: no freeze stands beside them.
    """
    from backtest.rundir import checksums
    from backtest.rundir.plan_lock import sole_writer
    from backtest.rundir.staging import publish
    from backtest.tracking import journal
    from backtest.tracking.background import Tracker
    from hypotheses.covenants.run import kept_parts, study_job, write_study
    from reports.covenants.page import write_page

    begun = time.monotonic()

    def progress(stage: str) -> None:
        if not quiet:
            remark(f"{time.monotonic() - begun:5.1f} s  {stage}")

    uid = str(uuid4())
    # Before the data are read: a study that fails is in the journal too.  [S8.7]
    log = journal.start(out / uid, config.stem, "exploratory", f"covenants {config.name}", run_uid=uid)
    with journal.ended(log, lambda code: Tracker(out, tracking).conclude(log.path, code, quiet)):
        job = study_job(config, data_root)
        folder = out / job.name
        with sole_writer(out, job.name, config.name, now_us()):
            if again or not checksums.holds(folder):
                staged = write_study(job, out, progress)
                progress("page")
                write_page(staged)
                checksums.write(staged)
                folder = publish(staged)
            else:
                progress(f"{folder} is finished and stays as it is: --again runs it anew")
            kept_parts(job, out).remove()
        figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
        for name, value in figures.items():
            # MLflow takes numbers alone, and null is no measurement.
            if isinstance(value, float):
                log.metric(f"covenants/{name}", value)
        log.tag("covenants", folder.name)
    report = folder / "report.html"
    if as_json:
        echo(json.dumps({"run": str(folder), "report": str(report), "figures": figures}, indent=1))
        return
    echo(f"{folder.name}  (exploratory)")
    # Before any performance.  [covenants 14]
    echo(f"  time in MANUAL {figures['manual_share']:.1%}")
    for claim in ("C1", "C2"):
        if claim in figures:
            words = figures[claim]["verdict"]
            echo(f"  {claim}  {words} against constant leverage, equal-weight mean of both orientations")
    echo(f"  report  {report}")
