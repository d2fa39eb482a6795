"""Brings MLflow up to the journals; the only module that imports it.  [audit 13.3, 13.4]

    warning = sync_after(runs, journal_path, address)      at the end of a command: never raises, waits a few seconds
    sync(runs, journal_paths, address)                     `cme track sync`: raises TrackingError (50) with all it found
    (`cme track audit` is `backtest.tracking.audit`)

The default store is ``mlflow.db`` under the runs folder with its artifacts beside it; ``address`` names another store
or a server.  Syncing twice changes nothing; a value that differs from the journal is reported, never overwritten.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from backtest.tracking.artifact_location import expected_location, relocate
from backtest.tracking.journal import Record, journals, read
from backtest.tracking.store import DATABASE, alone, database_of, environment, reach, store_of
from backtest.tracking.view import TrackedRun, earlier_holders, tracked_run
from engine.errors import CmeError, TrackingError

# The most that MLflow takes in one request.
_PARAMS, _METRICS, _TAGS = 100, 1000, 100
_SHOWN = 500
ARTIFACTS_OF = "cme.artifacts_of"
"""The tag of a run that repeats another: the run_uid of the one whose artifacts are its own, byte for byte."""
OnSyncMessage = Callable[[str], None]
"""Told what is being done, in words that go after "was still"."""


def sync_after(runs: Path, journal: Path, address: str | None, on_message: OnSyncMessage = lambda _: None) -> str:
    """Sync one journal; return "" where it worked and otherwise the warning to print.  Never raises.

    The exit code of a command does not depend on MLflow.  [S8.7]
    """
    try:
        sync(runs, [journal], address, on_message)
    # Whatever MLflow raises, the run is complete: the journal is the record.
    except Exception as problem:
        return behind(problem)
    return ""


def behind(why: object) -> str:
    """Return the warning of a command whose journal MLflow does not show."""
    return f"MLflow was not brought up to the journal ({why}); the journal is whole: `cme track sync` catches up"


def sync(runs: Path, paths: Sequence[Path], address: str | None, on_message: OnSyncMessage = lambda _: None) -> int:
    """Bring MLflow up to the journals ``paths`` and return how many were synced.

    Raises ``TrackingError`` (50) after all were tried, naming each that failed; their journals are intact.
    """
    failed = []
    location, database = expected_location(runs, address), database_of(runs, address)
    with client_of(runs, address, on_message) as client:
        if location is not None and database is not None:
            relocate(database, location)
        beside = _readable(runs) if paths else []
        for path in paths:
            on_message(f"syncing {path}")
            try:
                with alone(path, "the journal, which another process brings MLflow up to"):
                    record = read(path)
                    _sync_one(client, location, tracked_run(record), path.parent, earlier_holders(record, beside))
            except (CmeError, OSError) as problem:
                failed.append(f"{path}: {problem}")
    if failed:
        raise TrackingError("; ".join(failed))
    return len(paths)


@contextmanager
def client_of(runs: Path, address: str | None, on_message: OnSyncMessage = lambda _: None) -> Iterator[Any]:
    """Yield an MLflow client of the store at ``address``; the database below ``runs`` where it is None.

    The store is reached before MLflow, which takes seconds, is imported.  Raises ``TrackingError`` (50) if the store
    cannot be reached or read.
    """
    uri = store_of(runs, address)
    runs.mkdir(parents=True, exist_ok=True)
    on_message(f"reaching the store {uri}")
    reach(uri)
    try:
        with environment():
            on_message("importing MLflow")
            from mlflow.tracking import MlflowClient  # seconds to import, so only where it is used

            lock = runs / f".{DATABASE}.lock"
            lock.touch()
            with alone(lock, "the lock under which a store is made or migrated"):
                on_message(f"opening the store {uri}")
                client = MlflowClient(tracking_uri=uri)
                client.search_experiments(max_results=1)  # creates or migrates the database, under the lock
            yield client
    except CmeError:
        raise
    except Exception as problem:
        raise TrackingError(f"MLflow at {uri} failed: {str(problem)[:_SHOWN]}") from problem


def _readable(runs: Path) -> list[Record]:
    """Return the journals below ``runs``; one that does not hold is named by `cme track audit`."""
    records = []
    for path in journals(runs):
        with suppress(CmeError):
            records.append(read(path))
    return records


def _sync_one(client: Any, location: str | None, view: TrackedRun, folder: Path, earlier: Sequence[str]) -> None:
    run = _find(client, view.run_uid)
    if run is None:
        experiment = _experiment(client, location, view.experiment)
        run = client.create_run(experiment, start_time=view.start_ms, tags={"cme.run_uid": view.run_uid})
    elif run.info.lifecycle_stage == "deleted":
        # The journal is the record: a run deleted in MLflow is brought back.
        client.restore_run(run.info.run_id)
    run_id = run.info.run_id
    changed = [key for key, text in view.params.items() if run.data.params.get(key, text) != text]
    if changed:
        raise TrackingError(f"run {view.run_uid}: params differ from the journal and were left alone: {changed}")
    _log(client, run, view)
    stored, holder = _listed(client, run_id), None
    if not set(view.artifacts) <= set(stored):
        holder = next((uid for uid in earlier if _holds(client, uid, view)), None)
    if holder is not None:
        # A repeat has the same files byte for byte, which are stored once.  [docs/decisions/0430]
        client.set_tag(run_id, ARTIFACTS_OF, holder)
    elif ARTIFACTS_OF in run.data.tags:
        client.delete_tag(run_id, ARTIFACTS_OF)
    _upload(client, run_id, view, folder, {} if holder is not None else view.artifacts, stored)
    compare(client, run_id, view)
    # Only after the comparison: a sync that was cut off is none.
    client.set_tag(run_id, "cme.synced", view.head)
    client.set_terminated(run_id, view.status, view.end_ms)


def _find(client: Any, run_uid: str) -> Any:
    """Return the run with the tag, deleted or not, or None.  Raises ``TrackingError`` where there are two."""
    runs = list(all_runs(client, f"tags.`cme.run_uid` = '{run_uid}'"))
    if len(runs) > 1:
        raise TrackingError(
            f"expected one run with cme.run_uid {run_uid}, was {len(runs)}: delete all but one for good"
        )
    return runs[0] if runs else None


def all_runs(client: Any, condition: str = "") -> Iterator[Any]:
    """Yield the runs of all experiments of ours, deleted ones too."""
    from mlflow.entities import ViewType

    ours = [e.experiment_id for e in client.search_experiments(ViewType.ALL) if e.name.startswith("cme/")]
    token: str | None = None
    while ours:
        page = client.search_runs(ours, condition, ViewType.ALL, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _holds(client: Any, run_uid: str, view: TrackedRun) -> bool:
    """Return whether the run ``run_uid`` is in MLflow, synced, with files of its own of the names and sizes."""
    run = _find(client, run_uid)
    if run is None or run.info.lifecycle_stage == "deleted" or "cme.synced" not in run.data.tags:
        return False
    listed = _listed(client, run.info.run_id)
    return all(listed.get(path) == size for path, (_, size) in view.artifacts.items())


def _experiment(client: Any, location: str | None, name: str) -> str:
    """Return the id of the experiment, made or brought back where needed."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return str(client.create_experiment(name, artifact_location=location))
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _log(client: Any, run: Any, view: TrackedRun) -> None:
    """Log in batches what is not there yet."""
    from mlflow.entities import Metric, Param, RunTag

    run_id, stored = run.info.run_id, set()
    # MLflow appends: a point that is logged again would be in the history twice.
    for key in run.data.metrics:
        stored |= {(key, m.step, m.timestamp, m.value) for m in client.get_metric_history(run_id, key)}
    params = [Param(key, text) for key, text in view.params.items() if key not in run.data.params]
    metrics = [
        Metric(m.key, m.value, m.at_ms, m.step) for m in view.metrics if (m.key, m.step, m.at_ms, m.value) not in stored
    ]
    tags = [RunTag(key, text) for key, text in view.tags.items() if run.data.tags.get(key) != text]
    for start in range(0, len(params), _PARAMS):
        client.log_batch(run_id, params=params[start : start + _PARAMS])
    for start in range(0, len(metrics), _METRICS):
        client.log_batch(run_id, metrics=metrics[start : start + _METRICS])
    for start in range(0, len(tags), _TAGS):
        client.log_batch(run_id, tags=tags[start : start + _TAGS])


