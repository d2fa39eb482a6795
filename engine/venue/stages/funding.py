"""Stage 4: funding sample and, on a boundary, rate, index and settlement.  [risk.md 0.4, 4]"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from engine.venue.base import EventKind, OracleState, Reason
from engine.venue.funding import RATE_RULES, RateRule, impact_price, premium
from engine.venue.funding_index import index_delta_ppb, payments
from engine.venue.integers import PPB, div_trunc, exact_sum
from engine.venue.working import Working


def apply(work: Working) -> None:
    """Take a premium sample of each market; settle those whose funding is due.

    While the oracle may not be used nothing is sampled, and a settlement that is due waits for it.  Payments round up:
    the residue is >= 0 and goes to the fund (I3).
    """
    for m, market in enumerate(work.markets):
        interval = work.params(m).funding_interval_ns
        if interval <= 0 or market.oracle_state <= OracleState.TOO_VOLATILE or market.mark_ticks <= 0:
            continue
        # The venue may start within an interval: its first event sets the first boundary.
        if market.funding_due_ns == 0:
            market = replace(market, funding_due_ns=(work.tick.time_ns // interval + 1) * interval)
        work.markets[m] = replace(
            market,
            premium_sum_ppb=market.premium_sum_ppb + _sample_ppb(work, m),
            premium_samples=market.premium_samples + 1,
        )
        if work.tick.time_ns >= market.funding_due_ns:
            _settle(work, m)


def _settle(work: Working, m: int) -> None:
    market, given = work.markets[m], work.params(m)
    average = div_trunc(market.premium_sum_ppb, market.premium_samples)
    rule = RateRule(given.funding_interest_ppb_8h, given.funding_band_ppb_8h, given.funding_cap_ppb_8h)
    rate = RATE_RULES[given.funding_rule](average, rule)
    price = market.mark_ticks if given.funding_on == "mark" else market.oracle_ticks
    delta = index_delta_ppb(rate, price, given.quanta_per_lot_tick, given.funding_interval_ns)
    paid = payments(work.size[m], delta)
    residue = exact_sum(paid)
    if delta:
        work.own()
        work.cash -= paid
        work.fund += residue
        work.forget_values()
    # After a gap one settlement is made, and the boundaries that the gap held are passed over.
    intervals = (work.tick.time_ns - market.funding_due_ns) // given.funding_interval_ns + 1
    work.markets[m] = replace(
        market,
        last_rate_ppb_8h=rate,
        funding_index=market.funding_index + delta,
        funding_due_ns=market.funding_due_ns + intervals * given.funding_interval_ns,
        premium_sum_ppb=0,
        premium_samples=0,
    )
    work.emit(EventKind.FUNDING, Reason.FUNDING_BOUNDARY, m, price_ticks=price, lots=rate, quanta=residue)


def _sample_ppb(work: Working, m: int) -> int:
    """Return the premium of this event, truncated."""
    market, given, quotes = work.markets[m], work.params(m), work.tick.quotes
    if given.premium_rule == "mark":
        return div_trunc((market.mark_ticks - market.oracle_ticks) * PPB, market.oracle_ticks)
    sides: list[list[tuple[Fraction, Fraction]]] = [[], []]
    rows = zip(quotes.market.tolist(), quotes.lots.tolist(), quotes.limit_ticks.tolist(), strict=True)
    for market_row, lots, price in rows:
        if market_row == m and lots:
            sides[lots < 0].append((Fraction(price), Fraction(abs(lots))))
    notional = Fraction(given.impact_notional_quanta, given.quanta_per_lot_tick)
    bid = impact_price(sorted(sides[0], reverse=True), notional)
    ask = impact_price(sorted(sides[1]), notional)
    exact = premium(bid, ask, Fraction(market.oracle_ticks)) * PPB
    return div_trunc(exact.numerator, exact.denominator)
