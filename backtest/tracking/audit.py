"""`cme track audit`: journals and MLflow against each other, nothing written.  [audit 13.3]

differences = audit(runs, address)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backtest.tracking.artifact_location import displaced, expected_location
from backtest.tracking.journal import Record, journals, read
from backtest.tracking.mlflow_sync import ARTIFACTS_OF, all_runs, client_of
from backtest.tracking.read_back import compare
from backtest.tracking.store import database_of
from backtest.tracking.view import tracked_runs
from engine.errors import TrackingError


@dataclass(frozen=True, slots=True)
class Differences:
    """What `audit` found: journals without a synced run, runs without a journal, and runs that are not as their
    journal says.
    """

    unsynced: tuple[str, ...]
    without_journal: tuple[str, ...]
    differing: tuple[str, ...]


def audit(runs: Path, address: str | None) -> Differences:
    """Return the journals whose head no run carries as ``cme.synced``, the runs whose journal is not there, and those
    of synced journals that are deleted, there twice, or do not read back as the journal says.
    """
    records = {record.run_uid: record for record in map(read, journals(runs))}
    with client_of(runs, address) as client:
        runs_of: dict[str, list[Any]] = defaultdict(list)
        for run in all_runs(client):
            # A run that was made by hand has no uid, and is listed under its own id.
            runs_of[run.data.tags.get("cme.run_uid", run.info.run_id)].append(run)
        synced = {
            uid
            for uid, record in records.items()
            if any(run.data.tags.get("cme.synced") == record.head for run in runs_of.get(uid, ()))
        }
        differing = list(_of_location(runs, address))
        differing += [
            sentence for uid in records if uid in synced for sentence in _differing(client, records[uid], runs_of)
        ]
    return Differences(
        unsynced=tuple(str(record.path) for uid, record in records.items() if uid not in synced),
        # Windows and folds are named below the run of their journal.
        without_journal=tuple(sorted({uid.partition("/")[0] for uid in runs_of} - set(records))),
        differing=tuple(differing),
    )


def _of_location(runs: Path, address: str | None) -> Iterator[str]:
    """Yield the experiments of a store that was copied or moved: their files would go to where it was."""
    location, database = expected_location(runs, address), database_of(runs, address)
    if location is not None and database is not None:
        for name, place in displaced(database, location).items():
            yield f"experiment {name} keeps its artifacts at {place}, expected {location}: `cme track sync` mends it"


def _differing(client: Any, record: Record, runs_of: Mapping[str, list[Any]]) -> Iterator[str]:
    ids = {"": ""}
    for view in tracked_runs(record):
        runs = runs_of.get(view.run_uid, [])
        if len(runs) > 1:
            names = ", ".join(run.info.run_id for run in runs)
            yield f"run {view.run_uid} is in MLflow {len(runs)} times ({names}): delete all but one for good"
            return
        if not runs or runs[0].info.lifecycle_stage == "deleted":
            yield f"run {view.run_uid} is deleted in MLflow: `cme track sync` brings it back"
            return
        run = runs[0]
        ids[view.run_uid] = run.info.run_id
        holder = next(iter(runs_of.get(run.data.tags.get(ARTIFACTS_OF, ""), ())), None)
        try:
            compare(client, run, view, ids[view.parent_uid], holder)
        except TrackingError as problem:
            yield str(problem)
        if run.info.status != view.status:
            yield f"run {view.run_uid}: expected status {view.status}, was {run.info.status}"
