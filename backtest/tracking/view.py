"""A journal as MLflow is to show it: names, params, metrics, tags, artifacts.  Pure mapping.  [audit 13.2]

    study = tracked_run(record)                the run of the journal, with all that it says
    study, *parts = tracked_runs(record)       below it one run a window, and below that one a fold

Runs below the journal's own are for reading: a window has the plan's params and its own metrics, a fold the metrics of
its first day.  Their ``cme.run_uid`` is that of the journal with the window and the fold behind it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from backtest.tracking.description import study_name, study_text, window_name, window_text
from backtest.tracking.journal import Record
from backtest.tracking.windows import FOLD, Points, WindowRecord, day_of, is_day, of_window, step_of

LONGEST_PARAM = 500
LONG_PARAMS = "params.json"
ARTIFACT_SUMS = "artifacts.sha256"
DIGEST_LENGTH: Final = 36
"""The characters of a data set's digest that MLflow takes."""
_OF_DATA: Final = ("data.name", "data.kind", "synthetic")
HANGUP, INTERRUPTED, TERMINATED = 129, 130, 143
"""Exit codes of a command that a signal ended: SIGHUP, SIGINT, SIGTERM."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One finite metric; ``at_ms`` is the journal's time of it."""

    key: str
    value: float
    step: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class TrackedDataset:
    """The data set of a run as MLflow's dataset input; ``digest`` has the 36 characters that MLflow takes."""

    name: str
    digest: str
    source: str


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One run as it is to stand in MLflow."""

    experiment: str
    run_uid: str
    head: str
    start_ms: int
    end_ms: int
    status: str  # FINISHED, FAILED or KILLED
    params: Mapping[str, str]
    metrics: tuple[Metric, ...]
    tags: Mapping[str, str]
    artifacts: Mapping[str, tuple[str, int]] = field(
        default_factory=dict
    )  # path -> (sha256, size), files beside the journal
    texts: Mapping[str, str] = field(default_factory=dict)  # path -> text of artifacts made here
    dataset: TrackedDataset | None = None
    parent_uid: str = ""  # run_uid of the run above; "" for that of the journal


def tracked_runs(record: Record) -> tuple[TrackedRun, ...]:
    """Return the view of a journal: its own run, then each window's, then each fold's; a parent before its children."""
    study = tracked_run(record)
    # By its first day, which names the run: of two the last.
    windows = [_of_window(record, study, window) for window in {w.start: w for w in record.windows}.values()]
    return (study, *windows, *(fold for window in windows for fold in _folds_of(window)))


def tracked_run(record: Record) -> TrackedRun:
    """Return the run of a journal.

    Params over 500 characters go into ``params.json`` and stand as their SHA-256; metrics that are not finite become
    tags ``cme.nonfinite.<key>``; a run without an end was killed.
    """
    long = {key: text for key, text in record.params.items() if len(text) > LONGEST_PARAM}
    texts = {ARTIFACT_SUMS: "".join(f"{digest}  {path}\n" for path, (digest, _) in sorted(record.artifacts.items()))}
    if long:
        texts[LONG_PARAMS] = json.dumps(long, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    metrics, not_finite = _metrics(record.metrics)
    tags = {f"cme.{key}": value for key, value in record.tags.items()} | not_finite
    tags |= {
        "cme.run_uid": record.run_uid,
        "cme.journal_head": record.head,
        "cme.exit": "none" if record.exit_code is None else str(record.exit_code),
        "cme.level": "study",
        "mlflow.runName": study_name(record),
        "mlflow.note.content": study_text(record),
    }
    # Added one after the other: of two tags that are one to MLflow, the journal's name stays.
    tags |= _source(record)
    return TrackedRun(
        experiment=f"cme/{record.study}/{record.mode}",
        run_uid=record.run_uid,
        head=record.head,
        # MLflow counts milliseconds.
        start_ms=record.start_us // 1000,
        end_ms=record.end_us // 1000,
        status=_status(record.exit_code),
        params={key: _param(text) for key, text in record.params.items()},
        metrics=(*metrics, *_stage_times(record)),
        tags=tags,
        artifacts=record.artifacts,
        texts=texts,
        dataset=_dataset(record),
    )


def _of_window(record: Record, study: TrackedRun, window: WindowRecord) -> TrackedRun:
    metrics, not_finite = _metrics(window.metrics)
    suffix = window.start.replace("-", "_")
    # The window is a tag of its own here, so it is left out of the names.
    tags = {
        f"cme.{key.removesuffix(f'.{suffix}').removesuffix(f'.{window.start}')}": value
        for key, value in window.tags.items()
    }
    answered = of_window("run", window.start) in window.tags
    return TrackedRun(
        experiment=study.experiment,
        run_uid=f"{study.run_uid}/{window.start}",
        head=study.head,
        start_ms=window.start_us // 1000,
        end_ms=window.end_us // 1000,
        # A window that has its results is finished, whatever became of those after it.
        status="FINISHED" if answered else study.status,
        params=study.params,
        metrics=(*metrics, *_stage_times(window)),
        tags=tags
        | not_finite
        | {
            "cme.run_uid": f"{study.run_uid}/{window.start}",
            "cme.level": "window",
            "mlflow.runName": window_name(window),
            "mlflow.note.content": window_text(record, window),
        }
        | _source(record),
        dataset=study.dataset,
        parent_uid=study.run_uid,
    )


def _folds_of(window: TrackedRun) -> Iterator[TrackedRun]:
    firsts = sorted({metric.step for metric in window.metrics if metric.key.startswith(FOLD) and is_day(metric.step)})
    for number, first in enumerate(firsts):
        uid = f"{window.run_uid}/fold-{number:02d}"
        yield replace(
            window,
            run_uid=uid,
            params={},
            metrics=tuple(m for m in window.metrics if m.key.startswith(FOLD) and m.step == first),
            tags={
                "cme.run_uid": uid,
                "cme.level": "fold",
                "cme.window": window.tags["cme.window"],
                "cme.fold": str(number),
                "cme.fold_start": day_of(first),
                "mlflow.runName": f"fold {number:02d} from {day_of(first)}",
            },
            dataset=None,
            parent_uid=window.run_uid,
        )


def _metrics(points: Points) -> tuple[list[Metric], dict[str, str]]:
    """Return the finite metrics, the last of each key and step, and the others as tags."""
    finite, tags = {}, {}
    for key, text, step, at_us in points:
        value = float(text)
        if math.isfinite(value):
            finite[key, step] = Metric(key, value, step, at_us // 1000)
        else:
            tags[f"cme.nonfinite.{key}"] = text
    return list(finite.values()), tags


def _stage_times(part: Record | WindowRecord) -> Iterator[Metric]:
    """Yield the seconds that each stage of ``part`` took, until the next began; those of a window have its step."""
    windows = part.windows if isinstance(part, Record) else (part,)
    within = [(name, at_us, window) for window in windows for name, at_us in window.stages]
    outside = [stage for stage in part.stages if stage not in {(name, at_us) for name, at_us, _ in within}]
    begins = sorted([at_us for _, at_us in part.stages] + [window.start_us for window in windows] + [part.end_us])
    for name, at_us, step in (
        *((name, at_us, 0) for name, at_us in outside),
        *((name, at_us, step_of(window.start)) for name, at_us, window in within),
    ):
        end_us = next((begin for begin in begins if begin > at_us), at_us)
        yield Metric(f"stage_s/{_key(name)}", (end_us - at_us) / 1e6, step, end_us // 1000)


def _key(name: str) -> str:
    """Return a stage's name as a segment of a metric's key."""
    return re.sub(r"[^a-z0-9_]+", "_", name.lower())


def _dataset(record: Record) -> TrackedDataset | None:
    """Return the data set that the journal names by its hash; None where it names none."""
    known = record.tags.get("data")
    if known is None:
        return None
    names = {key.removeprefix("data."): text for key, text in record.params.items() if key in _OF_DATA}
    source = json.dumps({"dataset_hash": known, **names}, sort_keys=True)
    return TrackedDataset(names.get("name", record.study), known[:DIGEST_LENGTH], source)


def _source(record: Record) -> dict[str, str]:
    """Return the tags from which MLflow fills its columns of source and version."""
    commit = record.tags.get("commit")
    return {"mlflow.source.name": f"cme {record.command}", "mlflow.source.type": "LOCAL"} | (
        {"mlflow.source.git.commit": commit} if commit else {}
    )


def earlier_holders(record: Record, others: Sequence[Record]) -> tuple[str, ...]:
    """Return the run_uid of each earlier run of ``others`` that recorded every artifact of ``record``, byte for byte.

    Earliest first; empty where ``record`` has no artifacts.
    """
    artifacts = record.artifacts.items()
    earlier = sorted(
        (other.start_us, other.run_uid)
        for other in others
        if artifacts and artifacts <= other.artifacts.items() and other.start_us < record.start_us
    )
    return tuple(uid for _, uid in earlier if uid != record.run_uid)


def _param(text: str) -> str:
    return text if len(text) <= LONGEST_PARAM else f"sha256:{sha256(text.encode('utf-8')).hexdigest()}"


def _status(exit_code: int | None) -> str:
    if exit_code is None or exit_code in (HANGUP, INTERRUPTED, TERMINATED):
        return "KILLED"
    return "FINISHED" if exit_code == 0 else "FAILED"
