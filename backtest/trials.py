"""How many configurations were ever evaluated on one test window: the record of runs.  [statistics 3.5, audit 13]"""

from __future__ import annotations

import json
from pathlib import Path

from backtest import journal
from backtest.journal import Record
from engine.errors import CmeError

SHARPE = "h1/sharpe"


def trials_of(run: Path) -> tuple[float, ...] | None:
    """Return the annual Sharpe ratios of the *other* configurations which the journals beside ``run`` evaluated on its
    window of its data, one a configuration, the last one found.

    None where the count is not known: no journal beside it, or one that cannot be read.
    """
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    window, paths = str(manifest["window"]["start"]), journal.journals(run.parent)
    found: dict[str, float] = {}
    try:
        for record in map(journal.read, paths):
            value = _ratio(record, window) if record.tags.get("data") == manifest["data"] else None
            if value is not None:
                found[_configuration(record, window)] = value
    except CmeError:
        return None
    found.pop(str(manifest["registration"]), None)
    return tuple(found[name] for name in sorted(found)) if paths else None


def _ratio(record: Record, window: str) -> float | None:
    key = f"{SHARPE}.{window.replace('-', '_')}"
    values = [float(text) for name, text, _, _ in record.metrics if name == key]
    return values[-1] if values else None


def _configuration(record: Record, window: str) -> str:
    """Return what names a configuration: its hash; where a journal is older than that, the digest it came to."""
    return record.tags.get("registration") or record.tags.get(f"digest.{window}") or record.run_uid
