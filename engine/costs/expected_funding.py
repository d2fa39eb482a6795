"""Expected funding over the planned life of a trade: signed, and not a cost.  [S3.5]"""

from __future__ import annotations

import numpy as np

from engine.market.view import PreparedPanel
from engine.records import CodeArray, FloatArray, IntArray
from engine.units import BPS


def settlements(times_ns: IntArray, interval_ns: IntArray, life_ns: int) -> IntArray:
    """Return how many settlements lie in ``(t, t + life]``, int64, in the shape the arguments broadcast to.

    Settlements are at multiples of ``interval_ns`` since 1970-01-01; an interval of 0 has none.  [S3.5]

    >>> hour = 3_600 * 10**9
    >>> settlements(np.array([0, hour, 8 * hour]), np.array([8 * hour]), 24 * hour).tolist()
    [3, 3, 3]
    """
    # 0 means that no funding is paid; the division needs another number, and its result is not used.
    step = np.maximum(interval_ns, 1)
    count = (times_ns + life_ns) // step - times_ns // step
    return np.where(interval_ns > 0, count, 0)


def expected_rate(view: PreparedPanel, column: int, life_ns: int) -> FloatArray:
    """Return phi, the funding a long is expected to pay over ``life_ns``, as a share of notional, ``[T]``.

    The rate in force x the number of settlements in (t, t + life]; NaN where the rate is not known.  [S2.C6, S3.5]
    """
    interval = view.panel.instruments.funding_interval_ns[view.panel.code[column]]
    count = settlements(view.panel.times_ns, np.asarray(interval), life_ns)
    # No settlement before the end: the rate, known or NaN, does not matter.
    return np.where(count == 0, 0.0, view.panel.funding_rate[:, column] * count)


def carry_bps(view: PreparedPanel, row: CodeArray, column: CodeArray, quantity: FloatArray, life_ns: int) -> FloatArray:
    """Return the expected funding of packages in bps of S, ``[M]``: + is received.

    ``-1e4 * sum_l q_l * phi_l * mid_l * money_l / S``: a short leg receives a positive rate.  Legs that pay no funding
    add nothing; an unknown rate or price makes the carry NaN.  ``row`` is ``[M]``; ``column`` and ``quantity`` are
    ``[M, L]`` with -1 and 0 where there is no leg.  [S3.5]
    """
    table, panel = view.panel.instruments, view.panel
    total = np.zeros(len(row))
    for leg in range(column.shape[1]):
        present = column[:, leg] >= 0
        at = (row, np.maximum(column[:, leg], 0))
        count = settlements(panel.times_ns[row], table.funding_interval_ns[panel.code[at[1]]], life_ns)
        notional = quantity[:, leg] * view.mid[at] * view.money[at] / view.spot_usd[row]
        paid = notional * panel.funding_rate[at] * count
        total -= np.where(present & (count > 0), paid, 0.0)
    return BPS * total