def _upload(
    client: Any,
    run_id: str,
    view: TrackedRun,
    folder: Path,
    artifacts: Mapping[str, tuple[str, int]],
    stored: Mapping[str, int],
) -> None:
    """Upload what is not there whole, each under its own relative path; a file that changed since is refused."""
    changed = []
    for path, (digest, size) in artifacts.items():
        if stored.get(path, -1) >= size:  # less of it is what a process left that was killed while it copied
            continue
        source = folder / path
        if not source.is_file() or sha256(source.read_bytes()).hexdigest() != digest:
            changed.append(path)
            continue
        client.log_artifact(run_id, str(source), str(Path(path).parent) if "/" in path else None)
    with tempfile.TemporaryDirectory() as made:
        for path, text in view.texts.items():
            if stored.get(path) != len(text.encode()):
                (Path(made) / path).write_text(text, encoding="utf-8")
                client.log_artifact(run_id, str(Path(made) / path))
    if changed:
        raise TrackingError(f"run {view.run_uid}: files are gone or differ from the journal: {', '.join(changed)}")


def _listed(client: Any, run_id: str, folder: str | None = None) -> dict[str, int]:
    """Return the run's artifacts, path -> size."""
    sizes: dict[str, int] = {}
    for entry in client.list_artifacts(run_id, folder):
        sizes |= _listed(client, run_id, entry.path) if entry.is_dir else {entry.path: entry.file_size}
    return sizes


