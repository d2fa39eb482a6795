"""Auto-deleveraging: when, at which price, in which order.  [risk.md 9]

How much each winner gives up is in `engine.venue.haircuts`.  Ranks are columns of integers: unrealised profit U, wallet
W, account value V, notional N, entry notional, requirement MM, all in quanta.  Which formula a venue uses is a name in
its configuration; Hyperliquid's published rank is a hypothesis (risk.md 21, E8), so both its readings are members.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from engine.errors import DataError
from engine.venue.integers import PPM, Ints
from engine.venue.liquidation_price import CrossAccount, bankruptcy_quote
from engine.venue.ranking import order_descending


@dataclass(frozen=True, slots=True)
class Winners:
    """Columns of the accounts on the other side, [accounts], in the order of account ids."""

    profit: Ints  # unrealised, signed
    wallet: Ints
    value: Ints
    notional: Ints  # at the mark, > 0
    entry_notional: Ints  # > 0
    maintenance: Ints

    def __len__(self) -> int:
        return len(self.profit)


Score = tuple[tuple[Ints, ...], tuple[Ints, ...]]
"""Numerators and denominators of a score; denominators are positive."""


def _positive(values: Ints) -> Ints:
    return np.maximum(values, 1)


def profit_times_margin_ratio(w: Winners) -> Score:
    """Return ``max(0, U) / max(1, W) x MM / (W + U)``, 0 where the denominator is not positive.  [9.3, Binance]"""
    total = w.wallet + w.profit
    gain = np.where(total > 0, np.maximum(w.profit, 0), 0)
    return (gain, w.maintenance), (_positive(w.wallet), _positive(total))


def profit_leverage(w: Winners) -> Score:
    """Return ``leverage x max(U, 0) / entry notional``, leverage N / V; 0 where V <= 0.  [9.3, OtterSec's reading; OKX]

    For a value that is not positive the account cannot be a winner.
    """
    gain = np.where(w.value > 0, np.maximum(w.profit, 0), 0)
    return (gain, w.notional), (w.entry_notional, _positive(w.value))


def mark_to_entry_leverage(w: Winners) -> Score:
    """Return ``ratio x N / V``: ratio mark / entry of longs, entry / mark of shorts.  [9.3, Hyperliquid as written]

    ``N`` and entry notional have the same size, so the long's ratio is N / entry notional.  A loss of a long shows as
    ``U = N - entry``; which side is which follows from that identity.
    """
    is_long = w.profit == w.notional - w.entry_notional
    upper = np.where(is_long, w.notional, w.entry_notional)
    lower = np.where(is_long, w.entry_notional, w.notional)
    alive = w.value > 0
    return (np.where(alive, upper, 0), w.notional), (_positive(lower), _positive(w.value))


def profit_effective_leverage(w: Winners) -> Score:
    """Return PnL% x effective leverage for profits, PnL% / effective leverage for losses.  [9.3, BitMEX]

    Effective leverage is ``|MV| / (MV - BV)`` with bankruptcy value BV, so ``MV - BV`` is the account value.
    """
    gain, alive = w.profit >= 0, w.value > 0
    score = np.where(alive, w.profit, 0)
    return (score, np.where(gain, w.notional, _positive(w.value))), (
        _positive(w.entry_notional),
        np.where(gain, _positive(w.value), _positive(w.notional)),
    )


RANK_RULES: Final[dict[str, Callable[[Winners], Score]]] = {
    "profit_margin_ratio": profit_times_margin_ratio,
    "profit_leverage": profit_leverage,
    "mark_to_entry_leverage": mark_to_entry_leverage,
    "profit_effective_leverage": profit_effective_leverage,
}
"""Rule name in the configuration -> score."""


def ranks(winners: Winners, rule: str) -> Ints:
    """Return indices, first to be deleveraged first; ties by account id.  Raises `DataError` for an unknown rule."""
    if rule not in RANK_RULES:
        raise DataError(f"deleveraging rule: expected one of {', '.join(sorted(RANK_RULES))}, was {rule!r}")
    return order_descending(*RANK_RULES[rule](winners))


def walk_order(count: int, draw: int) -> Ints:
    """Return indices from a pseudo-random start on, cyclically: ``draw`` is a random word.  [risk.md 9.3, dYdX]"""
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    return (np.arange(count, dtype=np.int64) + draw % count) % count


def quantity_percentiles(quantities: dict[int, int], order: list[int], steps: int = 5) -> dict[int, int]:
    """Return each account's percentile: cumulative quantity, last in the queue first, rounded up to 20%.  [9.3, BitMEX]

    ``order`` is the queue with the account that is deleveraged last at its start.
    """
    total, cumulated, result = sum(quantities.values()), 0, {}
    for account in order:
        cumulated += quantities[account]
        result[account] = -(-cumulated * steps // total) * (100 // steps)
    return result


# -- triggers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PoolTrigger:
    """Bybit: on when the pool falls by ``drawdown_ppm`` of its 8 h maximum, off under ``stop_ppm``.

    risk.md 9.1 (c), 20: the pool must be above a threshold, it stops at -25%, and a pool <= 0 triggers always.
    """

    drawdown_ppm: int = 300_000
    stop_ppm: int = 250_000
    minimum: int = 1

    def is_on(self, balance: int, highest: int, loss: int, was_on: bool) -> bool:
        """Return whether deleveraging is on after a symbol's ``loss`` >= 0, given that it ``was_on`` before."""
        if balance <= 0:
            return True
        if highest <= self.minimum:
            return False
        # It ends at a smaller loss than it begins at: between the two it stays as it was.  [risk.md 9.1]
        threshold = self.stop_ppm if was_on else self.drawdown_ppm
        return loss * PPM > highest * threshold

    def socialised(self, highest: int, loss: int) -> int:
        """Return the loss beyond the drawdown, which users bear."""
        return max(0, loss - highest * self.drawdown_ppm // PPM)


def pool_ratio(highest: int, loss: int) -> Fraction:
    """Return the pool's profit ratio, ``-loss / its 8 h maximum``.  Raises `DataError` for a maximum <= 0."""
    if highest <= 0:
        raise DataError(f"expected a pool maximum > 0, was {highest}: a pool <= 0 triggers by itself")
    return Fraction(-loss, highest)


# -- one pair at the bankruptcy price [dYdX] -----------------------------------------------------------------------


def match(bankrupt: CrossAccount, offsetting: CrossAccount, index: int, lots: int) -> tuple[int, int, int]:
    """Return (bankruptcy quote, bankrupt's quote after, offsetting's quote after) of a deleveraging.  [risk.md 9.2]

    Both trade ``lots`` > 0 base quanta at the bankrupt account's bankruptcy price; ``index`` is the market's place in
    both accounts.  Raises `DataError` where the offsetting account could not pay: two bankrupt accounts match only if
    ``p_b(long) <= p_b(short)``.
    """
    size = bankrupt.positions[index][0]
    other = offsetting.positions[index][0]
    if size * other >= 0 or lots > min(abs(size), abs(other)):
        raise DataError(f"expected opposite positions of at least {lots}, was {size} and {other}")
    delta = -lots if size > 0 else lots
    quote = bankruptcy_quote(bankrupt, index, delta)
    if -quote < bankruptcy_quote(offsetting, index, -delta):
        raise DataError(f"expected bankruptcy prices that overlap, was {quote} against the other side's: no price fits")
    return quote, bankrupt.quote + quote, offsetting.quote - quote
