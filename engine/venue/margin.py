"""Margin: requirements and account values.  [risk.md 6]

Quanta are integers; a rule that a venue states with real numbers takes Fractions and returns the exact value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

import numpy as np

from engine.errors import DataError
from engine.venue.base import Brackets
from engine.venue.integers import PPM, Ints, div_ceil, div_trunc, mul_div_ceil, product, split


@dataclass(frozen=True, slots=True)
class FlatMarket:
    """One market of a flat-ratio venue; a price is ``price x 10^exponent`` quote per base unit.  [risk.md 6.2, dYdX]"""

    price: int
    exponent: int
    base_resolution: int
    initial_ppm: int
    maintenance_fraction_ppm: int
    quote_resolution: int = -6


def notional(size: int, market: FlatMarket) -> int:
    """Return the signed notional in quote quanta, truncated toward zero.  [risk.md 6.2]"""
    power = market.exponent + market.base_resolution - market.quote_resolution
    value = size * market.price
    return value * 10**power if power >= 0 else div_trunc(value, 10**-power)


def flat_requirements(size: int, market: FlatMarket, oi: int = 0, lower: int = 0, upper: int = 0) -> tuple[int, int]:
    """Return (IM, MM) in quote quanta: ``ceil(N IMF)``, and ``ceil(base IM x fraction)``.  [risk.md 6.2]

    Open interest scales the initial rate only: growing open interest blocks new risk without liquidating old risk.
    """
    value = abs(notional(size, market))
    initial = initial_quanta(value, adjusted_initial_ppm(market.initial_ppm, oi, lower, upper))
    return initial, div_ceil(initial_quanta(value, market.initial_ppm) * market.maintenance_fraction_ppm, PPM)


def initial_quanta(value: int, initial_ppm: int) -> int:
    """Return ``ceil(N x rate)``."""
    return div_ceil(value * initial_ppm, PPM)


def adjusted_initial_ppm(base_ppm: int, oi: int, lower: int, upper: int) -> int:
    """Return the initial rate scaled by open interest: from the base at ``lower`` to 100% at ``upper``.  [6.2, dYdX]

    Floor in ppm (the ceil in quanta comes after it).  ``upper`` 0 switches it off.  Raises `DataError` if the bounds
    are not ordered.
    """
    if upper and lower > upper:
        raise DataError(f"expected open-interest bounds lower <= upper, was {lower} > {upper}")
    if upper == 0 or oi <= lower:
        return base_ppm
    return PPM if oi >= upper else base_ppm + (PPM - base_ppm) * (oi - lower) // (upper - lower)


def deductions(lower: Sequence[Fraction], rates: Sequence[Fraction]) -> list[Fraction]:
    """Return ``c_j = c_(j-1) + L_j (m_j - m_(j-1))``: the one choice that makes MM continuous.  [risk.md 6.3]

    Raises `DataError` where the table does not start at 0, is not increasing, or its rates fall.
    """
    if not lower or lower[0] != 0 or len(lower) != len(rates):
        raise DataError("brackets: expected one rate for each lower bound, the first bound 0; was " + str(list(lower)))
    amounts = [Fraction(0)]
    for j in range(1, len(lower)):
        if lower[j] <= lower[j - 1]:
            raise DataError(f"brackets: expected increasing bounds, was {lower[j]} after {lower[j - 1]} (rank {j + 1})")
        if rates[j] < rates[j - 1]:
            raise DataError(
                f"brackets: expected rates that do not fall, was {rates[j]} after {rates[j - 1]} (rank {j + 1})"
            )
        amounts.append(amounts[-1] + lower[j] * (rates[j] - rates[j - 1]))
    return amounts


def check_continuous(rows: Sequence[tuple[int, int]], where: str) -> None:
    """Raise `DataError` unless bracket k's upper bound is bracket k+1's lower one and the first starts at 0.

    ``rows`` are (lower, upper) in rank order; the error names the table ``where``, the rank and both bounds.
    """
    for rank, (low, high) in enumerate(rows, 1):
        expected = rows[rank - 2][1] if rank > 1 else 0
        if low != expected:
            raise DataError(f"{where}: bracket {rank}: expected lower bound {expected}, was {low}: close the gap")
        if high <= low:
            raise DataError(f"{where}: bracket {rank}: expected upper > lower, was {high} <= {low}")


def bracket_of(value: Fraction, lower: Sequence[Fraction]) -> int:
    """Return the index of the bracket of a notional; the lower bracket owns a boundary.  [risk.md 6.3]"""
    return max(0, sum(value > bound for bound in lower) - 1)


def bracket_maintenance(value: Fraction, lower: Sequence[Fraction], rates: Sequence[Fraction]) -> Fraction:
    """Return ``MM(N) = m_j N - c_j``, exact.  Errors as `deductions`."""
    amounts = deductions(lower, rates)
    j = bracket_of(value, lower)
    return rates[j] * value - amounts[j]


def maintenance_of_leverage(max_leverage: int) -> Fraction:
    """Return ``1 / (2 x maxLeverage)``, whatever leverage is chosen.  [risk.md 6.3, Hyperliquid]"""
    return Fraction(1, 2 * max_leverage)


def size_linear_rate(base: Fraction, slope: Fraction, size: Fraction) -> Fraction:
    """Return ``i_0 + k |s|``: margin is quadratic in size, so splitting lowers it.  [risk.md 6.4, Deribit]"""
    return base + slope * abs(size)


def size_premium_ratio(ratio: int, size: int, imf: int) -> int:
    """Return Drift's margin ratio in 1e-4: ``max(w, w - w/5 + isqrt(10 |s| + 1) imf / 10^7)``.  [risk.md 6.5]

    ``size`` in 1e-9 base.
    """
    return ratio if imf == 0 else max(ratio, ratio - ratio // 5 + isqrt(10 * abs(size) + 1) * imf // 10**7)


def premium_requirement(size: int, oracle: int, ratio: int) -> int:
    """Return Drift's requirement in 1e-6 quote: notional truncated, then ``x ratio / 1e4`` truncated.  [6.5]

    ``size`` in 1e-9 base, ``oracle`` in 1e-6.
    """
    return abs(size) * oracle // 10**9 * ratio // 10**4


def profit_weight(profit: int, weight: int, imf: int) -> int:
    """Return the weight, in 1e-4, at which unrealised profit counts in *initial* margin.  [risk.md 6.5, Drift]

    ``profit`` in 1e-6 quote; a loss counts in full.
    """
    if profit <= 0 or imf == 0:
        return weight if profit > 0 else 10**4
    return min(weight, 1_100_000 * 10**4 // (10**6 + isqrt(10**4 * profit + 1) * imf // 10**5))


def skew_requirements(
    size: Fraction, skew_scale: Fraction, fraction: Fraction, minimum: Fraction, scalar: Fraction, price: Fraction
) -> tuple[Fraction, Fraction, Fraction]:
    """Return (initial ratio, IM, MM): the ratio grows with size over skew scale.  [risk.md 6.6, Synthetix]"""
    ratio = abs(size) / skew_scale * fraction + minimum
    initial = abs(size) * price * ratio
    return ratio, initial, initial * scalar


def short_call_requirements(mark: Fraction, out_of_money: Fraction) -> tuple[Fraction, Fraction]:
    """Return (IM, MM) in coin a contract of a short call; ``out_of_money`` is OTM / U.  [risk.md 6.7, Deribit, D3]"""
    return max(Fraction(15, 100) - out_of_money, Fraction(1, 10)) + mark, Fraction(75, 1000) + mark


def collateral_value(quantity: Fraction, price: Fraction, haircut: Fraction, cap: Fraction | None = None) -> Fraction:
    """Return what one collateral asset counts: deposits x (1 - h), borrows x (1 + h), at most ``cap``.  [6.1]"""
    worth = quantity * price * (1 - haircut if quantity >= 0 else 1 + haircut)
    return worth if cap is None else min(worth, cap)


def may_transfer_out(
    value: Fraction, amount: Fraction, initial: Fraction, notionals: Fraction, share: Fraction
) -> bool:
    """Return whether ``V - x >= max(sum IM, share x sum N)``.  [risk.md 6.8, Hyperliquid's written rule: 10%]"""
    return value - amount >= max(initial, share * notionals)


# -- many accounts -------------------------------------------------------------------------------------------------


def requirements(value: Ints, brackets: Brackets, rates_ppm: Sequence[int]) -> Ints:
    """Return ``ceil(requirement)`` in quanta of notionals ``value`` >= 0 [accounts], continuous over brackets.

    ``rates_ppm`` are the brackets' maintenance or initial rates.  Exact in int64: the notional above the bound is split
    in whole millions and rest.  Raises `DataError` where a product would pass 2^63.
    """
    if len(brackets.lower_quanta) == 1:
        return mul_div_ceil(value, rates_ppm[0], PPM, "margin")
    lower: Ints = np.array(brackets.lower_quanta, dtype=np.int64)
    rates: Ints = np.array(rates_ppm, dtype=np.int64)
    base = [0]  # requirement at each lower bound, in ppm of quanta
    for j in range(1, len(lower)):
        base.append(base[-1] + rates_ppm[j - 1] * (brackets.lower_quanta[j] - brackets.lower_quanta[j - 1]))
    # left: a notional on a bound belongs to the bracket below it.  [risk.md 6.3]
    index = np.maximum(np.searchsorted(lower, value, side="left") - 1, 0)
    whole, rest = split(value - lower[index], PPM)
    product(whole, max(rates_ppm), "margin")  # checks the bound
    base_whole: Ints = np.array([b // PPM for b in base], dtype=np.int64)[index]
    base_rest: Ints = np.array([b % PPM for b in base], dtype=np.int64)[index]
    rate = rates[index]
    # Both rests are rounded up together: twice could add a quantum.
    partial: Ints = -((-base_rest - rest * rate) // np.int64(PPM))
    return base_whole + whole * rate + partial


def requirement(value: int, brackets: Brackets, rates_ppm: Sequence[int]) -> int:
    """Return the requirement of one notional >= 0 in quanta, rounded up: the scalar twin of `requirements`."""
    total, lower = 0, brackets.lower_quanta
    for j, rate in enumerate(rates_ppm):
        upper = lower[j + 1] if j + 1 < len(lower) else value
        total += max(0, min(value, upper) - lower[j]) * rate
    return div_ceil(total, PPM)


def bracket_index(value: int, brackets: Brackets) -> int:
    """Return the index of the bracket of a notional in quanta; the lower bracket owns a boundary.  [risk.md 6.3]"""
    return max(0, bisect_left(brackets.lower_quanta, value) - 1)


def position_values(size: Ints, price_ticks: int, quanta_per_lot_tick: int) -> Ints:
    """Return signed values in quanta of positions [accounts], with no rounding.  Raises `DataError` past 2^63."""
    return product(size, price_ticks * quanta_per_lot_tick, "position value")
