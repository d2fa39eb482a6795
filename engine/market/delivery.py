"""Averages a venue's index over its window before an expiry: the settlement price where none is stored.  [venues V2]"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Final

import numpy as np

from engine.convention_rows import DeliveryRule
from engine.market.dated_rows import fitting_rows, once_a_contract, row_in_force
from engine.records import FloatArray, Instruments, IntArray
from engine.units import NEVER_NS, NS_PER_DAY

LEAST_READINGS: Final = 5
LEAST_SPREAD: Final = (2, 3)
"""The readings must span at least this share of the window, as numerator and denominator."""


def averaging_ns(rules: Sequence[DeliveryRule], instruments: Instruments, code: int) -> int:
    """Return the length of the averaging window that ends at the expiry of instrument ``code``, by the row of that day.

    0 where it does not expire or no row is in force.
    """
    expiry_ns = int(instruments.expiry_ns[code])
    if expiry_ns == NEVER_NS:
        return 0
    day = str(np.datetime64(expiry_ns // NS_PER_DAY, "D"))
    rule = row_in_force(fitting_rows(rules, instruments, code), day)
    return 0 if rule is None else rule.average_ns


def averaging_windows(rules: Sequence[DeliveryRule], instruments: Instruments) -> IntArray:
    """Return `averaging_ns` of every instrument, ``[codes]``."""
    windows = np.zeros(len(instruments), dtype=np.int64)
    if rules:
        expires = np.flatnonzero(instruments.expiry_ns != NEVER_NS).astype(np.int32)
        windows[expires] = once_a_contract(lambda c: averaging_ns(rules, instruments, c), rules, instruments, expires)
    return windows


def index_mean(t_ns: IntArray, index: FloatArray, expiry_ns: int, window_ns: int) -> float:
    """Return the mean of the readings ``index [n]`` of times ``t_ns [n]`` in ``(expiry - window, expiry]``.

    Readings of one time (instruments of one venue) count once, as their mean.  NaN unless at least five times are
    known, the first and the last of them at least two thirds of the window apart.  Values that are NaN or not positive
    are no readings; the order of the rows does not matter.

    >>> minute = 60 * 10**9
    >>> times = np.array([5, 10, 15, 20, 25, 30]) * minute
    >>> index_mean(times, np.array([99.0, 99.0, 100.0, 100.0, 101.0, 101.0]), 30 * minute, 30 * minute)
    100.0
    """
    inside = (t_ns > expiry_ns - window_ns) & (t_ns <= expiry_ns) & (index > 0.0)
    times, values = t_ns[inside], index[inside]
    order = np.argsort(times, kind="stable")
    readings, first = np.unique(times[order], return_index=True)
    spread, (numerator, denominator) = int(np.ptp(readings)) if len(readings) else 0, LEAST_SPREAD
    if len(readings) < LEAST_READINGS or spread * denominator < window_ns * numerator:
        return float("nan")
    # Summed exactly, so that the order of instruments is of no effect.
    means = [fsum(part.tolist()) / len(part) for part in np.split(values[order], first[1:])]
    return fsum(means) / len(means)
