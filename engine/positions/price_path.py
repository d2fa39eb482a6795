"""A package's prices along a block, and what it has earned at mids since it was entered.  [S4.7, risk.md 0.2]

Per unit of base notional, in USD, with q the signed quantity, E the price at entry and c the USD per unit of the
currency in which the leg's profit is paid:

    linear leg    q (P - E) c       c: USD per unit of the price currency (coin premium: the venue's index)
    inverse leg   n (1/E - 1/P) c = q (1 - E/P) c    n = q E contracts of 1 USD, c: the venue's index

The gross that a held package still has to converge is ``entry gross - 1e4 profit / S`` (S at the decision): one rule
for the seven, and exactly what is left to earn.  [docs/decisions/0030]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.market.view import PreparedPanel
from engine.positions.base import LegQuote
from engine.records import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PricePath:
    """The legs of one package along a block, ``[T, L]``; NaN where a leg has no usable quote.

    ``column`` is the panel column of each leg, -1 where the panel no longer holds it.  ``conversion`` is the USD per
    unit of profit currency; ``mark`` the venue's mark, else the mid; ``known_ns`` when it was knowable.
    """

    column: tuple[int, ...]
    inverse: tuple[bool, ...]
    mid: FloatArray
    conversion: FloatArray
    mark: FloatArray
    known_ns: IntArray


def price_path(view: PreparedPanel, legs: Sequence[LegQuote]) -> PricePath:
    """Return the path of ``legs`` on the block of ``view``."""
    panel, rows = view.panel, len(view.panel.times_ns)
    shape = (rows, len(legs))
    mid, conversion, mark = (np.full(shape, np.nan) for _ in range(3))
    known = np.zeros(shape, dtype=np.int64)
    columns = tuple(panel.column(leg.code) for leg in legs)
    inverse = tuple(bool(panel.instruments.inverse[leg.code]) for leg in legs)
    for at, column in enumerate(columns):
        if column < 0:
            continue
        mid[:, at] = view.mid[:, column]
        conversion[:, at] = profit_conversion(view, column)
        venue_mark = panel.mark[:, column]
        mark[:, at] = np.where(venue_mark > 0.0, venue_mark, view.mid[:, column])
        known[:, at] = panel.times_ns - panel.age_ns[:, column]
    mid = np.where(conversion > 0.0, mid, np.nan)
    return PricePath(columns, inverse, mid, conversion, mark, known)


def profit_conversion(view: PreparedPanel, column: int) -> FloatArray:
    """Return the USD per unit of the currency in which ``column`` pays its profit, ``[T]``.

    That of the price, but of an inverse instrument the coin: the venue's index, else the reference price.
    """
    if not view.panel.instruments.inverse[view.panel.code[column]]:
        return view.usd[:, column]
    index = view.panel.index[:, column]
    return np.where(index > 0.0, index, view.spot_usd)


def leg_profit(quantity: float, inverse: bool, entry: float, price: FloatArray, conversion: FloatArray) -> FloatArray:
    """Return the USD earned by one leg per unit of base notional since it was priced at ``entry``.

    >>> float(leg_profit(-1.0, False, 100.0, np.array([99.0]), np.array([1.0]))[0])
    1.0
    >>> float(leg_profit(1.0, True, 100.0, np.array([200.0]), np.array([200.0]))[0])
    100.0
    """
    coin = quantity * (1.0 - entry / price) if inverse else quantity * (price - entry)
    return coin * conversion


def package_profit(path: PricePath, legs: Sequence[LegQuote]) -> FloatArray:
    """Return the USD earned per unit of base notional since ``legs`` were priced, ``[T]``; NaN where a leg has none."""
    total = np.zeros(len(path.mid))
    for at, leg in enumerate(legs):
        total = total + leg_profit(leg.quantity, path.inverse[at], leg.mid, path.mid[:, at], path.conversion[:, at])
    return total


def all_quoted(path: PricePath) -> BoolArray:
    """Return where every leg can be priced, ``[T]``."""
    every: BoolArray = np.logical_and.reduce(np.isfinite(path.mid), axis=1)
    return every
