"""The profit of a package at the touch: sold at the bid, bought at the ask, before fees.  [interface "cme detect"]"""

from __future__ import annotations

import numpy as np

from engine.market.view import PreparedPanel
from engine.records import FloatArray, IntArray, Packages
from engine.units import BPS


def touch_bps(view: PreparedPanel, packages: Packages, rows: IntArray) -> FloatArray:
    """Return the gross of the packages ``rows`` with each leg at its bid or ask in place of its mid, ``[M]`` bps of S.

    ``gross - sum over legs of |quantity| half-spread / S``: the half-spread once a leg, nothing for leaving the
    position.  First order where a price divides, as a future does in coin parity: exact to the square of its
    half-spread over its price.  NaN where a leg has no spread: a bar or a mark is no touch.
    """
    column = packages.column[rows]
    present, row = column >= 0, packages.row[rows][:, None]
    half_usd = view.half_spread[row, column] * view.money[row, column]
    # Whole array at once, so that an absent leg reads column -1, which means nothing, and adds nothing.
    given_up = np.where(present, np.abs(packages.quantity[rows]) * half_usd, 0.0)
    total = np.zeros(len(rows))
    # Leg by leg: the order of the sum is that of the rule, on every machine.
    for leg in range(given_up.shape[1]):
        total += given_up[:, leg]
    touch: FloatArray = packages.gross_bps[rows] - BPS * total / view.spot_usd[packages.row[rows]]
    return touch
