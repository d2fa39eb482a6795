"""Funding: premium samples and rates.  A positive rate means that longs pay shorts.  [risk.md 4, corrections in 20]

Rates are integers in the unit of the arguments (ppm or ppb per 8 h); where a venue's rule is an exact rational it is a
Fraction, and the caller rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from engine.errors import DataError
from engine.venue.integers import PPM, clamp, div_trunc

Level = tuple[Fraction, Fraction]
"""A price level: price, size in base units."""


def impact_price(levels: Sequence[Level], notional: Fraction) -> Fraction | None:
    """Return the average price at which ``notional`` of quote trades through ``levels``, best first.  [risk.md 4.1]

    None where the depth does not suffice: then that side has no premium.  Raises `DataError` for a price or notional
    that is not positive.
    """
    if notional <= 0 or any(price <= 0 for price, _ in levels):
        raise DataError(f"expected prices and a notional > 0, was notional {notional}")
    rest, base = notional, Fraction(0)
    for price, size in levels:
        taken = min(price * size, rest)
        base += taken / price
        rest -= taken
        # Fractions: what is left reaches 0 exactly.
        if rest == 0:
            return notional / base
    return None


def premium(impact_bid: Fraction | None, impact_ask: Fraction | None, index: Fraction) -> Fraction:
    """Return ``(max(0, IB - I) - max(0, I - IA)) / I``; a side without depth counts nothing.  [risk.md 4.2]"""
    above = max(Fraction(0), impact_bid - index) if impact_bid is not None else Fraction(0)
    below = max(Fraction(0), index - impact_ask) if impact_ask is not None else Fraction(0)
    return (above - below) / index


def premium_ppm(impact_bid: Fraction | None, impact_ask: Fraction | None, index: Fraction, max_abs_ppm: int) -> int:
    """Return the premium in ppm, truncated toward zero and clamped.  [risk.md 4.2, dYdX]"""
    exact = premium(impact_bid, impact_ask, index) * PPM
    return clamp(div_trunc(exact.numerator, exact.denominator), -max_abs_ppm, max_abs_ppm)


def midpoint_premium(impact_bid: Fraction, impact_ask: Fraction, oracle: Fraction) -> Fraction:
    """Return ``0.5 (IB + IA) / P - 1``.  [risk.md 4.2, HIP-3 markets]"""
    return (impact_bid + impact_ask) / 2 / oracle - 1


def without_tails(samples: Sequence[int], removal_ppm: int) -> list[int]:
    """Return the sorted samples without ``floor(2 x removal x n)`` of the extremes, the odd one from the top.  [4.3]"""
    ordered = sorted(samples)
    removed = 2 * removal_ppm * len(ordered) // PPM
    bottom = removed // 2
    return ordered[bottom : len(ordered) - (removed - bottom)]


def padded_mean(samples: Sequence[int], expected: int) -> int:
    """Return the mean, truncated: missing samples count as zero, more divide by their number.  [4.3, dYdX]

    Raises `DataError` if no sample is expected and none is there.
    """
    count = max(expected, len(samples))
    if count <= 0:
        raise DataError("expected at least one funding sample, was none: correct the number of expected samples")
    return div_trunc(sum(samples), count)


def time_weighted_mean(samples: Sequence[int]) -> Fraction:
    """Return ``sum(i p_i) / sum(i)``, i = 1..n.  Raises `DataError` for no samples.  [risk.md 4.3, Binance]"""
    if not samples:
        raise DataError("expected at least one premium sample, was none")
    count = len(samples)
    return Fraction(sum(i * p for i, p in enumerate(samples, 1)), count * (count + 1) // 2)


def maintenance_ppm(initial_ppm: int, fraction_ppm: int) -> int:
    """Return the maintenance rate as a share of the initial rate, floored.  [risk.md 6.2]"""
    return initial_ppm * fraction_ppm // PPM


def margin_clamp_ppm(factor_ppm: int, initial_ppm: int, fraction_ppm: int) -> int:
    """Return the largest absolute rate ``factor x (IM - MM)``, floored.  [risk.md 4.3, dYdX]"""
    return factor_ppm * (initial_ppm - maintenance_ppm(initial_ppm, fraction_ppm)) // PPM


def interest_clamp(average: int, interest: int, band: int, cap: int) -> int:
    """Return ``p + clamp(interest - p, +-band)``, then clamped to +-cap.  [risk.md 4.3, Hyperliquid, Binance, BitMEX]

    Where ``|interest - p| <= band`` the rate equals the interest exactly.
    """
    return clamp(average + clamp(interest - average, -band, band), -cap, cap)


def dampened(average: int, dampener: int, cap: int) -> int:
    """Return ``max(d, p) + min(-d, p)``, then clamped to +-cap: zero for ``|p| <= d``.  [risk.md 4.3, Deribit]"""
    return clamp(max(dampener, average) + min(-dampener, average), -cap, cap)


def premium_clamp(average: int, default: int, cap: int) -> int:
    """Return ``clamp(mean + default, +-cap)``.  [risk.md 4.3, dYdX]"""
    return clamp(average + default, -cap, cap)


def daily_spread(average: int, offset: int, cap: int) -> int:
    """Return ``clamp(spread + offset, +-cap) x 8 / 24``, truncated: the spread is of a day.  [4.3, Drift]"""
    return div_trunc(clamp(average + offset, -cap, cap), 3)


@dataclass(frozen=True, slots=True)
class RateRule:
    """Numbers of a rate rule, all in one unit: interest or default, dead band or dampener, cap."""

    interest: int
    band: int
    cap: int


RATE_RULES: Final[dict[str, Callable[[int, RateRule], int]]] = {
    "interest_clamp": lambda p, r: interest_clamp(p, r.interest, r.band, r.cap),
    "dampened": lambda p, r: dampened(p, r.band, r.cap),
    "premium_clamp": lambda p, r: premium_clamp(p, r.interest, r.cap),
    "daily_spread": lambda p, r: daily_spread(p, r.interest, r.cap),
}
"""Rule name in the configuration -> rate per 8 h of an average premium."""


def for_interval(rate_8h: Fraction, interval_hours: int) -> Fraction:
    """Return the rate of an N-hour interval, ``rate / (8 / N)``.  [risk.md 4.3, Binance since 2025-09-18]"""
    return rate_8h * interval_hours / 8


DRIFT_SPREAD_DIVISOR: Final = {"A": 33, "B": 33, "C": 20, "other": 10}
"""Drift: largest spread as a share of the oracle TWAP, by contract tier.  [risk.md 4.3, corrected in 20]"""


def max_spread(oracle_twap: int, tier: str) -> int:
    """Return the largest mark-to-oracle spread that funding counts, truncated.  [risk.md 4.3, Drift]"""
    return oracle_twap // DRIFT_SPREAD_DIVISOR.get(tier, DRIFT_SPREAD_DIVISOR["other"])


def twap_spread_rate(mark_twap: int, oracle_twap: int, tier: str, *, periods_a_day: int = 24, offset: bool) -> int:
    """Return the funding rate of one period in 1e-9 quote per base: ``clamp(spread) x 1000 / periods``.  [4.3, Drift]

    Prices have six decimals.  ``offset`` adds a five-thousandth of the oracle *TWAP* first, as the live code does
    (risk.md 20: clamp and offset use the TWAP, not the price).  Truncated toward zero.
    """
    spread = mark_twap - oracle_twap + (oracle_twap // 5_000 if offset else 0)
    limit = max_spread(oracle_twap, tier)
    return div_trunc(clamp(spread, -limit, limit) * 1_000, periods_a_day)


def with_protocol_as_counterparty(
    rate: int, base_long: int, base_short: int, fee_pool: int, total_exchange_fee: int
) -> tuple[int, int, int]:
    """Return (long rate, short rate, fee pool after): what the protocol must add is capped.  [risk.md 4.5, Drift]

    Units: rate 1e-9 quote per base, base 1e-9, quote 1e-6; ``base_short`` <= 0.  If the net position makes the
    protocol pay, it pays at most a third of ``max(0, fee pool - half of all exchange fees)``, and the receiving side's
    rate is cut to what payers and that amount fund, rounded so that the pool never pays a unit more.
    """
    net = base_long + base_short
    owed = div_trunc(rate * net, 10**12)  # 1e-9 x 1e-9 to 1e-6
    # The protocol receives, or nothing is left over.
    if owed >= 0:
        return rate, rate, fee_pool + owed
    capped = min(-owed, max(0, fee_pool - total_exchange_fee // 2) // 3)
    if capped == -owed:
        return rate, rate, fee_pool - capped
    paying, receiving = (base_long, -base_short) if rate > 0 else (-base_short, base_long)
    paid = abs(rate) * paying // 10**12
    # one quote quantum is held back before the division: the truncated index then never draws more than the limit
    cut = (paid + capped - 1) * 10**12 // receiving if receiving else 0
    return (rate, cut, fee_pool - capped) if rate > 0 else (-cut, rate, fee_pool - capped)


def velocity_per_day(skew: Fraction, skew_scale: Fraction, max_velocity: Fraction) -> Fraction:
    """Return the change of the rate a *day*: ``clamp(skew / scale, +-1) x v_max``.  [risk.md 4.3, 20, Synthetix v3]"""
    return max(Fraction(-1), min(Fraction(1), skew / skew_scale)) * max_velocity


def accrue_velocity(rate: Fraction, velocity: Fraction, days: Fraction) -> tuple[Fraction, Fraction]:
    """Return (rate after, accrued funding per unit of notional): the mean of start and end rate times days.  [4.3]"""
    after = rate + velocity * days
    return after, (rate + after) / 2 * days


def static_interest_rate(factor: Fraction, long: Fraction, short: Fraction, exponent: int) -> Fraction:
    """Return the rate a second that the larger side pays, ``factor |L - S|^e / (L + S)``.  [risk.md 4.3, GMX v2]

    This is the static, capped case (increase factor 0) of risk.md 20.  Positive: longs pay.  Raises `DataError` for an
    exponent below 1 or no open interest.
    """
    if exponent < 1 or long + short <= 0:
        raise DataError(f"expected an exponent >= 1 and open interest > 0, was {exponent} and {long + short}")
    gap = long - short
    power = Fraction(1)
    for _ in range(exponent):
        power *= abs(gap)
    return factor * power / (long + short) * (1 if gap >= 0 else -1)


def saved_factor(saved: Fraction, long: Fraction, short: Fraction, numbers: SavedFactor, seconds: int) -> Fraction:
    """Return GMX's saved factor a second after ``seconds``: it rises and falls by thresholds.  [risk.md 20, GMX]

    The payer follows the *sign of the saved factor* (positive: longs), not the larger side.  Skew above the stable
    threshold, or on the other side than the factor, moves it toward the skew; below the decrease threshold it decays
    toward zero; between the two it stays.  Its size is then clamped to [minimum, maximum].
    Raises `DataError` for no open interest.
    """
    if long + short <= 0:
        raise DataError("expected open interest > 0, was none")
    skew = (long - short) / (long + short)
    opposed = (skew > 0 > saved) or (skew < 0 < saved)
    if opposed or abs(skew) > numbers.stable_threshold:
        saved += numbers.increase_a_second * skew * seconds
    elif abs(skew) < numbers.decrease_threshold:
        # Toward zero and not beyond: decay must not change the side that pays.  [risk.md 20]
        cut = min(abs(saved), numbers.decrease_a_second * seconds)
        saved -= cut if saved > 0 else -cut
    size = min(max(abs(saved), numbers.minimum), numbers.maximum)
    return size if saved >= 0 else -size


@dataclass(frozen=True, slots=True)
class SavedFactor:
    """GMX v2 parameters of the adaptive factor, per second; thresholds are shares of open interest."""

    increase_a_second: Fraction
    decrease_a_second: Fraction
    stable_threshold: Fraction
    decrease_threshold: Fraction
    minimum: Fraction
    maximum: Fraction
