"""Consecutive blocks of one underlying as whole columns, ``[C, R]``: what placements read along their lives.

The figures are those of `engine.positions.price_path`, laid end to end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.market.view import PreparedPanel
from engine.records import BoolArray, CodeArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PriceWindow:
    """Rows of several blocks for the instruments ``code`` (ascending); rows and instruments as in the views."""

    views: tuple[PreparedPanel, ...]
    start: IntArray  # [V + 1] first row of each view
    times_ns: IntArray  # [R]
    spot_usd: FloatArray  # [R]
    code: CodeArray  # [C]
    column: IntArray  # [C, V] panel column, -1 where the block does not hold it
    inverse: BoolArray  # [C]
    mid: FloatArray  # [C, R] NaN where the leg cannot be priced
    conversion: FloatArray
    mark: FloatArray
    known_ns: IntArray

    def view_of(self, row: IntArray) -> IntArray:
        """Return the number of the view that holds each row."""
        return np.searchsorted(self.start, row, side="right") - 1

    def last_quote(self, c: IntArray, row: IntArray) -> IntArray:
        """Return the last row at or before ``row[k]`` at which instrument ``c[k]`` had a usable quote; -1 none."""
        return _last(c, row, np.isfinite(self.mid[c, row]), lambda one: np.isfinite(self.mid[one]))

    def last_mark(self, c: IntArray, row: IntArray) -> IntArray:
        """Return the last row at or before ``row[k]`` at which instrument ``c[k]`` had a mark; -1 none."""
        marked = (self.mark[c, row] > 0.0) & (self.conversion[c, row] > 0.0)
        return _last(c, row, marked, lambda one: (self.mark[one] > 0.0) & (self.conversion[one] > 0.0))


def _last(c: IntArray, row: IntArray, holds: BoolArray, along: Callable[[int], BoolArray]) -> IntArray:
    """Return ``row`` where it ``holds`` there, as it mostly does, else the last row before it ``along`` the column."""
    found = row.copy()
    others = np.flatnonzero(~holds)
    for one in np.unique(c[others]).tolist():
        mine, rows = others[c[others] == one], np.flatnonzero(along(one))
        found[mine] = np.append(rows, -1)[np.searchsorted(rows, row[mine], side="right") - 1]
    return found


def price_window(views: Sequence[PreparedPanel], code: CodeArray) -> PriceWindow:
    """Return the span of ``views``, in order of time, for the instruments ``code``."""
    start = np.cumsum([0, *(len(view.panel.times_ns) for view in views)], dtype=np.int64)
    shape = (len(code), int(start[-1]))
    mid, conversion, mark = (np.full(shape, np.nan) for _ in range(3))
    known = np.zeros(shape, dtype=np.int64)
    column = np.full((len(code), len(views)), -1, dtype=np.int64)
    inverse = views[0].panel.instruments.inverse[code]
    for v, view in enumerate(views):
        panel, rows = view.panel, slice(int(start[v]), int(start[v + 1]))
        at = np.searchsorted(panel.code, code)
        there = np.flatnonzero(np.append(panel.code, -1)[at] == code)
        column[there, v] = own = at[there]
        usd, price, venue = view.usd.T[own], view.mid.T[own], panel.mark.T[own]
        coin = np.flatnonzero(inverse[there])
        index = panel.index.T[own[coin]]
        usd[coin] = np.where(index > 0.0, index, view.spot_usd)
        conversion[there, rows] = usd
        mark[there, rows] = np.where(venue > 0.0, venue, price)
        mid[there, rows] = np.where(usd > 0.0, price, np.nan)
        known[there, rows] = panel.times_ns - panel.age_ns.T[own]
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
