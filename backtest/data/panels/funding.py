"""Computes funding on a grid: the trailing mean of the published rate, and the settled sums.  [S1.1, S2.C5]"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from backtest.data.format.funding_intervals import IntervalSteps
from backtest.data.panels.rows import Rows
from engine.records import ACCRUAL_NS, FloatArray, Instruments, IntArray
from engine.units import NS_PER_HOUR

MEAN_NS: Final = 8 * NS_PER_HOUR
"""The span over which the settlements of a venue that pays more often are averaged.  [venues V3]"""


Schedules = Mapping[int, IntArray]
"""By column of a panel the settlement times, ns UTC, ascending, of what changes its interval; others have one."""
NO_SCHEDULES: Final[Schedules] = {}


def rates_of_day(rows: Rows, instruments: Instruments, steps: Mapping[int, IntervalSteps]) -> FloatArray:
    """Return the rates of ``rows``, settled or known by their settlements, per interval of ``instruments``, shape (n,).

    A rate of eight hours is half as much per four: on the day of a change the expected payment is rate x number, with
    the number by the interval at the day's end.
    """
    rate = rows.value["rate"]
    for code, each in steps.items():
        at = np.flatnonzero(rows.code == code)
        if len(at):
            rate = rate.copy()
            rate[at] *= instruments.funding_interval_ns[code] / each.at_labels(rows.t_ns[at])
    return rate


def funding_mean(
    t_ns: IntArray, column: IntArray, rate: FloatArray, times: IntArray, columns: int, span_ns: int | None
) -> FloatArray:
    """Return the time average of the published rate over (t - span, t], ``[T, columns]``, per funding interval.

    The rate is a step function that holds from its publication to the next one:
    mean = c + (I(t) - I(t - span)) / span, I(t) = integral of (rate - c), c the first rate known (a constant rate then
    averages to itself, bit for bit).  NaN where the rate was not yet known at t - span, and everywhere where
    ``span_ns`` is None.  The rows of one column ascend in time.
    """
    # one column's times side by side
    mean = np.full((columns, len(times)), np.nan).T
    if span_ns is None:
        return mean
    # stable: within a column the rows stay in the order of time
    order = np.argsort(column, kind="stable")
    bounds = np.searchsorted(column[order], np.arange(columns + 1))
    for number in range(columns):
        of_column = order[bounds[number] : bounds[number + 1]]
        if len(of_column):
            mean[:, number] = _trailing_mean(t_ns[of_column], rate[of_column], times, span_ns)
    return mean


def _trailing_mean(t_ns: IntArray, rate: FloatArray, times: IntArray, span_ns: int) -> FloatArray:
    # integrated around the first rate, a constant rate averages to itself bit for bit
    excess = rate - rate[0]
    # cumsum is sequential, hence exact tier
    area = np.append(0.0, np.cumsum(excess[:-1] * np.diff(t_ns)))

    def integral(at_ns: IntArray) -> FloatArray:
        row = np.searchsorted(t_ns, at_ns, side="right") - 1
        value = area[row] + excess[row] * (at_ns - t_ns[row])
        return np.where(row >= 0, value, np.nan)

    mean: FloatArray = rate[0] + (integral(times) - integral(times - span_ns)) / span_ns
    return mean


def settled_mean(
    t_ns: IntArray,
    column: IntArray,
    rate: FloatArray,
    times: IntArray,
    interval_ns: IntArray,
    schedules: Schedules = NO_SCHEDULES,
) -> FloatArray:
    """Return the mean of the rates settled in (t - 8 h, t], ``[T, N]``; NaN unless half of those due came.

    ``interval_ns`` ``[N]`` is the time between settlements; for one of 0, and of eight hours or more, all is NaN.  A
    column in ``schedules`` has its settlement times there, from 8 h before ``times[0]`` on.  A
    constant rate averages to itself, bit for bit.  The rows of one column ascend in time.
    """
    mean = np.full((len(interval_ns), len(times)), np.nan).T
    order = np.argsort(column, kind="stable")
    bounds = np.searchsorted(column[order], np.arange(len(interval_ns) + 1))
    for number in np.flatnonzero((interval_ns > ACCRUAL_NS) & (interval_ns < MEAN_NS)).tolist():
        rows = order[bounds[number] : bounds[number + 1]]
        if len(rows):
            first, last = (np.searchsorted(t_ns[rows], at, side="right") for at in (times - MEAN_NS, times))
            count = last - first
            # around the first rate, as the trailing mean is
            sums = np.append(0.0, np.cumsum(rate[rows] - rate[rows[0]]))
            value = rate[rows[0]] + (sums[last] - sums[first]) / np.maximum(count, 1)
            enough = 2 * count * interval_ns[number] >= MEAN_NS
            if number in schedules:
                until, since = (np.searchsorted(schedules[number], at, side="right") for at in (times, times - MEAN_NS))
                enough = 2 * count >= until - since
            mean[:, number] = np.where(enough & (count > 0), value, np.nan)
    return mean


def funding_paid(
    t_ns: IntArray,
    column: IntArray,
    rate: FloatArray,
    times: IntArray,
    previous: int | None,
    first_ns: IntArray,
    interval_ns: IntArray,
    oldest_ns: int,
    schedules: Schedules = NO_SCHEDULES,
) -> FloatArray:
    """Return the sum of the rates settled in (t-1, t], ``[T, N]``: 0 where none was due, NaN where one is missing.

    A settlement is due at each multiple of ``interval_ns[n]`` (0: never) since 1970-01-01 if the instrument had been
    quoted before it: ``first_ns`` is the ``[N]`` stamp of its first quote.  A column in ``schedules`` has the times
    there instead, those in the span of the panel.  ``previous`` is the grid time
    before ``times[0]`` (None: nothing can have been held, nothing is due); settlements before ``oldest_ns`` were
    not read, so that a window which begins earlier is NaN where any was due.
    """
    before = np.append(times[0] if previous is None else previous, times[:-1])
    enters = np.searchsorted(times, t_ns, side="left")
    use = np.flatnonzero(enters < len(times))
    use = use[t_ns[use] > before[enters[use]]]
    paid = np.zeros((len(interval_ns), len(times))).T
    arrived = np.zeros_like(paid, dtype=np.int64)
    # one by one, in time order
    np.add.at(paid, (enters[use], column[use]), rate[use])
    np.add.at(arrived, (enters[use], column[use]), 1)

    paying = np.flatnonzero(interval_ns > 0)
    step = interval_ns[paying]
    latest = times[:, None] // step
    due = latest - before[:, None] // step
    last_due_ns = latest * step
    for place, number in enumerate(paying.tolist()):
        if number in schedules:
            due_ns = schedules[number]
            until = np.searchsorted(due_ns, times, side="right")
            due[:, place] = until - np.searchsorted(due_ns, before, side="right")
            last_due_ns[:, place] = np.append(-1, due_ns)[until]
    alive = first_ns[paying] < last_due_ns
    unread = (due > 0) & (before < oldest_ns)[:, None]
    missing = alive & ((arrived[:, paying] < due) | unread)
    paid[:, paying] = np.where(missing, np.nan, paid[:, paying])
    return paid
