"""Mark price: what margin is measured at.  [risk.md 3]

Prices are integers in any one unit; the exponential average keeps its numerator and denominator as integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import Final

from engine.errors import DataError
from engine.venue.integers import div_half_even, div_trunc
from engine.venue.oracle import median_floor

SCALE: Final = 10**18
"""Scale of a decay factor: eighteen decimals, correctly rounded, the same on every machine."""
MINUTE_NS: Final = 60_000_000_000


@dataclass(frozen=True, slots=True)
class MarkInputs:
    """What a rule may use at one event time; a price of 0 is absent.  ``basis`` is an average of (price - oracle)."""

    oracle: int
    bid: int = 0
    ask: int = 0
    last: int = 0
    external: int = 0  # weighted median of other venues' perps
    basis: int = 0
    fallback: int = 0  # 30 s average of median(bid, ask, last), where exactly two inputs exist
    rate_ppb: int = 0  # last funding rate of one interval
    left_ns: int = 0  # time to the next funding
    interval_ns: int = 1


@lru_cache(maxsize=4096)
def decay(elapsed_ns: int, tau_ns: int) -> int:
    """Return ``exp(-elapsed / tau)`` scaled by 10^18, half-even.  Raises `DataError` for negative elapsed time."""
    if elapsed_ns < 0 or tau_ns <= 0:
        raise DataError(f"expected elapsed >= 0 and tau > 0, was {elapsed_ns} and {tau_ns} ns: times must not go back")
    with localcontext() as context:
        # Far beyond the 18 decimals that are kept, so that these are correctly rounded.
        context.prec = 50
        exact = (Decimal(-elapsed_ns) / Decimal(tau_ns)).exp() * SCALE
        return int(exact.to_integral_value())


def average_update(numerator: int, denominator: int, value: int, elapsed_ns: int, tau_ns: int) -> tuple[int, int]:
    """Return numerator and denominator of an average whose samples weigh by their duration.  [risk.md 3, Hyperliquid]

    ``num <- num e^(-dt/tau) + x dt``, ``den <- den e^(-dt/tau) + dt``; both are kept times 10^18.  It differs from
    ``(1 - l) x + l ema``: the weight of an observation includes its duration.
    """
    kept = decay(elapsed_ns, tau_ns)
    scaled = elapsed_ns * SCALE
    return div_half_even(numerator * kept, SCALE) + value * scaled, div_half_even(denominator * kept, SCALE) + scaled


def average_value(numerator: int, denominator: int) -> int:
    """Return the average rounded half-even, 0 before the first sample."""
    return div_half_even(numerator, denominator) if denominator else 0


def from_oracle(given: MarkInputs) -> int:
    """Return the oracle price: there is no separate mark.  [risk.md 3, dYdX v4]"""
    return given.oracle


def from_ema_basis_median(given: MarkInputs) -> int:
    """Return the median of oracle + average basis, median(bid, ask, last), and the external perps.  [3, Hyperliquid]

    With exactly two inputs the fallback average, where present, is the third; with one, that one.
    """
    inputs = [given.oracle + given.basis]
    book = [p for p in (given.bid, given.ask, given.last) if p > 0]
    if book:
        inputs.append(median_floor(book))
    # 0 is no price: it would pull the median down.
    if given.external > 0:
        inputs.append(given.external)
    if len(inputs) == 2 and given.fallback > 0:
        inputs.append(given.fallback)
    return median_floor(inputs)


def from_funding_and_basis_median(given: MarkInputs) -> int:
    """Return median(Price1, Price2, contract price).  [risk.md 3, Binance USD-M]

    ``Price1 = I (1 + r t_left / interval)`` truncated, ``Price2 = I + mean basis``.  The window of the mean is a
    parameter by date (30 s since 2025-09-18, one minute before that, 2.5 min an older regime: risk.md 20).  Without a
    print the median is of the two.
    """
    inputs = [fair_price(given.oracle, given.rate_ppb, given.left_ns, given.interval_ns), given.oracle + given.basis]
    return median_floor([*inputs, given.last] if given.last > 0 else inputs)


def from_ema_basis(given: MarkInputs) -> int:
    """Return oracle + average of (fair - oracle).  [risk.md 3, Deribit]"""
    return given.oracle + given.basis


def from_funding_basis(given: MarkInputs) -> int:
    """Return the fair price by the whole-minute clock.  [risk.md 3, BitMEX]"""
    minutes = -(-given.left_ns // MINUTE_NS)
    return fair_price(given.oracle, given.rate_ppb, minutes * MINUTE_NS, given.interval_ns)


def fair_price(index: int, rate_ppb: int, left_ns: int, interval_ns: int) -> int:
    """Return ``index (1 + rate x left / interval)``, truncated.  Raises `DataError` if the interval is not positive."""
    if interval_ns <= 0:
        raise DataError(f"expected a funding interval > 0 ns, was {interval_ns}")
    return index + div_trunc(index * rate_ppb * left_ns, 1_000_000_000 * interval_ns)


def fair_basis_rate(rate: Fraction, interval_minutes: int) -> Fraction:
    """Return a funding rate of one interval as a simple annual rate of 365 days.  [risk.md 3, BitMEX]"""
    return rate * Fraction(365 * 24 * 60, interval_minutes)


MARK_RULES: Final[dict[str, Callable[[MarkInputs], int]]] = {
    "oracle": from_oracle,
    "ema_basis_median": from_ema_basis_median,
    "funding_and_basis_median": from_funding_and_basis_median,
    "ema_basis": from_ema_basis,
    "funding_basis": from_funding_basis,
}
"""Rule name in the configuration -> rule."""
