"""The prices of consecutive blocks of one underlying as whole columns, ``[C, R]``, for all placebo positions in them.

The figures are those of `engine.positions.price_path`, concatenated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.market.view import PreparedPanel
from engine.records import BoolArray, CodeArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PriceWindow:
    """The prices of C instruments, codes ascending, over the R rows of V consecutive blocks."""

    views: tuple[PreparedPanel, ...]
    start: IntArray  # [V + 1] first row of each block
    times_ns: IntArray  # [R]
    spot_usd: FloatArray  # [R]
    code: CodeArray  # [C]
    column: IntArray  # [C, V] panel column, -1 if the block does not hold the instrument
    inverse: BoolArray  # [C]
    mid: FloatArray  # [C, R] in the price currency, NaN without a usable quote
    conversion: FloatArray  # [C, R] USD per unit of profit currency
    mark: FloatArray  # [C, R] the venue's mark, else the mid
    known_ns: IntArray  # [C, R] knowable time of mid and mark

    def view_of(self, row: IntArray) -> IntArray:
        """Return the number of the block that holds each row, of the shape of ``row``."""
        return np.searchsorted(self.start, row, side="right") - 1

    def last_quote(self, c: IntArray, row: IntArray) -> IntArray:
        """Return the last row up to ``row [K]`` with a usable quote of instrument ``c [K]``, ``[K]``; -1 if none."""
        return _last(c, row, np.isfinite(self.mid[c, row]), lambda instrument: np.isfinite(self.mid[instrument]))

    def last_mark(self, c: IntArray, row: IntArray) -> IntArray:
        """Return the last row up to ``row [K]`` with a mark of instrument ``c [K]``, ``[K]``; -1 if none."""

        def marked(cells: tuple[IntArray, IntArray] | int) -> BoolArray:
            has_mark: BoolArray = (self.mark[cells] > 0.0) & (self.conversion[cells] > 0.0)
            return has_mark

        return _last(c, row, marked((c, row)), marked)

    def last_conversion(self, c: IntArray, row: IntArray) -> IntArray:
        """Return the last row up to ``row [K]`` with a conversion of instrument ``c [K]``, ``[K]``; -1 if none."""
        return _last(c, row, self.conversion[c, row] > 0.0, lambda instrument: self.conversion[instrument] > 0.0)


def _last(c: IntArray, row: IntArray, holds: BoolArray, along: Callable[[int], BoolArray]) -> IntArray:
    """Return ``row`` where ``holds``, else the last row before it where ``along(instrument)`` is true; -1 if none."""
    last = row.copy()
    # Most cells hold, so whole columns are only read for the few instruments where one does not.
    others = np.flatnonzero(~holds)
    for instrument in np.unique(c[others]).tolist():
        cells, rows = others[c[others] == instrument], np.flatnonzero(along(instrument))
        last[cells] = np.append(rows, -1)[np.searchsorted(rows, row[cells], side="right") - 1]
    return last


def price_window(views: Sequence[PreparedPanel], code: CodeArray) -> PriceWindow:
    """Return the prices of the C instruments ``code`` (ascending) over ``views``, consecutive blocks of R rows in all.

    Columns are ``[C, R]``.  Raises ``ValueError`` if ``views`` is empty.
    """
    if not views:
        raise ValueError("expected at least one block for a price window, was none")
    start = np.cumsum([0, *(len(view.panel.times_ns) for view in views)], dtype=np.int64)
    shape = (len(code), int(start[-1]))
    mid, conversion, mark = (np.full(shape, np.nan) for _ in range(3))
    known = np.zeros(shape, dtype=np.int64)
    column = np.full((len(code), len(views)), -1, dtype=np.int64)
    inverse = views[0].panel.instruments.inverse[code]
    for v, view in enumerate(views):
        panel, rows = view.panel, slice(int(start[v]), int(start[v + 1]))
        position = np.searchsorted(panel.code, code)
        # A code above all of the panel's is searched past its end, where -1 is no code.
        listed = np.flatnonzero(np.append(panel.code, -1)[position] == code)
        column[listed, v] = panel_column = position[listed]
        usd, price, venue = view.money.T[panel_column], view.mid.T[panel_column], panel.mark.T[panel_column]
        coin = np.flatnonzero(inverse[listed])
        index = panel.index.T[panel_column[coin]] * view.dollars.usd
        usd[coin] = np.where(index > 0.0, index, view.spot_usd)
        conversion[listed, rows] = usd
        mark[listed, rows] = np.where(venue > 0.0, venue, price)
        mid[listed, rows] = np.where(usd > 0.0, price, np.nan)
        known[listed, rows] = panel.times_ns - panel.age_ns.T[panel_column]
    return PriceWindow(
        views=tuple(views),
        start=start,
        times_ns=np.concatenate([view.panel.times_ns for view in views]),
        spot_usd=np.concatenate([view.spot_usd for view in views]),
        code=code,
        column=column,
        inverse=inverse,
        mid=mid,
        conversion=conversion,
        mark=mark,
        known_ns=known,
    )
