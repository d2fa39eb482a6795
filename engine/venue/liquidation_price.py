"""Liquidation and bankruptcy prices.  [risk.md 7.2, 7.3]

All are exact rationals.  A liquidation price freezes other instruments at current prices: it is *not* the price at
which a correlated portfolio is liquidated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from engine.errors import DataError
from engine.venue.margin import FlatMarket, bracket_of, deductions, flat_requirements, notional


def linear(
    size: Fraction, price: Fraction, value: Fraction, rate: Fraction, deduction: Fraction, other: Fraction
) -> Fraction | None:
    """Return ``p* = (V - s P - MM_o + c) / (|s| m - s)``, None where a long has no such price.  [risk.md 7.2]

    ``size`` signed, ``value`` at current prices, ``other`` the other positions' requirement, (rate, deduction) of the
    bracket.  Raises `DataError` for no position or a rate outside [0, 1).
    """
    if size == 0 or not 0 <= rate < 1:
        raise DataError(f"expected a position and a rate in [0, 1), was size {size}, rate {rate}")
    result = (value - size * price - other + deduction) / (abs(size) * rate - size)
    # At a price of 0 or less a long is covered down to nothing.
    return result if result > 0 else None


def linear_in_brackets(
    size: Fraction,
    price: Fraction,
    value: Fraction,
    lower: Sequence[Fraction],
    rates: Sequence[Fraction],
    other: Fraction = Fraction(0),
) -> Fraction | None:
    """Return `linear` of the bracket that holds ``|s| p*``: unique by continuity and rates under 1.  [risk.md 7.2]"""
    for j, deduction in enumerate(deductions(lower, rates)):
        result = linear(size, price, value, rates[j], deduction, other)
        if result is not None and bracket_of(abs(size) * result, lower) == j:
            return result
    return None


@dataclass(frozen=True, slots=True)
class OtherPosition:
    """Another position of a cross account: requirement ``size x mark x rate - deduction``, profit from entry."""

    size: Fraction  # signed
    entry: Fraction
    mark: Fraction
    rate: Fraction
    deduction: Fraction


def from_wallet(
    wallet: Fraction,
    size: Fraction,
    entry: Fraction,
    rate: Fraction,
    deduction: Fraction,
    others: Sequence[OtherPosition] = (),
) -> Fraction | None:
    """Return the liquidation price from wallet balance and entry, Binance's form.  [risk.md 7.2]

    ``(WB - TMM_o + UPNL_o + cum - s E) / (|s| m - s)``, which is `linear` with P = E.
    """
    profit = sum((o.size * (o.mark - o.entry) for o in others), Fraction(0))
    required = sum((abs(o.size) * o.mark * o.rate - o.deduction for o in others), Fraction(0))
    return linear(size, entry, wallet + profit, rate, deduction, required)


def from_available_margin(
    price: Fraction, size: Fraction, value: Fraction, max_leverage: int, other: Fraction = Fraction(0)
) -> Fraction:
    """Return ``P - side a / (|s| (1 - l side))``, l = 1 / (2 maxLeverage).  [risk.md 7.2, Hyperliquid]

    ``a = value - l |s| P - other`` is the margin above maintenance; of an isolated position ``value`` is its margin.
    """
    side, rate = (1 if size > 0 else -1), Fraction(1, 2 * max_leverage)
    available = value - rate * abs(size) * price - other
    return price - side * available / (abs(size) * (1 - rate * side))


def on_entry_notional(entry: Fraction, leverage: Fraction, rate: Fraction, side: int) -> Fraction:
    """Return ``E (1 - side / L + side m)``: maintenance is of the entry notional.  [risk.md 7.2, Bybit]"""
    return entry * (1 - side / leverage + side * rate)


def with_closing_fee(
    entry: Fraction, wallet: Fraction, size: Fraction, rate: Fraction, fee: Fraction, side: int
) -> Fraction:
    """Return ``(E - side W / |s|) / (1 - side (m + fee))``: the closing fee is reserved.  [7.2, Gate, OKX]"""
    return (entry - side * wallet / abs(size)) / (1 - side * (rate + fee))


def inverse(contracts: Fraction, wallet: Fraction, entry: Fraction, rate: Fraction, side: int) -> Fraction | None:
    """Return the liquidation price of an inverse position, n unsigned; None where a short has none.  [risk.md 7.2]"""
    if side > 0:
        return contracts * (1 + rate) / (wallet + contracts / entry)
    margin = contracts / entry - wallet
    return contracts * (1 - rate) / margin if margin > 0 else None


def linear_bankruptcy(wallet: Fraction, size: Fraction, entry: Fraction) -> Fraction:
    """Return ``E - W / s``: the price at which a single linear position is worth nothing.  [risk.md 7.3]"""
    return entry - wallet / size


def inverse_bankruptcy(contracts: Fraction, wallet: Fraction, entry: Fraction) -> Fraction:
    """Return ``n / (W + n / E)`` of a long inverse position.  [risk.md 7.3]"""
    return contracts / (wallet + contracts / entry)


# -- a cross account of flat-ratio markets [dYdX] ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CrossAccount:
    """Quote balance in quanta, and (size in base quanta, market) of each position."""

    quote: int
    positions: tuple[tuple[int, FlatMarket], ...]

    def value(self) -> int:
        """Account value in quanta: quote balance + truncated notionals."""
        return self.quote + sum(notional(size, market) for size, market in self.positions)

    def requirements(self) -> tuple[int, int]:
        """(IM, MM) in quanta: requirements of positions add."""
        pairs = [flat_requirements(size, market) for size, market in self.positions]
        return sum(p[0] for p in pairs), sum(p[1] for p in pairs)


def bankruptcy_quote(account: CrossAccount, index: int, delta: int) -> int:
    """Return what closing ``delta`` of position ``index`` must at least bring, in quanta.  [risk.md 7.3, dYdX]

    ``-dNotional - floor(V |dMM| / MM)``: positive is the minimum proceeds of a sale, negative the maximum cost of a
    purchase.  The account's value is allocated in proportion to the maintenance margin released; rounding is against
    the account.  Raises `DataError` for a delta of 0, of the wrong sign, or larger than the position.
    """
    size, market = account.positions[index]
    if delta == 0 or delta * size >= 0 or abs(delta) > abs(size):
        raise DataError(f"expected a delta that reduces a position of {size}, was {delta}")
    change = notional(size + delta, market) - notional(size, market)
    released = abs(flat_requirements(size + delta, market)[1] - flat_requirements(size, market)[1])
    maintenance = account.requirements()[1]
    return -change - allocated_value(account.value(), released, maintenance)


def allocated_value(value: int, released: int, maintenance: int) -> int:
    """Return ``floor(V x released / MM)``, the share of an account's value that a partial close takes with it.

    Raises `DataError` if ``maintenance`` is not positive: the account has no position.
    """
    if maintenance <= 0:
        raise DataError(f"expected a maintenance requirement > 0, was {maintenance}: the account has no position")
    return value * released // maintenance
