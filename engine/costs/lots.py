"""The largest size at which every leg of a package is a whole number of lots.  [S4.3, venues V4]

The size X runs down over the multiples at which the leg with the largest lot / |weight| is a whole number of lots,
starting at the largest not above the given one.  The first X at which every other leg, rounded to its nearest lot,
differs from |w| X by at most 1% of |w| X is taken; if there is none the package cannot be traded.

Amounts are counted in millionths of a lot, as whole numbers, from there on: no rounding of a float decides.  A half of
a lot is rounded up.  A leg of fifty lots always fits, so that the search ends after fifty steps at most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from engine.costs.base import LegTerms
from engine.records import BoolArray, FloatArray, IntArray

PARTS: Final = 1_000_000
"""Parts of a lot in which amounts are counted."""
ALLOWED: Final = 100
"""A leg may differ from its weight by one part in so many."""


@dataclass(frozen=True, slots=True)
class WholeLots:
    """Packages at the size at which they can be traded: M of them, ``[M]`` or ``[M, L]``.

    ``terms`` have the quantities and sizes of whole lots where the package ``fits``, else those that were given.
    ``count`` is the number of lots of each leg, unsigned; 0 where it does not fit, has no leg, or lots are not known.
    """

    terms: LegTerms
    count: IntArray
    fits: BoolArray


def in_whole_lots(terms: LegTerms) -> WholeLots:
    """Return M packages at the largest size not above ``terms.size_usd`` at which their legs are whole lots.

    A plan that registers no lots trades every size: its ``terms`` come back, and all of them fit.  A package of which
    a quote or the reference price is not known fits nothing.
    """
    if not terms.params.lots:
        return WholeLots(terms, np.zeros(terms.quantity.shape, dtype=np.int64), np.ones(len(terms.size_usd), np.bool_))
    with np.errstate(divide="ignore", invalid="ignore"):
        # Base units of the package for which a leg is one lot.
        step = np.where(terms.present, terms.lot / np.abs(terms.quantity), 0.0)
    coarsest = step.max(axis=1, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(terms.present, coarsest[:, None] / step, 0.0)
        most = terms.size_usd / terms.spot_usd / coarsest
    multiple, count, fits = search(ratio, most)
    units = multiple * coarsest
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(terms.present, np.copysign(count * terms.lot / units[:, None], terms.quantity), 0.0)
        share = np.where(terms.present, exact / terms.quantity, 0.0)
    traded = replace(
        terms,
        quantity=np.where(fits[:, None], exact, terms.quantity),
        weight=np.where(fits[:, None], terms.weight * share, terms.weight),
        size_usd=np.where(fits, units * terms.spot_usd, terms.size_usd),
    )
    return WholeLots(traded, count, fits)


def search(ratio: FloatArray, most: FloatArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Return the multiple of the coarsest leg, ``[M]``, the lots of each leg, ``[M, L]``, and whether there is one.

    ``ratio [M, L]`` is how many lots a leg has where the coarsest leg has one: 1 for that leg, more for others, 0 where
    there is none.  ``most [M]`` is the largest multiple, not whole.  NaN in either: no multiple.

    Wings of a third and two thirds around a belly, at most 3.5 lots of the first wing:

    >>> multiple, count, fits = search(np.array([[1.0, 3.0, 2.0], [1.0, 1.5, 0.0]]), np.array([3.5, 1.9]))
    >>> multiple.tolist(), count.tolist(), fits.tolist()
    ([3, 0], [[3, 9, 6], [0, 0, 0]], [True, False])
    """
    known = np.isfinite(most) & np.isfinite(ratio).all(axis=1)
    left = np.where(known, np.rint(np.where(known, most, 0.0) * PARTS), 0.0).astype(np.int64) // PARTS
    multiple = np.zeros(len(most), dtype=np.int64)
    count = np.zeros(ratio.shape, dtype=np.int64)
    while True:
        rows = np.flatnonzero(left > 0)
        if not len(rows):
            return multiple, count, multiple > 0
        parts = np.rint(left[rows, None] * ratio[rows] * PARTS).astype(np.int64)
        lots = (parts + PARTS // 2) // PARTS
        fit = (np.abs(lots * PARTS - parts) * ALLOWED <= parts).all(axis=1)
        found = rows[fit]
        multiple[found], count[found] = left[found], lots[fit]
        left[rows] -= 1
        left[found] = 0
