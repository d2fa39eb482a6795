"""Alters a market for the leak battery: cuts, poisons, delays and shuffles files and panels.  [S8.8]

All but the shuffles change only what is knowable after ``t_ns``.  A function that draws takes its generator as an
argument.  Columns of a quote file are arrays of shape (rows,) by name.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from backtest.data.format.dataset import Dataset
from backtest.data.format.quote_file import quote_bytes
from backtest.data.format.schema import VALUE_COLUMNS, quote_schema
from backtest.leakage.observables import PANEL_VALUES
from engine.records import BoolArray, FloatArray, Instruments, IntArray, Panel

RowColumns = dict[str, NDArray[Any]]
RowChange = Callable[[RowColumns, np.random.Generator], RowColumns]
"""Takes the columns of a quote file, each of shape (rows,), and returns those of another."""


@dataclass(frozen=True, slots=True)
class Altered(Dataset):
    """A data set whose quote files are changed as they are read; nothing on disk changes."""

    base: Dataset
    change: Callable[[str, RowColumns], RowColumns]

    def read(self, relative: str) -> bytes:
        """Return the bytes of a listed file after the change."""
        data = self.base.read(relative)
        if not relative.startswith("quotes/"):
            return data
        table = pq.read_table(io.BytesIO(data))
        columns = self.change(relative, {name: table.column(name).to_numpy() for name in table.column_names})
        # In the order of a quote file, which a change of times may have broken.
        order = np.lexsort((columns["code"], columns["t_ns"], columns["channel"]))
        return quote_bytes(table_of({name: values[order] for name, values in columns.items()}))


def table_of(columns: RowColumns) -> pa.Table:
    """Return the columns of a quote file as a table of its schema; NaN is null."""
    schema = quote_schema(columns)
    return pa.table([pa.array(columns[f.name], f.type, from_pandas=f.nullable) for f in schema], schema)


def altered(dataset: Dataset, change: Callable[[str, RowColumns], RowColumns]) -> Altered:
    """Return ``dataset`` as it reads after ``change`` of (path, rows)."""
    # A changed file is one part: `Altered.read` returns all that is read.
    values = {f.name: getattr(dataset, f.name) for f in fields(Dataset)} | {"linear_parts": {}}
    return Altered(**values, base=dataset, change=change)


def _after(columns: RowColumns, t_ns: int) -> BoolArray:
    later: BoolArray = columns["t_ns"] > t_ns
    return later


def cut(columns: RowColumns, t_ns: int) -> RowColumns:
    """Keep what is knowable at ``t_ns``."""
    keep = ~_after(columns, t_ns)
    return {name: values[keep] for name, values in columns.items()}


def nan(columns: RowColumns, t_ns: int) -> RowColumns:
    """Make every value after ``t_ns`` NaN."""
    later = _after(columns, t_ns)
    return columns | {name: np.where(later, np.nan, columns[name]) for name in VALUE_COLUMNS}


def scaled(columns: RowColumns, t_ns: int) -> RowColumns:
    """Triple every value after ``t_ns``: another unit."""
    later = _after(columns, t_ns)
    return columns | {name: np.where(later, 3.0 * columns[name], columns[name]) for name in VALUE_COLUMNS}


def shuffled(columns: RowColumns, t_ns: int, draw: np.random.Generator) -> RowColumns:
    """Deal the values after ``t_ns`` anew among the rows of each channel, instruments mixed."""
    source = np.arange(len(columns["t_ns"]))
    for channel in np.unique(columns["channel"]):
        rows = np.flatnonzero(_after(columns, t_ns) & (columns["channel"] == channel))
        source[rows] = draw.permutation(rows)
    return columns | {name: columns[name][source] for name in VALUE_COLUMNS}


def late(columns: RowColumns, t_ns: int, step_ns: int, end_ns: int, of_venue: BoolArray) -> RowColumns:
    """Delay the rows after ``t_ns`` of codes in ``of_venue`` by ``step_ns``; rows past ``end_ns`` do not arrive.

    ``of_venue`` is bool of shape (codes,).  Where a delayed row meets another of its time and code, it takes its place.
    """
    delayed = _after(columns, t_ns) & of_venue[columns["code"]]
    time = columns["t_ns"] + np.where(delayed, step_ns, 0)
    keep = time < end_ns
    # A channel has one row a time and code: of two that meet, the delayed one sorts first and is kept.
    out = {name: values[keep] for name, values in (columns | {"t_ns": time}).items()}
    order = np.lexsort((~delayed[keep], out["code"], out["t_ns"], out["channel"]))
    out = {name: values[order] for name, values in out.items()}
    place = np.stack([out[name].astype(np.int64) for name in ("channel", "t_ns", "code")])
    first = np.append(True, (np.diff(place, axis=1) != 0).any(axis=0))[: len(order)]
    return {name: values[first] for name, values in out.items()}


def in_any_order(columns: RowColumns, draw: np.random.Generator) -> RowColumns:
    """Shuffle the rows."""
    order = draw.permutation(len(columns["t_ns"]))
    return {name: values[order] for name, values in columns.items()}


def cut_rows(panel: Panel, row: int) -> Panel:
    """Keep the grid times before ``row``."""
    return _rows(panel, {name: getattr(panel, name)[:row] for name in ("times_ns", *PANEL_VALUES)})


def from_row(panel: Panel, row: int) -> Panel:
    """Keep the grid times from ``row`` on."""
    return _rows(panel, {name: getattr(panel, name)[row:] for name in ("times_ns", *PANEL_VALUES)})


def change_rows(panel: Panel, row: int, change: Callable[[FloatArray], FloatArray]) -> Panel:
    """Return ``panel`` with ``change`` applied to its values from grid time ``row`` on.

    ``change`` takes and returns an array of shape (rows left, columns).
    """
    changes = {}
    for name in PANEL_VALUES:
        values = getattr(panel, name).copy()
        # A panel may end before the row, and then nothing of it is altered.
        if len(values) > row:
            values[row:] = change(values[row:])
        changes[name] = values
    return _rows(panel, changes)


def nan_values(values: FloatArray) -> FloatArray:
    """Return an array of the same shape: NaN in place of every float; an integer array (ages) is returned as it is."""
    return np.full_like(values, np.nan) if values.dtype == np.float64 else values


def late_rows(panel: Panel, row: int, venue: str) -> Panel:
    """Delay the columns of ``venue`` by one grid time from ``row`` on."""
    table = panel.instruments
    of_venue = np.array([table.venue[c] == venue for c in panel.code.tolist()], dtype=np.bool_)
    changes = {}
    for name in PANEL_VALUES:
        values = getattr(panel, name).copy()
        # The first altered row keeps its own values: the row before it is not of the future.
        before = np.concatenate([values[row : row + 1], values[row:-1]])
        values[row:, of_venue] = before[:, of_venue]
        changes[name] = values
    return _rows(panel, changes)


def other_codes(panel: Panel, draw: np.random.Generator) -> Panel:
    """Give the instruments other codes: the same panel over a shuffled table."""
    table = panel.instruments
    old = draw.permutation(len(table))  # old code of each new row
    new = np.empty(len(table), dtype=np.int32)
    new[old] = np.arange(len(table), dtype=np.int32)
    columns_of_table: dict[str, Any] = {}
    for f in fields(Instruments):
        values = getattr(table, f.name)
        columns_of_table[f.name] = tuple(values[c] for c in old.tolist()) if isinstance(values, tuple) else values[old]
    # Columns of a panel are in order of code.
    order = np.argsort(new[panel.code], kind="stable")
    columns: Mapping[str, FloatArray | IntArray] = {name: getattr(panel, name)[:, order] for name in PANEL_VALUES}
    return replace(panel, code=new[panel.code][order], instruments=Instruments(**columns_of_table), **columns)  # type: ignore[arg-type]


def _rows(panel: Panel, changes: Mapping[str, FloatArray | IntArray]) -> Panel:
    return replace(panel, **changes)  # type: ignore[arg-type]  # fields by name
