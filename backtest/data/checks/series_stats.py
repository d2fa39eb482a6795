"""Gathers statistics of each instrument's quotes, file by file in time order, in bounded memory.  [S1.4, S1.5]"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from backtest.data.format.funding_intervals import IntervalSteps
from backtest.data.format.schema import Channel
from backtest.data.panels.rows import DayRows, Rows
from engine.records import FloatArray, Instruments, IntArray, Kind
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_MS

EDGES_NS: Final = np.unique(np.rint(NS_PER_MS * 2.0 ** np.arange(0.0, 34.5, 0.5)).astype(np.int64))
"""Bins of the time between two quotes: 1 ms to about half a year, each root two longer than the one before."""

NO_STEPS: Final[Mapping[int, IntervalSteps]] = {}

JUMP: Final = 1.5
"""From one quote to the next no coin's price moves by this factor; a unit or a wrong print does."""


class SeriesStats:
    """Counts and gaps by instrument.  ``add`` takes the days in order; the properties are read at the end."""

    def __init__(
        self, instruments: Instruments, limit_ns: IntArray, steps: Mapping[int, IntervalSteps] = NO_STEPS
    ) -> None:
        """``limit_ns`` is, by instrument, the age up to which a quote counts as covering the time after it.

        ``steps`` are the funding intervals by time, by code, of the instruments whose interval changes.
        """
        count = len(instruments)
        self._instruments, self._limit_ns, self._steps = instruments, limit_ns, steps
        self.rows = np.zeros((len(Channel), count), dtype=np.int64)
        self.first_ns = np.full(count, NEVER_NS)
        self.last_ns = np.full(count, -1, dtype=np.int64)
        self.days = np.zeros(count, dtype=np.int64)
        self.one_sided, self.empty, self.crossed, self.zero, self.jumps, self.unsized = np.zeros(
            (6, count), dtype=np.int64
        )
        self.longest_ns = np.zeros(count, dtype=np.int64)
        self.off_schedule = np.zeros(count, dtype=np.int64)
        self.since_ns = np.full((len(Channel), count), NEVER_NS)
        self.until_ns = np.full((len(Channel), count), -1, dtype=np.int64)
        self._covered, self._gap_sum = np.zeros(count), np.zeros((count, len(EDGES_NS) + 1))
        self._gap_count = np.zeros((count, len(EDGES_NS) + 1))
        self._mid = np.full(count, np.nan)

    def add(self, day: DayRows) -> None:
        """Add the rows of one day (one underlying), later than all added before."""
        for channel, rows in day.items():
            self.rows[channel] += self._count(rows.code)
            np.minimum.at(self.since_ns[channel], rows.code, rows.t_ns)
            np.maximum.at(self.until_ns[channel], rows.code, rows.t_ns)
        if Channel.QUOTE in day:
            self._add_quotes(day[Channel.QUOTE])
        if Channel.SETTLE in day:
            self._add_settlements(day[Channel.SETTLE])

    def own_span(self) -> tuple[int, int]:
        """Return the times in ns of the first and the last quote of any instrument; (0, 0) where there is none."""
        quoted = self.rows[Channel.QUOTE] > 0
        return (int(self.first_ns[quoted].min()), int(self.last_ns[quoted].max())) if quoted.any() else (0, 0)

    def spans_ns(self, span_ns: tuple[int, int]) -> tuple[IntArray, IntArray]:
        """Return from when to when each instrument should have quotes, ns, shape (instruments,) each.

        That is ``span_ns``, but to the expiry of what expires; of that the first quote begins, as no listing is known.
        """
        expiry_ns = self._instruments.expiry_ns
        begin = np.where(expiry_ns < NEVER_NS, self.first_ns, span_ns[0])
        return np.asarray(begin), np.asarray(np.minimum(expiry_ns, span_ns[1]))

    def coverage(self, span_ns: tuple[int, int]) -> FloatArray:
        """Return the share of the time that `spans_ns` gives with a quote within the limit, shape (instruments,).

        Quotes outside are counted too, with the time between them.  NaN where there is no quote or no time.
        """
        begin, end = self.spans_ns(span_ns)
        quoted = self.last_ns >= 0
        before = np.where(quoted, np.maximum(self.first_ns - begin, 0), 0)
        after = np.where(quoted, np.maximum(end - self.last_ns, 0), 0)
        covered = self._covered + np.minimum(after, self._limit_ns)
        # 0/0 of an instrument without a quote is NaN, as documented
        with np.errstate(invalid="ignore"):
            return np.asarray(covered / (self._gap_sum.sum(axis=1) + before + after))

    def age_ns(self, share: float) -> IntArray:
        """Return an age that the last quote exceeds at most 1 - ``share`` of the time: the upper edge of a bin.

        P(age > a) = sum of (gap - a) over gaps longer than a / sum of gaps.  -1 where there is only one quote.
        """
        longer_sum = self._gap_sum[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
        longer_count = self._gap_count[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
        total = self._gap_sum.sum(axis=1)
        over = (longer_sum - longer_count * EDGES_NS) <= (1.0 - share) * total[:, None]
        return np.where(total > 0, EDGES_NS[np.argmax(over, axis=1)], -1)

    def missing_settlements(self) -> IntArray:
        """Return how many settlements of the declared schedule lack, shape (instruments,).

        Due are those after the first quote up to the last one, and those from the first to the last that came; 0 where
        none came.
        """
        # 0 marks instruments without funding; the result is masked below
        step = np.maximum(self._instruments.funding_interval_ns, 1)
        first, last = self.since_ns[Channel.SETTLE] // step, self.until_ns[Channel.SETTLE] // step
        quoted = self.last_ns >= 0
        first = np.where(quoted, np.minimum(first, self.first_ns // step + 1), first)
        last = np.where(quoted, np.maximum(last, self.last_ns // step), last)
        came = self.rows[Channel.SETTLE] - self.off_schedule
        due = last - first + 1
        for code, each in self._steps.items():
            since_ns, until_ns = self.since_ns[Channel.SETTLE, code] - 1, self.until_ns[Channel.SETTLE, code]
            if quoted[code]:
                since_ns, until_ns = min(since_ns, self.first_ns[code]), max(until_ns, self.last_ns[code])
            due[code] = len(each.due(int(since_ns), int(until_ns))) if came[code] > 0 else 0
        return np.where((came > 0) & (self._instruments.funding_interval_ns > 0), np.maximum(due - came, 0), 0)

    def _count(self, codes: np.ndarray) -> IntArray:
        return np.bincount(codes, minlength=len(self._instruments)).astype(np.int64)

    def _add_quotes(self, rows: Rows) -> None:
        bid, ask, size = (rows.value[name] for name in ("bid", "ask", "bid_size"))
        no_bid, no_ask = np.isnan(bid), np.isnan(ask)
        for total, bad in (
            (self.one_sided, no_bid ^ no_ask),
            (self.empty, no_bid & no_ask),
            (self.crossed, bid > ask),
            (self.zero, (bid == 0) | (ask == 0)),
            (self.unsized, np.isnan(size) & ~no_bid),
        ):
            total += self._count(rows.code[bad])
        order = np.argsort(rows.code, kind="stable")
        code, t_ns, mid = rows.code[order], rows.t_ns[order], ((bid + ask) / 2.0)[order]
        # The first row of an instrument on a day follows its last of the days before, kept between calls.
        new = np.append(True, code[1:] != code[:-1])
        before_ns = np.where(new, self.last_ns[code], np.append(0, t_ns[:-1]))
        before = np.where(new, self._mid[code], np.append(np.nan, mid[:-1]))
        gap = np.where(before_ns >= 0, t_ns - before_ns, 0)
        self._add_gaps(code, gap)
        with np.errstate(invalid="ignore", divide="ignore"):
            jump = np.maximum(mid / before, before / mid) > JUMP
        # premiums of options move by half within minutes; for them a jump means nothing
        self.jumps += self._count(code[jump & (self._instruments.kind[code] != Kind.OPTION)])
        np.minimum.at(self.first_ns, code, t_ns)
        ends = np.flatnonzero(np.append(code[1:] != code[:-1], True))
        self.last_ns[code[ends]] = t_ns[ends]
        self._mid[code[ends]] = mid[ends]
        self.days[code[ends]] += 1

    def _add_gaps(self, code: np.ndarray, gap: IntArray) -> None:
        # One number a cell, so that a single `bincount` fills the whole table.
        cell = code.astype(np.int64) * (len(EDGES_NS) + 1) + np.searchsorted(EDGES_NS, gap)
        count = np.bincount(cell, weights=gap > 0, minlength=self._gap_sum.size)
        self._gap_count += count.reshape(self._gap_sum.shape)
        self._gap_sum += np.bincount(cell, weights=gap, minlength=self._gap_sum.size).reshape(self._gap_sum.shape)
        covered = np.minimum(gap, self._limit_ns[code])
        self._covered += np.bincount(code, weights=covered, minlength=len(self._instruments))
        np.maximum.at(self.longest_ns, code, gap)

    def _add_settlements(self, rows: Rows) -> None:
        step = self._instruments.funding_interval_ns[rows.code]
        for code, each in self._steps.items():
            at = rows.code == code
            step[at] = each.at(rows.t_ns[at])
        off = (step <= 0) | (rows.t_ns % np.maximum(step, 1) != 0)
        self.off_schedule += self._count(rows.code[off])


def limits_ns(instruments: Instruments, grid_ns: int) -> IntArray:
    """Return the age in ns, shape (instruments,), up to which a quote counts as present.

    It is the longest of the instrument's bar, the grid step and a minute.
    """
    return np.asarray(np.maximum(np.maximum(instruments.bar_ns, grid_ns), min(NS_PER_DAY, 60_000 * NS_PER_MS)))
