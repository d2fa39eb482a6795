"""The three dollars of a block, each in units of one of them.  [S1.6, venues V1]

USD, USDC and USDT are three currencies.  The capital is in USDC, so every amount of the engine is in USDC; its names
say ``usd`` for short.  A contract whose price is in one dollar and whose money is another is a quanto: a gain of one
unit of its price is paid as one unit of its money, without conversion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.params import Dollars
from engine.records import FloatArray, Instruments, Panel

DOLLARS: Final = ("USD", "USDC", "USDT")
OWN: Final = "USDC"
"""The currency that the capital is held in."""


@dataclass(frozen=True, slots=True)
class DollarRates:
    """What the dollars are worth at each grid time, ``[T]``; NaN where the pair has no usable quote."""

    usd: FloatArray  # USDC per USD: 1 where USD counts as USDC
    usdt: FloatArray  # USDC per USDT: the inverse of the mid of USDC/USDT
    usdt_per_usdc: FloatArray  # that mid, which the peg guard reads

    def of(self, currency: str) -> FloatArray:
        """Return USDC per unit of ``currency``, ``[T]``; NaN for what is no dollar."""
        if currency == OWN:
            return np.ones(len(self.usd))
        return {"USD": self.usd, "USDT": self.usdt}.get(currency, np.full(len(self.usd), np.nan))

    def at(self, rows: slice) -> DollarRates:
        """Return the rates of some grid times."""
        return DollarRates(self.usd[rows], self.usdt[rows], self.usdt_per_usdc[rows])


def dollar_rates(panel: Panel, dollars: Dollars, mid_of: Callable[[int], FloatArray]) -> DollarRates:
    """Return the rates at the grid times of ``panel``, from its spot pairs of dollars; ``mid_of(column)`` is ``[T]``.

    USD is worth 1 USDC where the plan says so, else what its pair with USDC says, else that with USDT.
    """
    rows, table = len(panel.times_ns), panel.instruments

    def mid(name: str) -> FloatArray:
        column = panel.column(table.code_of(name))
        return mid_of(column) if column >= 0 else np.full(rows, np.nan)

    pair = mid(dollars.usdc_usdt)
    usdt = 1.0 / pair
    if dollars.usd_is == OWN:
        usd = np.ones(rows)
    elif dollars.usdc_usd:
        usd = 1.0 / mid(dollars.usdc_usd)
    else:
        usd = usdt / mid(dollars.usdt_usd)
    return DollarRates(usd, usdt, pair)


def index_dollar(instruments: Instruments, code: int) -> str:
    """Return the dollar of an instrument's index and settlement price: that of its price; USD for a price in coin."""
    return instruments.quote[code] if instruments.quote[code] in DOLLARS else "USD"


def is_quanto(instruments: Instruments, code: int) -> bool:
    """Return whether an instrument is priced in one dollar and paid in another."""
    quote, settle = instruments.quote[code], instruments.settle[code]
    return quote != settle and quote in DOLLARS and settle in DOLLARS


def paid_conversion(panel: Panel, usd: FloatArray, rates: DollarRates) -> FloatArray:
    """Return USDC per unit of price as it is paid, ``[T, N]``: ``usd``, but for a quanto that of its money."""
    codes: list[int] = panel.code.tolist()
    quantos = [n for n, code in enumerate(codes) if is_quanto(panel.instruments, code)]
    if not quantos:
        return usd
    money = usd.copy(order="K")
    for n in quantos:
        money[:, n] = rates.of(panel.instruments.settle[codes[n]])
    return money
