"""Reads back what MLflow holds of a run and compares it with the journal.  No import of MLflow.  [audit 13.3]

compare(client, run, view, above, holder)          raises TrackingError (50) naming what differs
"""

from __future__ import annotations

from typing import Any

from backtest.tracking.view import TrackedDataset, TrackedRun
from engine.errors import TrackingError

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow draws a run below another: the run id of that one."""
_NAMED = 20


def listed(client: Any, run_id: str, folder: str | None = None) -> dict[str, int]:
    """Return the run's artifacts, path -> size."""
    sizes: dict[str, int] = {}
    for entry in client.list_artifacts(run_id, folder):
        sizes |= listed(client, run_id, entry.path) if entry.is_dir else {entry.path: entry.file_size}
    return sizes


def has_dataset(run: Any, dataset: TrackedDataset | None) -> bool:
    """Return whether the run's inputs name the data set; True where there is none to name."""
    if dataset is None:
        return True
    inputs = [entry.dataset for entry in (run.inputs.dataset_inputs if run.inputs else ())]
    return any(
        (entry.name, entry.digest, entry.source) == (dataset.name, dataset.digest, dataset.source) for entry in inputs
    )


def compare(client: Any, run: Any, view: TrackedRun, above: str, holder: Any) -> None:
    """Raise ``TrackingError`` naming what MLflow does not hold as the journal does.

    ``run`` is as read now, ``above`` the run id of its parent or "".  Files are compared by their size: their bytes are
    on the other side.  Artifacts of a repeat are those of ``holder``, the run that it names, unless None.
    """
    data, run_id = run.data, run.info.run_id
    wrong = [f"param {key}" for key, text in view.params.items() if data.params.get(key) != text]
    wrong += [f"tag {key}" for key, text in view.tags.items() if data.tags.get(key) != text]
    wrong += [f"tag {PARENT}"] if data.tags.get(PARENT, "") != above else []
    wrong += [] if has_dataset(run, view.dataset) else [f"dataset {view.dataset.name if view.dataset else ''}"]
    points: dict[str, set[tuple[int, int, float]]] = {}
    for m in view.metrics:
        points.setdefault(m.key, set()).add((m.step, m.at_ms, m.value))
    for key, wanted in points.items():
        # The last point is in the run's data; a history is a request of its own.
        if len(wanted) == 1:
            stored = {(step, timestamp, data.metrics.get(key)) for step, timestamp, _ in wanted}
        else:
            stored = {(m.step, m.timestamp, m.value) for m in client.get_metric_history(run_id, key)}
        if stored != wanted:
            wrong.append(f"metric {key}")
    sizes = {path: size for path, (_, size) in view.artifacts.items()}
    sizes |= {path: len(text.encode()) for path, text in view.texts.items()}
    if sizes:
        files = listed(client, run_id)
        files = (listed(client, holder.info.run_id) if holder is not None else {}) | files
        wrong += [f"artifact {path}" for path, size in sizes.items() if files.get(path) != size]
    if wrong:
        raise TrackingError(f"run {view.run_uid}: MLflow does not hold what was logged: {', '.join(wrong[:_NAMED])}")
