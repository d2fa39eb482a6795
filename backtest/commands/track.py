"""`cme track`: MLflow is a view of the journals; these commands bring it up to them.  [audit 13.3]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from backtest.journal import journals
from backtest.tracking_store import store_of
from engine.errors import MissingError

Outcome = tuple[dict[str, Any], str]

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


@click.group()
def track() -> None:
    """Bring MLflow up to the journals; list what differs.

    \b
    cme track sync                                  runs/mlflow.db
    cme track sync --tracking http://localhost:5000
    cme track audit --json
    """


@track.command()
@RUNS
@ADDRESS
def sync(runs: Path, address: str | None) -> Outcome:
    """Log every journal that MLflow does not hold yet.  Running it twice changes nothing.

    \b
    cme track sync --out runs
    """
    from backtest import tracking

    found = _journals(runs)
    synced = tracking.sync(runs, found, address)
    store = store_of(runs, address)
    return {"synced": synced, "store": store}, f"{synced} journals stand in MLflow at {store}"


@track.command()
@RUNS
@ADDRESS
@click.pass_context
def audit(ctx: click.Context, runs: Path, address: str | None) -> Outcome:
    """List journals without a synced run, and runs without a journal; exit code 50 where there are any.

    \b
    cme track audit --out runs
    """
    from backtest import tracking

    _journals(runs)
    found = tracking.audit(runs, address)
    lines = [f"not synced: {path}" for path in found.unsynced]
    lines += [f"no journal: run {uid}" for uid in found.without_journal]
    if lines:
        ctx.find_root().meta["cme.exit_code"] = 50
    document = {"unsynced": list(found.unsynced), "without_journal": list(found.without_journal)}
    return document, "\n".join(lines) or "every journal has its run, and every run its journal"


def _journals(runs: Path) -> list[Path]:
    if not runs.is_dir():
        raise MissingError(f"expected a folder of runs at {runs}, was nothing: name it with --out")
    return journals(runs)
