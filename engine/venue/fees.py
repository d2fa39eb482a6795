"""Fees: charges round up, so that dust accrues to the venue and the ledger closes.  [risk.md 0.3, 5]"""

from __future__ import annotations

from fractions import Fraction

from engine.venue.integers import PPM, div_ceil, div_half_even


def fee_quanta(notional_quanta: int, rate_ppm: int) -> int:
    """Return ``ceil(notional x rate)``: a charge rounds up, a rebate (negative rate) toward zero.  [risk.md 5, dYdX]

    >>> fee_quanta(1_234_567, 500), fee_quanta(1_234_567, -110)
    (618, -135)
    """
    return div_ceil(notional_quanta * rate_ppm, PPM)


def inverse_value(contracts: int, price: Fraction, quanta_per_coin: int) -> int:
    """Return ``contracts / price`` in quanta of the coin, half-even; a contract is 1 USD.  [risk.md 0.2]"""
    exact = Fraction(contracts * quanta_per_coin) / price
    return div_half_even(exact.numerator, exact.denominator)


def inverse_fee(contracts: int, price: Fraction, rate_ppm: int, quanta_per_coin: int) -> int:
    """Return the fee of an inverse contract in quanta of the coin: value rounded, then fee, half-even.  [5, BitMEX]"""
    return div_half_even(inverse_value(contracts, price, quanta_per_coin) * rate_ppm, PPM)


def option_fee(premium: Fraction, fixed: Fraction, cap: Fraction, contracts: Fraction) -> Fraction:
    """Return ``min(fixed x contracts, cap x premium x contracts)``, exact, in the premium's currency.  [risk.md 5]

    ``premium`` is of one contract.  The cap binds below a premium of ``fixed / cap``.
    """
    return min(fixed, cap * premium) * contracts


def capped_by_value(fee: int, value: int) -> int:
    """Return a liquidation fee that cannot make the account's value negative.  [risk.md 7.7]"""
    return min(fee, max(0, value))
