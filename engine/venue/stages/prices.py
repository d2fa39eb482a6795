"""Stages 2 and 3: oracle aggregation and validity, mark price.  [risk.md 0.4, 1, 2, 3]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.venue.base import EventKind, MarketState, OracleState, Reason
from engine.venue.mark import MARK_RULES, MINUTE_NS, MarkInputs, average_update, average_value
from engine.venue.oracle import included, median_floor, weighted_median
from engine.venue.oracle_guards import GuardLimits, oracle_state, twap_update
from engine.venue.working import Working

REMEMBERED_NS = 6 * MINUTE_NS
"""Marks are kept a little longer than the five minutes that the halt ladder looks back."""


def apply_oracle(work: Working) -> None:
    """Aggregate the sources of each market and judge the result.

    Without enough sources the last price stays, INSUFFICIENT_DATA or stale.
    """
    for m, market in enumerate(work.markets):
        given, tick = work.params(m), work.tick
        bid, ask = tick.source_bid_ticks[m], tick.source_ask_ticks[m]
        use = included(bid, ask, tick.source_age_ns[m], given.source_max_age_ns, given.source_max_spread_ppm)
        enough = int(use.sum()) >= given.min_sources
        price, time_ns = market.oracle_ticks, market.oracle_time_ns
        if enough:
            rows = np.flatnonzero(use).tolist()
            mids = [(int(bid[i]) + int(ask[i])) // 2 for i in rows]
            price, time_ns = weighted_median(mids, [given.source_weights[i] for i in rows]), tick.time_ns
        limits = GuardLimits(
            volatility_ppm=given.volatility_limit_ppm,
            stale_margin=given.stale_margin_ns,
            stale_amm=given.stale_amm_ns,
        )
        # Before the first average the price is compared with itself.
        twap = market.twap_ticks or price
        state = oracle_state(price, twap, 0, tick.time_ns - time_ns, enough, limits)
        # A refused price must not move the average by which it was refused.
        if enough and state > OracleState.TOO_VOLATILE:
            elapsed = tick.time_ns - work.before.time_ns if market.twap_ticks else 0
            twap = twap_update(price, twap, elapsed, given.twap_window_ns, biased=given.twap_biased)
        if state != market.oracle_state:
            reason = Reason.MARKET_DATA if state == OracleState.VALID else Reason.ORACLE_INVALID
            work.emit(EventKind.ORACLE, reason, m, price_ticks=price, lots=int(state))
        accepted = price if state > OracleState.TOO_VOLATILE else market.oracle_ticks
        work.markets[m] = replace(
            market, oracle_ticks=accepted, oracle_state=state, oracle_time_ns=time_ns, twap_ticks=twap
        )


def apply_mark(work: Working) -> None:
    """Compute each market's mark; while the oracle may not be used the last mark stays."""
    for m, market in enumerate(work.markets):
        if market.oracle_state <= OracleState.TOO_VOLATILE or market.oracle_ticks <= 0:
            continue
        given, tick = work.params(m), work.tick
        bid, ask = best_quotes(work, m)
        updated = _with_average(work, m, bid, ask)
        inputs = MarkInputs(
            oracle=market.oracle_ticks,
            bid=bid,
            ask=ask,
            last=int(tick.last_ticks[m]),
            basis=average_value(updated.ema_numerator, updated.ema_denominator),
            rate_ppb=updated.last_rate_ppb_8h * given.funding_interval_ns // (8 * 3_600_000_000_000),
            left_ns=max(0, updated.funding_due_ns - tick.time_ns),
            interval_ns=given.funding_interval_ns,
        )
        price = MARK_RULES[given.mark_rule](inputs)
        # A basis far below the oracle can make a mark of 0 or less.
        if price <= 0:
            continue
        kept = tuple(pair for pair in updated.marks if pair[0] >= tick.time_ns - REMEMBERED_NS)
        work.markets[m] = replace(updated, mark_ticks=price, marks=(*kept, (tick.time_ns, price)))


def _with_average(work: Working, m: int, bid: int, ask: int) -> MarketState:
    """Return the market with its average of (mid - oracle); without both sides it only ages."""
    market, given = work.markets[m], work.params(m)
    elapsed = work.tick.time_ns - work.before.time_ns
    if given.mark_rule in ("oracle", "funding_basis") or elapsed <= 0 or not (bid and ask):
        return market
    last = int(work.tick.last_ticks[m])
    mid = (bid + ask) // 2 if not last else median_floor([bid, ask, last])
    pair = average_update(
        market.ema_numerator, market.ema_denominator, mid - market.oracle_ticks, elapsed, given.mark_ema_ns
    )
    return replace(market, ema_numerator=pair[0], ema_denominator=pair[1])


def best_quotes(work: Working, market: int) -> tuple[int, int]:
    """Return (best bid, best ask) of this event's quotes, 0 for a side that has none."""
    quotes = work.tick.quotes
    if not len(quotes.market):
        return 0, 0
    mine = quotes.market == market
    bids, asks = quotes.limit_ticks[mine & (quotes.lots > 0)], quotes.limit_ticks[mine & (quotes.lots < 0)]
    return int(bids.max(initial=0)), int(asks.min()) if asks.size else 0