def compare(client: Any, run_id: str, view: TrackedRun) -> None:
    """Read everything back; raise ``TrackingError`` naming what MLflow does not hold as the journal does.  Files by
    their size: their bytes are on the other side.  Artifacts of a repeat are those of the run it names.
    """
    data = client.get_run(run_id).data
    wrong = [f"param {key}" for key, text in view.params.items() if data.params.get(key) != text]
    wrong += [f"tag {key}" for key, text in view.tags.items() if data.tags.get(key) != text]
    points: dict[str, set[tuple[int, int, float]]] = {}
    for m in view.metrics:
        points.setdefault(m.key, set()).add((m.step, m.at_ms, m.value))
    for key, wanted in points.items():
        # One point is in the run already; a history is a request of its own.
        if len(wanted) == 1:
            stored = {(step, timestamp, data.metrics.get(key)) for step, timestamp, _ in wanted}
        else:
            stored = {(m.step, m.timestamp, m.value) for m in client.get_metric_history(run_id, key)}
        if stored != wanted:
            wrong.append(f"metric {key}")
    sizes = {path: size for path, (_, size) in view.artifacts.items()}
    sizes |= {path: len(text.encode()) for path, text in view.texts.items()}
    listed = _listed(client, run_id)
    if holder := data.tags.get(ARTIFACTS_OF):
        first = _find(client, holder)
        listed = (_listed(client, first.info.run_id) if first is not None else {}) | listed
    wrong += [f"artifact {path}" for path, size in sizes.items() if listed.get(path) != size]
    if wrong:
        raise TrackingError(f"run {view.run_uid}: MLflow does not hold what was logged: {', '.join(wrong[:20])}")
