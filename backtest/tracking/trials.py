"""How many configurations were ever evaluated on one test window: the record of runs.  [statistics 3.5, audit 13]

The record is the journals, where a ratio is on the disk before any verdict of it is; a run directory whose journal is
gone counts as well.  What was evaluated in another folder of runs, nothing here can know.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

from backtest.tracking import journal
from backtest.tracking.journal import Record
from backtest.tracking.windows import SHARPE, of_window, step_of
from engine.errors import CmeError


def trials_of(run: Path) -> tuple[float, ...] | None:
    """Return the annual Sharpe ratios of the *other* configurations which the journals and run directories beside
    ``run`` evaluated on its window of its data, one a configuration, the last one found.

    A configuration is a registration under an engine.  None where the count is not known: no journal beside it, or one
    that cannot be read.
    """
    manifest = _manifest(run)
    window, paths = str(manifest["window"]["start"]), journal.journals(run.parent)
    # Directories first: of one configuration the journal's ratio stays.
    ratios = dict(_of_directories(run, manifest))
    try:
        for record in map(journal.read, paths):
            value = _ratio(record, window) if record.tags.get("data") == manifest["data"] else None
            if value is not None:
                ratios[_configuration(record, window)] = value
    except CmeError:
        return None
    ratios.pop(_name(manifest["registration"], manifest.get("engine_seal")), None)
    return tuple(ratios[name] for name in sorted(ratios)) if paths else None


def _of_directories(run: Path, manifest: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what other run directories of the same data and window came to; what is no such directory is passed by."""
    for path in sorted(run.parent.iterdir()):
        with suppress(OSError, ValueError, LookupError, TypeError, RecursionError, OverflowError):
            other = _manifest(path)
            if path == run or (other["data"], other["window"]["start"]) != (
                manifest["data"],
                manifest["window"]["start"],
            ):
                continue
            ratio = json.loads((path / "verdicts.json").read_text(encoding="utf-8"))["H1"]["sharpe"]
            if ratio is not None and isfinite(ratio):
                yield _name(other["registration"], other.get("engine_seal")), float(ratio)


def _manifest(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "manifest.json").read_text(encoding="utf-8")))


def _ratio(record: Record, window: str) -> float | None:
    # Journals before November 2026 have the window in the key, later ones in the step.
    points = ((SHARPE, step_of(window)), (of_window(SHARPE, window), 0))
    values = [float(text) for name, text, step, _ in record.metrics if (name, step) in points]
    return values[-1] if values else None


def _configuration(record: Record, window: str) -> str:
    """Return what names a configuration; where a journal is older than its hash, the digest it came to."""
    known = record.tags.get("registration")
    if known is None:
        return record.tags.get(f"digest.{window}") or record.run_uid
    return _name(known, record.tags.get("engine_seal"))


def _name(registration: object, engine: object) -> str:
    return f"{registration} {engine or ''}"
