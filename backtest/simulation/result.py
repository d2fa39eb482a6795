"""What a simulation leaves: figures, tables, and where each figure comes from.  [risk.md 21, interface]"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from backtest.simulation.scenario import Scenario

RECOMPUTED, READ, OURS = "recomputed", "read", "ours"
"""Layers of a figure: computed here from published rows, a sum of a published table, or a synthetic book's."""
DIGITS = 12
"""Significant digits of a float in a result: what a library's last bit may change is cut off."""


@dataclass(frozen=True, slots=True)
class SimulationTask:
    """A plan with what the command adds: data root, folder of the venues' parameters, workers, progress."""

    plan: Scenario
    data_root: Path | None
    venues: Path
    workers: int = 1
    on_progress: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """Figures by name, their layers, tables by file stem, digests of what was read, and what cannot be said."""

    figures: dict[str, Any]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    cannot_say: tuple[str, ...] = ()

    def files(self) -> dict[str, bytes]:
        """Return the result's files by name: ``figures.json``, ``layers.json`` and a CSV a table."""
        tables = {f"{stem}.csv": csv_bytes(table) for stem, table in self.tables.items()}
        return {"figures.json": json_bytes(self.figures), "layers.json": json_bytes(self.layers), **tables}


def digest_of_files(files: dict[str, bytes]) -> str:
    """Return the digest of a result: SHA-256 over the names and hashes of its files, sorted by name."""
    lines = "".join(f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return sha256(lines.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return ``value`` for JSON: plain numbers for NumPy's, floats of `DIGITS`, null for what is undefined."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    # NumPy's scalars are no JSON numbers.
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def json_bytes(value: Any) -> bytes:
    """Return ``value`` as indented JSON with a last line end."""
    return (json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return ``table`` as CSV, floats of `DIGITS`, without an index."""
    return str(table.to_csv(index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")).encode()
