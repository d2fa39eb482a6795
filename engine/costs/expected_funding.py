"""Expected funding over the planned life of a trade: signed, and not a cost.  [S3.5, venues V3]

    settles at eight hours or more     the rate in force x the settlements in (t, t + life]
    settles more often                 the mean of the settlements of the last eight hours x the same number
    accrues                            what the venue says eight hours cost, else its trailing mean rate, x life / 8 h

A plan without funding rows, written before them, takes the rate in force for all that settles.
"""

from __future__ import annotations

import numpy as np

from engine.market.funding import RATE_NS, funding_terms
from engine.market.view import PreparedPanel
from engine.records import BoolArray, CodeArray, FloatArray, IntArray
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


def rate_at(view: PreparedPanel, row: CodeArray | IntArray, column: CodeArray | IntArray) -> FloatArray:
    """Return the rate that expected funding is computed with at cells (row, column), of their broadcast shape.

    Per settlement, or per eight hours where the instrument accrues; NaN where it is not known.
    """
    panel, terms = view.panel, funding_terms(view)
    said = panel.funding_8h[row, column]
    accrued = np.where(np.isnan(said), panel.funding_mean[row, column], said)
    settled = np.where(terms.averages[column], panel.settled_mean[row, column], panel.funding_rate[row, column])
    return np.where(terms.accrues[column], accrued, settled)


def count_at(view: PreparedPanel, row: CodeArray | IntArray, column: CodeArray | IntArray, life_ns: int) -> FloatArray:
    """Return how many times `rate_at` is expected to be paid in ``(t, t + life]`` at cells (row, column), float64.

    The number of settlements, or life / 8 h where the instrument accrues.
    """
    terms = funding_terms(view)
    due = settlements(view.panel.times_ns[row], terms.interval_ns[column], life_ns)
    return np.where(terms.accrues[column], life_ns / RATE_NS, due)


def expected_rate(view: PreparedPanel, column: int, life_ns: int) -> FloatArray:
    """Return phi, the funding a long is expected to pay over ``life_ns``, as a share of notional, ``[T]``.

    NaN where the rate is not known.  [S2.C6, S3.5]
    """
    rows, cell = np.arange(len(view.panel.times_ns)), np.array([column])
    count = count_at(view, rows, cell, life_ns)
    # No settlement before the end: the rate, known or NaN, does not matter.
    return np.where(count == 0, 0.0, rate_at(view, rows, cell) * count)


def lacks_rate(view: PreparedPanel, column: int, rows: slice = slice(None)) -> bool:
    """Return whether a perp that pays funding has no rate to expect on the block, or on some ``rows``."""
    # An interval of 0 pays no funding, so none is lacking.
    if not view.panel.instruments.funding_interval_ns[view.panel.code[column]] > 0:
        return False
    return bool(np.isnan(rate_at(view, np.arange(len(view.panel.times_ns))[rows], np.array([column]))).all())


def without_funding(view: PreparedPanel) -> BoolArray:
    """Return which columns pay funding and have no rate to expect anywhere on the block, ``[N]``."""
    pays = view.panel.instruments.funding_interval_ns[view.panel.code] > 0
    lacking: BoolArray = np.array([bool(pays[c]) and lacks_rate(view, c) for c in range(len(pays))], dtype=np.bool_)
    return lacking


def carry_bps(view: PreparedPanel, row: CodeArray, column: CodeArray, quantity: FloatArray, life_ns: int) -> FloatArray:
    """Return the expected funding of packages in bps of S, ``[M]``: + is received.

    ``-1e4 * sum_l q_l * phi_l * mid_l * money_l / S``: a short leg receives a positive rate.  Legs that pay no funding
    add nothing; an unknown rate or price makes the carry NaN.  ``row`` is ``[M]``; ``column`` and ``quantity`` are
    ``[M, L]`` with -1 and 0 where there is no leg.  [S3.5]
    """
    total = np.zeros(len(row))
    for leg in range(column.shape[1]):
        present = column[:, leg] >= 0
        at = (row, np.maximum(column[:, leg], 0))
        count = count_at(view, *at, life_ns)
        notional = quantity[:, leg] * view.mid[at] * view.money[at] / view.spot_usd[row]
        paid = notional * rate_at(view, *at) * count
        total -= np.where(present & (count > 0), paid, 0.0)
    return BPS * total
