"""`cme track`: MLflow is a view of the journals; these commands bring it up to them.  [audit 13.3]"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from backtest.terminal import echo
from backtest.tracking.journal import journals
from backtest.tracking.store import store_of
from engine.errors import MissingError

RUNS = click.option(
    "--out",
    "runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of the runs, as given to `cme run --out`.",
)
ADDRESS = click.option(
    "--tracking",
    "address",
    envvar="CME_TRACKING",
    default=None,
    help="Address of an MLflow server or store; without it mlflow.db in the folder of the runs.",
)

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but what differs, and errors.")


@click.group()
def track() -> None:
    """Bring MLflow up to the journals; list what differs.

    Every command run leaves a journal (OUT/RUN_UID/journal.jsonl), which is the record; MLflow is a view of it and can
    be made again from the journals at any time.

    \b
    cme track sync                                  runs/mlflow.db
    cme track sync --tracking http://localhost:5000
    cme track audit --json
    """


@track.command()
@RUNS
@ADDRESS
@JSON
@QUIET
def sync(runs: Path, address: str | None, as_json: bool, quiet: bool) -> None:
    """Log every journal that MLflow does not hold yet.  Running it twice changes nothing.

    Exit code 50 where one could not be brought up: it says which and why, the others are, and no journal is changed.
    Of a run that is still going on, what it has recorded so far is logged; sync again when it has ended.

    \b
    cme track sync --out runs
    """
    from backtest.tracking import mlflow_sync

    paths = _journals(runs)
    synced = mlflow_sync.sync(runs, paths, address)
    store = store_of(runs, address)
    if as_json:
        echo(json.dumps({"synced": synced, "store": store}, indent=1))
    elif not quiet:
        echo(f"{synced} journals stand in MLflow at {store}")


@track.command()
@RUNS
@ADDRESS
@JSON
@QUIET
@click.pass_context
def audit(ctx: click.Context, runs: Path, address: str | None, as_json: bool, quiet: bool) -> None:
    """List what does not name the same runs: run directories, reports, journals, MLflow; exit code 50 where any.

    \b
    not synced        a journal that MLflow does not show: cme track sync
    no journal        a run of MLflow whose journal is not below --out: bring the journal back
    MLflow differs    a run that is deleted, there twice, or not as its journal says
    run ...           a run directory, a journal or a report without its counterpart: each line says what to do
    failed claim ...  negatives.jsonl was cut, changed or removed

    \b
    cme track audit --out runs
    """
    from backtest.audit.reconcile import UNREADABLE, orphans
    from backtest.tracking import audit as tracking_audit

    # Refuses a folder that is none, as `sync` does.
    _journals(runs)
    alone = orphans(runs)
    readable = not any(orphan.kind == UNREADABLE for orphan in alone)
    differences = tracking_audit.audit(runs, address) if readable else tracking_audit.Differences((), (), ())
    lines = [f"not synced: {path}: `cme track sync` logs it" for path in differences.unsynced]
    lines += [f"no journal: run {uid}" for uid in differences.without_journal]
    lines += [f"MLflow differs: {sentence}" for sentence in differences.differing]
    lines += [f"{orphan.kind}: {orphan.subject}: {orphan.reason}" for orphan in alone]
    if not readable:
        lines.append("MLflow was not compared: bring the journals in order first")
    if as_json:
        document = {
            "unsynced": list(differences.unsynced),
            "without_journal": list(differences.without_journal),
            "differing": list(differences.differing),
            "orphans": [asdict(orphan) for orphan in alone],
        }
        echo(json.dumps(document, indent=1))
    elif lines or not quiet:
        echo("\n".join(lines) or "every journal has its run, and every run its journal and its report")
    ctx.exit(50 if lines else 0)


def _journals(runs: Path) -> list[Path]:
    if not runs.is_dir():
        raise MissingError(f"expected a folder of runs at {runs}, was nothing: name it with --out")
    return journals(runs)
