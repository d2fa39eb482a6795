"""The as-of join in blocks of grid times: rows are read once, in the order of time.  [S1.1, S1.3]

Both functions return None where rows are out of order or have no column: the caller's NumPy path judges these.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import CDLL, c_int64, c_void_p, pointer
from dataclasses import dataclass

import numpy as np

from engine.errors import DataError
from engine.kernels.structures import CODE, FLOAT, INT, RowFields, address, pointers
from engine.records import CodeArray, FloatArray, IntArray

FIELDS = 4
"""Values of a quote, as ``csrc/asof.c`` has them."""


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """Rows of one channel in the order of time, ``[n]``, and the ``column`` of each code, ``[codes]``."""

    t_ns: IntArray
    code: CodeArray
    column: IntArray
    columns: int

    def fields(self) -> RowFields:
        """Return them as C reads them."""
        count = len(self.t_ns)
        return RowFields(
            address(self.t_ns, INT, count),
            address(self.code, CODE, count),
            count,
            address(self.column, INT, len(self.column)),
            len(self.column),
            self.columns,
            0,
        )


def quotes_asof(
    library: CDLL,
    rows: JoinedRows,
    values: Sequence[FloatArray],
    times: IntArray,
    now: slice,
    carried: tuple[IntArray, FloatArray],
    into: tuple[IntArray, Sequence[FloatArray]],
) -> bool:
    """Fill ages and values at the grid times ``now``, and carry what comes later; False where rows are out of order.

    ``values`` are `FIELDS` columns of the rows.  ``carried`` are the times of the last rows, ``[columns]``, -1 for
    none, and their values, ``[columns, FIELDS]``; ``into`` is ``[columns, T]`` each.
    """
    count, cells = len(rows.t_ns), rows.columns * len(times)
    for value in values:
        address(value, FLOAT, count)
    for out in into[1]:
        address(out, FLOAT, cells)
    if not (len(values) == len(into[1]) == FIELDS and 0 <= now.start <= now.stop <= len(times)):
        raise DataError(f"expected {FIELDS} values and grid times of {len(times)}, was {len(values)} and {now}")
    of_rows = rows.fields()
    status = library.quotes_asof(
        pointer(of_rows), pointers(values), c_void_p(address(times, INT, len(times))), c_int64(len(times)),
        c_int64(now.start), c_int64(now.stop), c_void_p(address(carried[0], INT, rows.columns)),
        c_void_p(address(carried[1], FLOAT, rows.columns * FIELDS)), c_void_p(address(into[0], INT, cells)),
        pointers(into[1]),
    )  # fmt: skip
    return _in_order(status)


def value_asof(library: CDLL, rows: JoinedRows, value: FloatArray, times: IntArray) -> FloatArray | None:
    """Return the last ``value`` of each column that is a number, ``[columns, T]``; None where rows are out of order."""
    out, last = np.empty((rows.columns, len(times))), np.full(rows.columns, np.nan)
    of_rows = rows.fields()
    status = library.value_asof(
        pointer(of_rows), c_void_p(address(value, FLOAT, len(rows.t_ns))), c_void_p(address(times, INT, len(times))),
        c_int64(len(times)), c_void_p(last.ctypes.data), c_void_p(out.ctypes.data),
    )  # fmt: skip
    return out if _in_order(status) else None


def _in_order(status: int) -> bool:
    if status < 0:
        raise MemoryError("expected room for a tile of grid times, was none")
    return status == 0
