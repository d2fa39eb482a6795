"""The arithmetic of a position, once: called with numbers for one leg, with arrays for many.  [S4.5-S4.7, risk.md 0.2]

`engine.positions` calls these functions leg by leg, `engine.repricing` with whole columns; array arguments broadcast
against each other, and each element is bit for bit the result for its numbers.  NaN stays NaN and meets no exit rule.
Quantities q are signed base units, an inverse leg being n = q E contracts of 1 USD with E its price at entry.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any, Literal, TypeVar

import numpy as np

from engine.costs.borrow import started_hours
from engine.params import Params
from engine.records import BoolArray, FloatArray, IntArray
from engine.units import BPS, MICRO, NS_PER_HOUR, NS_PER_YEAR, micro_usd

FundingPrice = Literal["index", "mark", "close", "entry"]
"""The price that a settlement is paid on; all but the venue's own are substitutes."""
Value = TypeVar("Value", float, FloatArray)
Numbers = float | FloatArray
Flag = bool | BoolArray


def leg_profit(quantity: Numbers, inverse: Flag, entry: Numbers, price: Value, conversion: Value) -> Value:
    """Return the profit of a leg since it was priced at ``entry``, USD per unit of base notional.

    Linear: q (P - E) c; inverse: n (1/E - 1/P) c = q (1 - E/P) c, with c = ``conversion`` the USD per unit of the
    currency in which the profit is paid.

    >>> leg_profit(-1.0, False, 100.0, 99.0, 1.0), leg_profit(1.0, True, 100.0, 200.0, 200.0)
    (1.0, 100.0)
    """
    profit: Value = _by_kind(inverse, lambda: quantity * (1.0 - entry / price), lambda: quantity * (price - entry))
    return profit * conversion


def mark_profit(quantity: Numbers, inverse: Flag, entry: Numbers, before: Value, price: Value) -> Value:
    """Return the profit of a leg entered at ``entry`` between two later prices, in its profit currency.

    Linear: q (P - P'); inverse: q E (1/P' - 1/P).  Base units in, so the result is per unit of base notional.
    """
    profit: Value = _by_kind(
        inverse, lambda: quantity * entry * (1.0 / before - 1.0 / price), lambda: quantity * (price - before)
    )
    return profit


def order_quantity(quantity: Numbers, inverse: Flag, entry: Numbers, price: Value) -> Value:
    """Return the base quantity at ``price`` of the order that is ``quantity`` at ``entry``.

    An inverse order is a number n = q E of contracts, which is n / P base units at another price.  [risk.md 0.2]
    """
    quantity_at_price: Value = _by_kind(inverse, lambda: quantity * entry / price, lambda: quantity)
    return quantity_at_price


def open_gross_bps(gross_bps: Value, profit_usd: Value, spot_usd: Value) -> Value:
    """Return the gross that a package still has to converge: ``gross - 1e4 profit / S``.  [docs/decisions/0030]"""
    return gross_bps - BPS * profit_usd / spot_usd


def stop_micro_bps(net_bps: FloatArray, params: Params) -> FloatArray:
    """Return the level below which earned plus paid stops a position, whole micro-bps, of the shape of ``net_bps``.

    It is ``stop_multiple`` times the net of the decision, negative.  [S4.5]
    """
    return np.rint(-params.stop_multiple * net_bps * MICRO)


def exit_micro_bps(entry_gross_bps: FloatArray, params: Params) -> FloatArray:
    """Return the open gross at or below which a position has converged, whole micro-bps, of the input's shape.  [S4.5]

    It is ``exit_share`` of the gross at entry.
    """
    return np.rint(params.exit_share * entry_gross_bps * MICRO)


def is_stopped(earned_bps: FloatArray, paid_bps: FloatArray, stop: FloatArray) -> BoolArray:
    """Return where profit plus funding is below ``stop`` (whole micro-bps), of the broadcast shape; False for NaN.

    Compared in whole micro-bps, half-even, as a net is compared with its threshold.  [audit 10.2]
    """
    below: BoolArray = np.rint((earned_bps + paid_bps) * MICRO) < stop
    return below


def has_converged(entry_gross_bps: Numbers, earned_bps: FloatArray, level: FloatArray) -> BoolArray:
    """Return where the open gross is at or below ``level`` (whole micro-bps), of the broadcast shape; False for NaN."""
    below: BoolArray = np.rint((entry_gross_bps - earned_bps) * MICRO) <= level
    return below


def funding_base_usd(inverse: Flag, entry: Numbers, price: Value, conversion: Value) -> Value:
    """Return the USD that funding is paid on per base unit of a leg: linear P c; inverse n / P coin = E / P c.

    ``price`` P and ``conversion`` c, the USD per unit of P's currency or per coin, are those of `funding_price`.
    [S4.6, risk.md 4]

    >>> funding_base_usd(False, 100.0, 125.0, 1.0), funding_base_usd(True, 100.0, 125.0, 120.0)
    (125.0, 96.0)
    """
    base: Value = _by_kind(inverse, lambda: entry / price * conversion, lambda: price * conversion)
    return base


