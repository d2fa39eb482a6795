"""Consecutive blocks of one underlying as whole columns, ``[C, R]``: what placements read along their lives.

The figures are those of `engine.signals.path` and `engine.signals.funding`, laid end to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.market import View
from engine.records import BoolArray, CodeArray, FloatArray, IntArray
from engine.signals.path import profit_conversion


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of several blocks for the instruments ``code`` (ascending); rows and instruments as in the views.

    ``last_quote`` and ``last_mark`` are the last rows at or before which the leg had a usable quote, a mark; -1 none.
    """

    views: tuple[View, ...]
    start: IntArray  # [V + 1] first row of each view
    times_ns: IntArray  # [R]
    code: CodeArray  # [C]
    column: IntArray  # [C, V] panel column, -1 where the block does not hold it
    inverse: BoolArray  # [C]
    mid: FloatArray  # [C, R] NaN where the leg cannot be priced
    conversion: FloatArray
    mark: FloatArray
    known_ns: IntArray
    last_quote: IntArray
    last_mark: IntArray

    def view_of(self, row: IntArray) -> IntArray:
        """Return the number of the view that holds each row."""
        return np.searchsorted(self.start, row, side="right") - 1


def span_of(views: Sequence[View], code: CodeArray) -> Span:
    """Return the span of ``views``, in order of time, for the instruments ``code``."""
    start = np.cumsum([0, *(len(view.panel.times_ns) for view in views)], dtype=np.int64)
    shape = (len(code), int(start[-1]))
    mid, conversion, mark = (np.full(shape, np.nan) for _ in range(3))
    known = np.zeros(shape, dtype=np.int64)
    column = np.full((len(code), len(views)), -1, dtype=np.int64)
    for v, view in enumerate(views):
        rows = slice(int(start[v]), int(start[v + 1]))
        panel = view.panel
        for c, each in enumerate(code.tolist()):
            column[c, v] = at = panel.column(each)
            if at < 0:
                continue
            price, venue = view.mid[:, at], panel.mark[:, at]
            conversion[c, rows] = profit_conversion(view, at)
            mark[c, rows] = np.where(venue > 0.0, venue, price)
            mid[c, rows] = np.where(conversion[c, rows] > 0.0, price, np.nan)
            known[c, rows] = panel.times_ns - panel.age_ns[:, at]
    return Span(
        views=tuple(views),
        start=start,
        times_ns=np.concatenate([view.panel.times_ns for view in views]),
        code=code,
        column=column,
        inverse=views[0].panel.instruments.inverse[code],
        mid=mid,
        conversion=conversion,
        mark=mark,
        known_ns=known,
        last_quote=_last(np.isfinite(mid)),
        last_mark=_last((mark > 0.0) & (conversion > 0.0)),
    )


def _last(holds: BoolArray) -> IntArray:
    """Return, for each row, the last row at or before it at which ``holds``; -1 where none."""
    rows = np.arange(holds.shape[1], dtype=np.int64)
    found: IntArray = np.maximum.accumulate(np.where(holds, rows, -1), axis=1)
    return found


@dataclass(frozen=True, slots=True)
class Payments:
    """The funding settlements of one instrument along a span, in order of time.

    A position of q pays ``q price rate`` USD per unit of base notional; where ``by_contract``, an inverse leg entered
    at E pays ``q (E / price) conversion rate``.  ``unknown`` marks a payment whose price only the position can tell.
    """

    by_contract: bool
    t_ns: IntArray
    row: IntArray
    price: FloatArray
    conversion: FloatArray
    rate: FloatArray
    unknown: BoolArray

    @property
    def unit_usd(self) -> FloatArray:
        """What q = 1 (by contract: q E = 1) pays at each settlement, USD."""
        worth = self.conversion / self.price if self.by_contract else self.price
        return np.where(self.unknown, 0.0, worth * self.rate)


def payments_of(span: Span, c: int) -> Payments:
    """Return the settlements of instrument ``span.code[c]``, priced as `engine.signals.funding` prices them."""
    table = span.views[0].panel.instruments
    interval = int(table.funding_interval_ns[span.code[c]])
    on_index = span.views[0].params.funding_on.get(table.venue[int(span.code[c])]) == "index"
    by_contract = bool(span.inverse[c]) and not on_index
    found: list[tuple[int, int, float, float]] = []
    for v, view in enumerate(span.views if interval > 0 else ()):
        column = int(span.column[c, v])
        due = np.flatnonzero(view.panel.funding_paid[:, column] != 0.0).tolist() if column >= 0 else []
        for at in due:
            row = int(span.start[v]) + at
            now = int(span.times_ns[row])
            since = int(span.times_ns[row - 1]) if row else now - 1
            instants = [k * interval for k in range(since // interval + 1, now // interval + 1)] or [now]
            rate = float(view.panel.funding_paid[at, column]) / len(instants)
            paid_on = _price(span, view, c, column, row, on_index)
            found += [(instant, row, paid_on, 0.0 if rate != rate else rate) for instant in instants]
    rows = np.array([row for _, row, _, _ in found], dtype=np.int64)
    price = np.array([paid_on for _, _, paid_on, _ in found], dtype=np.float64)
    return Payments(
        by_contract=by_contract,
        t_ns=np.array([t for t, _, _, _ in found], dtype=np.int64),
        row=rows,
        price=price,
        conversion=span.conversion[c, rows],
        rate=np.array([rate for _, _, _, rate in found], dtype=np.float64),
        unknown=np.isnan(price),
    )


def _price(span: Span, view: View, c: int, column: int, row: int, on_index: bool) -> float:
    """Return the price a settlement is paid on; NaN where the position itself has to tell."""
    at = row - int(span.start[np.searchsorted(span.start, row, side="right") - 1])
    mark, index = float(view.panel.mark[at, column]), float(view.panel.index[at, column])
    close, usd = float(span.mid[c, row]), float(view.usd[at, column])
    inverse = bool(span.inverse[c])
    if on_index:
        if index > 0.0:
            return index
        return close * usd if close > 0.0 and not inverse else float("nan")
    if mark > 0.0 and usd > 0.0:
        return mark if inverse else mark * usd
    if close > 0.0:
        return close if inverse else close * usd
    return float("nan")
