"""Funding: index accounting and settlement.  [risk.md 4.4, 4.6]

An index is the sum of all payments per unit of position; a position owes the change of the index since it last settled.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from engine.errors import DataError
from engine.venue.integers import PPB, PPM, Ints, div_ceil, div_trunc, mul_div_ceil

SECONDS_8H = 28_800


def index_delta_ppm(rate_ppm_8h: int, price: int, exponent: int, seconds: int) -> int:
    """Return the change of dYdX's index, in ppm of quote quanta per base quantum.  [risk.md 4.4]

    ``exponent`` is the price exponent + base resolution - quote resolution.  Two truncations toward zero, in this
    order: the conversion to quote, then the division by eight hours.  Raises `DataError` for negative seconds.
    """
    if seconds < 0:
        raise DataError(f"expected seconds >= 0, was {seconds}: times must not go back")
    value = seconds * rate_ppm_8h * price
    return div_trunc(value * 10**exponent if exponent >= 0 else div_trunc(value, 10**-exponent), SECONDS_8H)


def settlement_ppm(size: int, position_index: int, index: int) -> int:
    """Return what a position receives, in ppm of quote quanta: ``-(index - position index) x size``.  [risk.md 4.4]"""
    return -(index - position_index) * size


def settlement_quanta(total_ppm: int) -> int:
    """Return an account's settlement in quanta, floored once for the account: dust stays with the venue."""
    return total_ppm // PPM


def payment(size: Fraction, reference: Fraction, rate: Fraction, share: Fraction) -> Fraction:
    """Return what a linear position pays, ``s x P_ref x r x dt / interval``.  [risk.md 4]

    ``reference`` is the oracle (Hyperliquid, dYdX) or the mark (Binance).
    """
    return size * reference * rate * share


def inverse_payment(contracts: Fraction, mark: Fraction, rate: Fraction, share: Fraction) -> Fraction:
    """Return what an inverse position pays in coin, ``n / mark x r x dt / interval``.  [risk.md 4, BitMEX, Deribit]"""
    return contracts / mark * rate * share


def index_delta_ppb(rate_ppb_8h: int, price_ticks: int, quanta_per_lot_tick: int, elapsed_ns: int) -> int:
    """Return the change of the simulator's index, in ppb of quanta per lot, truncated."""
    interval_ns = SECONDS_8H * 1_000_000_000
    return div_trunc(rate_ppb_8h * price_ticks * quanta_per_lot_tick * elapsed_ns, interval_ns)


def payments(size: Ints, delta_ppb: int) -> Ints:
    """Return what each position pays in quanta, rounded up: ``ceil(size x delta)``; ``size`` [accounts] in lots.

    With balanced positions the sum is >= 0 and below one quantum per position (I3).  Exact: the index is split in whole
    quanta and ppb, and `DataError` is raised where a product would pass 2^63.
    """
    whole, part = divmod(delta_ppb, PPB)
    if not whole and not part:
        return np.zeros_like(size)
    paid = mul_div_ceil(size, part, PPB, "funding")
    return paid + mul_div_ceil(size, whole, 1, "funding") if whole else paid


def settle_once(size: int, delta_ppb: int) -> int:
    """Return what one position pays, rounded up: the oracle of `payments` in tests."""
    return div_ceil(size * delta_ppb, PPB)
