"""Insurance fund: what flows in and out, and its stocks.  [risk.md 8]"""

from __future__ import annotations

from fractions import Fraction

from engine.venue.integers import PPM


def fund_delta(fill_quote: int, bankruptcy_quote: int, max_fee_ppm: int) -> int:
    """Return what the fund receives of a liquidation fill (negative: pays), in quanta.  [risk.md 8, dYdX]

    ``fill_quote`` is positive when the account sells.  Better than the bankruptcy price: the difference, at most
    ``floor(|q| fee)``; worse: the fund pays all of it, never limited by the fee rule.
    """
    delta = fill_quote - bankruptcy_quote
    return delta if delta <= 0 else min(delta, abs(fill_quote) * max_fee_ppm // PPM)


def may_fill(fund: int, delta: int) -> bool:
    """Return whether the fund stays >= 0; if not, the fill is not allowed and the account is deleveraged.  [8]"""
    return fund + delta >= 0


def bankruptcy_cover(loss: int, fund: int, max_insurance: int, settled: int) -> int:
    """Return what the fund pays of a bankruptcy: ``min(loss, fund - 1, maximum - already settled)``.  [8, 20, Drift]

    The cap is the *remaining* claim (risk.md 20).  Never negative.
    """
    return max(0, min(loss, fund - 1, max_insurance - settled))


def coverage_days(balance: int, outflow_es: Fraction) -> Fraction | None:
    """Return balance / ES_99 of the daily net outflow; None where the tail loses nothing.  [risk.md 8]"""
    return Fraction(balance) / outflow_es if outflow_es > 0 else None


def drawdown(balances: list[int]) -> list[int]:
    """Return how far each balance lies under the highest before it.  [risk.md 8]"""
    highest, result = 0, []
    for balance in balances:
        highest = max(highest, balance)
        result.append(highest - balance)
    return result
