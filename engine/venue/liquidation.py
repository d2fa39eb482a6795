"""Liquidation: when, in which order, how much, at which limit.  [risk.md 7]

Prices at which an account is liquidated or bankrupt are in `engine.venue.liquidation_price`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key

from engine.errors import DataError
from engine.venue.integers import PPM


def is_liquidatable(value: int, maintenance: int) -> bool:
    """Return ``MM > 0 and V < MM``: equality is safe, and an account without position is never liquidated.  [7.1]"""
    return maintenance > 0 and value < maintenance


def is_bad_debt(value: int, has_position: bool) -> bool:
    """Return whether an account owes money and has no position to close.  [risk.md 7.1]"""
    return value < 0 and not has_position


def compare_risk(value_a: int, maintenance_a: int, value_b: int, maintenance_b: int) -> int:
    """Return +1 if account a is riskier than b, -1 if less, 0 if equal: ``V / MM`` by cross multiplication.  [7.6]

    The lower ratio is riskier; of equal ratios the larger maintenance requirement.  Accounts without requirement come
    last here (risk.md 20: the harness's own rule; dYdX's live order is pseudo-random).
    """
    if maintenance_a == 0 or maintenance_b == 0:
        return (maintenance_b == 0) - (maintenance_a == 0)
    # Products: a quotient would round, and equal ratios must stay equal.
    left, right = value_a * maintenance_b, value_b * maintenance_a
    if left != right:
        return 1 if left < right else -1
    return (maintenance_a > maintenance_b) - (maintenance_a < maintenance_b)


def riskiest_first(accounts: Sequence[tuple[int, int, int]]) -> list[int]:
    """Return account ids, riskiest first, ties by id; ``accounts`` are (id, value, maintenance).  [risk.md 7.6]"""

    def order(a: tuple[int, int, int], b: tuple[int, int, int]) -> int:
        return -compare_risk(a[1], a[2], b[1], b[2]) or (a[0] > b[0]) - (a[0] < b[0])

    return [account for account, _, _ in sorted(accounts, key=cmp_to_key(order))]


def order_key(fillable: Fraction, oracle: Fraction, notional: int, digest: str) -> tuple[Fraction, int, str]:
    """Return the sort key of a prepared order: relative distance and notional descending, then hash.  [7.6, dYdX]"""
    return -abs(fillable - oracle) / oracle, -notional, digest


def fillable_price(
    net_notional: int, size: int, value: int, maintenance: int, position_maintenance: int, limits: FillableLimits
) -> Fraction:
    """Return the limit price of a liquidation order in quote quanta per base quantum, exact.  [risk.md 7.4, dYdX]

    ``abr = clamp(BA (1 - V / MM), 0, 1)``, ``price = (PNNV - abr SMMR PMMR) / size`` with signed notional and size: a
    long sells below the oracle, a short buys above (the public document prints the long's sign for both; code wins).
    Raises `DataError` for no position or no requirement.
    """
    if size == 0 or maintenance <= 0:
        raise DataError(f"expected a position and a requirement > 0, was size {size}, requirement {maintenance}")
    shortfall = Fraction(limits.bankruptcy_adjustment_ppm, PPM) * (1 - Fraction(value, maintenance))
    ratio = max(Fraction(0), min(Fraction(1), shortfall))
    spread = ratio * Fraction(limits.spread_to_maintenance_ppm, PPM) * position_maintenance
    return (net_notional - spread) / size


@dataclass(frozen=True, slots=True)
class FillableLimits:
    """dYdX: BA and SMMR in ppm.  Genesis has 150%, the code's default 10%: a configuration names which.  [20]"""

    bankruptcy_adjustment_ppm: int = PPM
    spread_to_maintenance_ppm: int = 1_500_000


def rounded_to_tick(price: Fraction, tick: int, is_buy: bool) -> int:
    """Return a limit price on the tick: sells down, buys up, at least one tick.  [risk.md 7.4]"""
    exact = price / tick
    ticks = -(-exact.numerator // exact.denominator) if is_buy else exact.numerator // exact.denominator
    return max(1, ticks) * tick


def notional_range(notional: int, minimum: int, portion_ppm: int) -> tuple[int, int]:
    """Return (least, most) notional that one step may liquidate.  [risk.md 7.5, dYdX]

    From ``min(minimum, N)`` to ``max(that, portion x N)``, the portion floored: dust is closed whole.
    """
    least = min(minimum, notional)
    return least, max(least, notional * portion_ppm // PPM)


def lots_to_close(lots: int, notional: int, minimum: int, portion_ppm: int) -> int:
    """Return how many of ``lots`` (unsigned) one step closes: the portion, rounded up, never more than all.  [7.5]"""
    if lots == 0:
        return 0
    _, most = notional_range(notional, minimum, portion_ppm)
    # Of a position worth nothing no share can be taken: it is closed whole.
    return min(lots, -(-lots * most // notional)) if notional else lots


def shortage_base(
    shortage: int, ratio: int, liquidator_fee: int, fund_fee: int, oracle: int, quote_oracle: int
) -> int | None:
    """Return the base amount that covers a margin shortage, 1e-9 base; None where closing never helps.  [7.5, Drift]

    ``shortage 1e9 / (P Pq (ratio - fee) - P fund fee)``: the first term uses oracle x quote oracle, the second the
    oracle alone (risk.md 20).  Units: shortage and oracles 1e-6, ``ratio`` 1e-4, fees 1e-6.  None: close all.
    """
    ratio_ppm = ratio * 100
    if oracle <= 0 or ratio_ppm <= liquidator_fee:
        return None
    denominator = oracle * quote_oracle // PPM * (ratio_ppm - liquidator_fee) // PPM - oracle * fund_fee // PPM
    return shortage * 10**9 // denominator if denominator > 0 else None


def slot_fee(base_fee: int, max_fee: int, last_active_slot: int, slot: int, grace_slots: int = 1_500) -> int:
    """Return the liquidator fee in 1e-6: it grows by one a slot since last activity, after a grace.  [7.5, Drift]

    Raises `DataError` for a slot before the last active one.
    """
    elapsed = slot - last_active_slot
    if elapsed < 0:
        raise DataError(f"expected slot >= {last_active_slot}, was {slot}: slots must not go back in time")
    return base_fee if elapsed < grace_slots else min(max_fee, base_fee + elapsed)


def fund_fee(
    shortage: int, base: int, ratio: int, liquidator_fee: int, oracle: int, quote_oracle: int, max_fee: int
) -> int:
    """Return the insurance fund's fee in 1e-6: ``min(max, 95% max(0, ratio - fee - shortage / N))``.  [7.7, Drift]

    Units as `shortage_base`; base 1e-9.
    """
    priced = oracle * quote_oracle // PPM * base // 10**9
    if priced == 0:
        return 0
    implied = ratio * 100 - liquidator_fee - shortage * PPM // priced
    return min(max_fee, max(0, implied) * 95 // 100)


def window_size(
    maker_fee: Fraction, taker_fee: Fraction, skew_scale: Fraction, seconds: int, multiplier: Fraction
) -> Fraction:
    """Return the size one window may liquidate: ``(maker + taker) skewScale seconds multiplier``.  [7.5, Synthetix]"""
    return (maker_fee + taker_fee) * skew_scale * seconds * multiplier


def staged_portion_ppm(notional: int, threshold: int, first_ppm: int) -> int:
    """Return the share of a position to close first: ``first_ppm`` above the threshold.  [7.5, Hyperliquid]"""
    return first_ppm if notional > threshold else PPM


def goes_to_backstop(value: int, maintenance: int, share_ppm: int = 666_667) -> bool:
    """Return whether the backstop takes position and margin, ``V < share x MM`` (two thirds).  [7.5, Hyperliquid]

    ``share_ppm`` 666_667 is compared as two thirds exactly.
    """
    return 3 * value < 2 * maintenance if share_ppm == 666_667 else value * PPM < maintenance * share_ppm
