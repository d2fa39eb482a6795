"""Brings MLflow up to the journals; the only module that imports it.  [audit 13.3, 13.4]

    warning = sync_after(runs, journal_path, address)      at the end of a command: never raises, waits a few seconds
    sync(runs, journal_paths, address)                     `cme track sync`: raises TrackingError (50) with all it found
    (`cme track audit` is `backtest.tracking.audit`)

The default store is ``mlflow.db`` under the runs folder with its artifacts beside it; ``address`` names another store
or a server.  Syncing twice changes nothing; a value that differs from the journal is reported, never overwritten.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from backtest.tracking.artifact_location import expected_location, relocate
from backtest.tracking.journal import Record, journals, read
from backtest.tracking.read_back import PARENT, compare, has_dataset, listed
from backtest.tracking.store import DATABASE, alone, database_of, environment, reach, store_of
from backtest.tracking.view import TrackedDataset, TrackedRun, earlier_holders, tracked_runs
from engine.errors import CmeError, TrackingError

# The most that MLflow takes in one request, which is 1,000 of the three together.
_PARAMS, _METRICS, _TAGS = 100, 800, 100
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
                    _sync_one(client, location, tracked_runs(record), path.parent, earlier_holders(record, beside))
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


def _sync_one(
    client: Any, location: str | None, views: Sequence[TrackedRun], folder: Path, earlier: Sequence[str]
) -> None:
    """Bring up the runs of one journal, each after the one above it, which is the journal's own for the first.

    They are marked as synced when all were read back: a sync that was cut off is none.
    """
    study = views[0]
    runs, ids, holder = tree_of(client, study.run_uid), {"": ""}, None
    for view in views:
        run = runs.get(view.run_uid)
        if run is None:
            experiment = _experiment(client, location, view.experiment)
            run = client.create_run(experiment, start_time=view.start_ms, tags={"cme.run_uid": view.run_uid})
        elif run.info.lifecycle_stage == "deleted":
            # The journal is the record: a run deleted in MLflow is brought back.
            client.restore_run(run.info.run_id)
        ids[view.run_uid] = run.info.run_id
        _log(client, run, view, ids[view.parent_uid])
        if view is study:
            holder = _upload_or_share(client, run, view, folder, earlier)
    runs = tree_of(client, study.run_uid)
    for view in views:
        compare(client, runs[view.run_uid], view, ids[view.parent_uid], holder if view is study else None)
    # Parents last: a run that is marked as synced has all below it.
    for view in reversed(views):
        run = runs[view.run_uid]
        if run.data.tags.get("cme.synced") != view.head:
            client.set_tag(run.info.run_id, "cme.synced", view.head)
        if (run.info.status, run.info.end_time) != (view.status, view.end_ms):
            client.set_terminated(run.info.run_id, view.status, view.end_ms)


def _upload_or_share(client: Any, run: Any, view: TrackedRun, folder: Path, earlier: Sequence[str]) -> Any:
    """Upload the artifacts of a journal's run; return the run that has them already, or None.  [decision 0430]"""
    run_id = run.info.run_id
    stored, holder = listed(client, run_id), None
    if not set(view.artifacts) <= set(stored):
        holder = next((other for uid in earlier if (other := _holding(client, uid, view)) is not None), None)
    if holder is not None:
        # A repeat has the same files byte for byte, which are stored once.
        client.set_tag(run_id, ARTIFACTS_OF, holder.data.tags["cme.run_uid"])
    elif ARTIFACTS_OF in run.data.tags:
        client.delete_tag(run_id, ARTIFACTS_OF)
    _upload(client, run_id, view, folder, {} if holder is not None else view.artifacts, stored)
    return holder


def tree_of(client: Any, run_uid: str) -> dict[str, Any]:
    """Return the runs of a journal by their ``cme.run_uid``, deleted or not: its own and those below it.

    Raises ``TrackingError`` where two have the same.
    """
    runs: dict[str, Any] = {}
    for run in all_runs(client, f"tags.`cme.run_uid` LIKE '{run_uid}%'"):
        uid = run.data.tags["cme.run_uid"]
        if uid in runs:
            raise TrackingError(f"expected one run with cme.run_uid {uid}, was 2: delete all but one for good")
        runs[uid] = run
    return runs


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


def _holding(client: Any, run_uid: str, view: TrackedRun) -> Any:
    """Return the run ``run_uid`` if it is synced, not deleted, and has files of the names and sizes; or None."""
    run = tree_of(client, run_uid).get(run_uid)
    if run is None or run.info.lifecycle_stage == "deleted" or "cme.synced" not in run.data.tags:
        return None
    files = listed(client, run.info.run_id)
    return run if all(files.get(path) == size for path, (_, size) in view.artifacts.items()) else None


def _experiment(client: Any, location: str | None, name: str) -> str:
    """Return the id of the experiment, made or brought back where needed."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return str(client.create_experiment(name, artifact_location=location))
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _log(client: Any, run: Any, view: TrackedRun, above: str) -> None:
    """Log in batches what is not there yet; ``above`` is the run id of the parent, or "".

    Raises ``TrackingError`` for a param of another value, which is left alone with all else of the run.
    """
    from mlflow.entities import Metric, Param, RunTag

    run_id, stored = run.info.run_id, set()
    changed = [key for key, text in view.params.items() if run.data.params.get(key, text) != text]
    if changed:
        raise TrackingError(f"run {view.run_uid}: params differ from the journal and were left alone: {changed}")
    # MLflow appends: a point that is logged again would be in the history twice.
    counted = Counter(m.key for m in view.metrics)
    for m in view.metrics:
        # Of one point the run's data tell the value; a history is a request of its own.
        if counted[m.key] == 1 and run.data.metrics.get(m.key) == m.value:
            stored.add((m.key, m.step, m.at_ms, m.value))
    for key in (key for key, number in counted.items() if number > 1 and key in run.data.metrics):
        stored |= {(key, m.step, m.timestamp, m.value) for m in client.get_metric_history(run_id, key)}
    params = [Param(key, text) for key, text in view.params.items() if key not in run.data.params]
    metrics = [
        Metric(m.key, m.value, m.at_ms, m.step) for m in view.metrics if (m.key, m.step, m.at_ms, m.value) not in stored
    ]
    wanted = {**view.tags, PARENT: above} if above else view.tags
    tags = [RunTag(key, text) for key, text in wanted.items() if run.data.tags.get(key) != text]
    for n in range(max(map(_requests, (params, metrics, tags), (_PARAMS, _METRICS, _TAGS)))):
        client.log_batch(
            run_id,
            metrics=metrics[n * _METRICS : (n + 1) * _METRICS],
            params=params[n * _PARAMS : (n + 1) * _PARAMS],
            tags=tags[n * _TAGS : (n + 1) * _TAGS],
        )
    if not has_dataset(run, view.dataset):
        _log_dataset(client, run_id, view.dataset)


def _requests(entries: Sequence[object], most: int) -> int:
    return -(-len(entries) // most)


def _log_dataset(client: Any, run_id: str, dataset: TrackedDataset | None) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    if dataset is not None:
        given = Dataset(dataset.name, dataset.digest, "cme-perps", dataset.source)
        client.log_inputs(run_id, datasets=[DatasetInput(given, [InputTag("mlflow.data.context", "backtest")])])


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
