"""A journal as MLflow is to show it: experiment, params, metrics, tags and artifacts.  Pure mapping.  [audit 13.2]"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from backtest.tracking.journal import Record

LONGEST_PARAM = 500
LONG_PARAMS = "params.json"
ARTIFACT_SUMS = "artifacts.sha256"
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
    artifacts: Mapping[str, tuple[str, int]]  # path -> (sha256, size), files beside the journal
    texts: Mapping[str, str]  # path -> text of artifacts made here


def tracked_run(record: Record) -> TrackedRun:
    """Return the view of a journal.

    Params over 500 characters go into ``params.json`` and stand as their SHA-256; metrics that are not finite become
    tags ``cme.nonfinite.<key>``; a run without an end was killed.
    """
    long = {key: text for key, text in record.params.items() if len(text) > LONGEST_PARAM}
    texts = {ARTIFACT_SUMS: "".join(f"{digest}  {path}\n" for path, (digest, _) in sorted(record.artifacts.items()))}
    if long:
        texts[LONG_PARAMS] = json.dumps(long, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    finite, tags = [], {f"cme.{key}": value for key, value in record.tags.items()}
    for key, text, step, at_us in record.metrics:
        value = float(text)
        if math.isfinite(value):
            finite.append(Metric(key, value, step, at_us // 1000))
        else:
            tags[f"cme.nonfinite.{key}"] = text
    tags |= {
        "cme.run_uid": record.run_uid,
        "cme.journal_head": record.head,
        "cme.exit": "none" if record.exit_code is None else str(record.exit_code),
    }
    return TrackedRun(
        experiment=f"cme/{record.study}/{record.mode}",
        run_uid=record.run_uid,
        head=record.head,
        # MLflow counts milliseconds.
        start_ms=record.start_us // 1000,
        end_ms=record.end_us // 1000,
        status=_status(record.exit_code),
        params={key: _param(text) for key, text in record.params.items()},
        metrics=tuple(finite),
        tags=tags,
        artifacts=record.artifacts,
        texts=texts,
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