def funding_cash(quantity: Numbers, price_usd: Value, rate: Value) -> Value:
    """Return the USD that one settlement pays to a position, per unit of base notional: ``- q price rate``.  [S4.6]

    A positive rate is paid by long legs: the result is negative for them.
    """
    received: Any = -quantity * price_usd * rate
    cash: Value = received
    return cash


def settlement_times_ns(after_ns: int, until_ns: int, interval_ns: int) -> list[int]:
    """Return the multiples of ``interval_ns`` in ``(after_ns, until_ns]``; ``until_ns`` alone if there is none.

    A payment between two grid times that holds no scheduled time happened off the schedule: it is dated at the later.
    """
    # A settlement at `after_ns` itself belongs to the row before.
    first, last = after_ns // interval_ns + 1, until_ns // interval_ns
    return [k * interval_ns for k in range(first, last + 1)] or [until_ns]


def notional_usd(quantity: Value, units: Numbers, price: Value, usd: Value) -> Value:
    """Return a leg's notional, USD: ``|q| u P c`` with u base units of the package and c USD per price currency."""
    product: Any = abs(quantity) * units * price * usd
    value: Value = product
    return value


def charge_usd(notional: Value, bps: Value) -> Value:
    """Return a charge of ``bps`` basis points on ``notional``, USD."""
    return notional * bps / BPS


def side_charge_bps(spread_bps: Value, slip_bps: Value) -> Value:
    """Return the cost of crossing to one side before impact, bps: half the spread if known, plus the fallback.

    The fallback ``slip_bps`` is 0 where the depth is known; a NaN spread counts as 0.
    """
    # NaN differs from itself, in numbers and in arrays.
    known = spread_bps == spread_bps
    half: Value = _by_kind(known, lambda: spread_bps / 2.0, lambda: 0.0)
    return slip_bps + half


def funding_price(
    *, on_index: bool, index: float, mark: float, close: float, conversion: float
) -> tuple[FundingPrice, float, float]:
    """Return which price a settlement is paid on, that price, and its conversion, as `funding_base_usd` takes them.

    The first known price decides: the index if ``on_index`` (the venue's rule), the mark, the close.  If none is known
    the source is ``entry`` and both numbers are NaN: the caller pays on the leg's price at entry.  ``conversion`` is
    the USDC per unit of the leg's profit currency: an index is in the dollar of the price, and rate x index is paid as
    that many of the contract's money [venues V1].  Prices that are NaN or not positive are unknown, and so is one
    without a conversion.  [S4.6, risk.md 4, docs/decisions/0560]

    >>> funding_price(on_index=True, index=float("nan"), mark=125.0, close=124.0, conversion=120.0)
    ('mark', 125.0, 120.0)
    """
    if conversion > 0.0:
        if on_index and index > 0.0:
            return "index", index, conversion
        if mark > 0.0:
            return "mark", mark, conversion
        if close > 0.0:
            return "close", close, conversion
    return "entry", nan, nan


def borrow_usd(yearly_usd: Value, held_ns: int | IntArray) -> Value:
    """Return the borrow paid over ``held_ns``, USD, at ``yearly_usd`` a year of 365 days; of the common shape.

    Every hour that has started counts in full.  [venues V6]
    """
    paid: Any = yearly_usd * (started_hours(held_ns) * NS_PER_HOUR) / NS_PER_YEAR
    value: Value = paid
    return value


def micro_usd_of(amount_usd: FloatArray) -> IntArray:
    """Return `engine.units.micro_usd` of each amount, of the input's shape.  Raises ``ValueError`` for NaN."""
    scaled = amount_usd * MICRO
    # NaN is refused below, by its text.
    with np.errstate(invalid="ignore"):
        whole = np.rint(scaled).astype(np.int64)
    # The product is rounded, so near a tie, and where a double has no more digits to spare, the decimal text decides.
    near = ~(np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) >= 1e-4)
    for cell in np.argwhere(near | (np.abs(scaled) > 1e11)):
        whole[tuple(cell)] = micro_usd(float(amount_usd[tuple(cell)]))
    return whole


def daily_micro_usd(running_usd: FloatArray) -> IntArray:
    """Return the accrual of each day, micro-USD ``[M, D]``, of totals up to the end of each day, USD ``[M, D]``.

    Differences of rounded totals, so that the days of a row sum exactly to its rounded last total.  [R1.4]
    """
    return np.diff(micro_usd_of(running_usd), axis=1, prepend=0)


def _by_kind(flag: Flag, if_true: Callable[[], Any], if_false: Callable[[], Any]) -> Any:
    """Return one of two results by a flag, or element by element by an array of flags."""
    if isinstance(flag, np.ndarray):
        with np.errstate(divide="ignore", invalid="ignore"):  # of the branch that is not taken
            return np.where(flag, if_true(), if_false())
    return if_true() if flag else if_false()
