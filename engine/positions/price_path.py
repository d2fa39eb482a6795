"""The prices of a package along a block, and its profit at mids since entry.  [S4.7, risk.md 0.2]

The USDC per unit of the currency in which a leg's profit is paid is that of its price currency (for a premium in coin
the venue's index), of a quanto that of its settlement currency, and of an inverse leg the venue's index.
`engine.positions.formulas` has the formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.market.view import PreparedPanel
from engine.positions.base import LegQuote
from engine.positions.formulas import leg_profit
from engine.records import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PricePath:
    """The legs of one package along a block of T rows; L legs."""

    column: tuple[int, ...]  # panel column of each leg, -1 if the panel does not hold it
    inverse: tuple[bool, ...]
    mid: FloatArray  # [T, L] in the price currency, NaN where the leg has no usable quote
    conversion: FloatArray  # [T, L] USD per unit of profit currency
    mark: FloatArray  # [T, L] the venue's mark, else the mid
    known_ns: IntArray  # [T, L] knowable time of mid and mark


def price_path(view: PreparedPanel, legs: Sequence[LegQuote]) -> PricePath:
    """Return the prices of ``legs`` on the block of ``view``."""
    panel, rows = view.panel, len(view.panel.times_ns)
    shape = (rows, len(legs))
    mid, conversion, mark = (np.full(shape, np.nan) for _ in range(3))
    known = np.zeros(shape, dtype=np.int64)
    columns = tuple(panel.column(leg.code) for leg in legs)
    inverse = tuple(bool(panel.instruments.inverse[leg.code]) for leg in legs)
    for leg, column in enumerate(columns):
        if column < 0:
            continue
        mid[:, leg] = view.mid[:, column]
        conversion[:, leg] = profit_conversion(view, column)
        venue_mark = panel.mark[:, column]
        mark[:, leg] = np.where(venue_mark > 0.0, venue_mark, view.mid[:, column])
        known[:, leg] = panel.times_ns - panel.age_ns[:, column]
    # A leg whose profit cannot be converted cannot be priced: it counts as not quoted.
    mid = np.where(conversion > 0.0, mid, np.nan)
    return PricePath(columns, inverse, mid, conversion, mark, known)


def profit_conversion(view: PreparedPanel, column: int) -> FloatArray:
    """Return the USD per unit of the currency in which panel column ``column`` pays its profit, ``[T]``.

    This is the price currency, or the settlement currency of a quanto; for an inverse instrument it is the coin, at the
    venue's index, which is in USD, else the reference price.  NaN or 0 where neither is known.
    """
    if not view.panel.instruments.inverse[view.panel.code[column]]:
        return view.money[:, column]
    index = view.panel.index[:, column] * view.dollars.usd
    return np.where(index > 0.0, index, view.spot_usd)


def package_profit(path: PricePath, legs: Sequence[LegQuote]) -> FloatArray:
    """Return the profit since ``legs`` were priced, USD per unit of base notional, ``[T]``.

    NaN where a leg has no usable quote.
    """
    total = np.zeros(len(path.mid))
    for number, leg in enumerate(legs):
        mid, conversion = path.mid[:, number], path.conversion[:, number]
        # In the order of the legs, as `engine.repricing` adds them: another order could round otherwise.
        total = total + leg_profit(leg.quantity, path.inverse[number], leg.mid, mid, conversion)
    return total


def all_quoted(path: PricePath) -> BoolArray:
    """Return the rows at which every leg has a usable quote, ``[T]``."""
    every: BoolArray = np.logical_and.reduce(np.isfinite(path.mid), axis=1)
    return every
