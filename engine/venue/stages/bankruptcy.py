"""Stage 8: bankruptcies: insurance fund, then deleveraging, then socialisation.  [risk.md 0.4, 8, 9]"""

from __future__ import annotations

import numpy as np

from engine.venue.auto_deleveraging import Winners, ranks
from engine.venue.base import EventKind, Reason
from engine.venue.haircuts import Allocation, pro_rata, queue
from engine.venue.integers import Ints, exact_sum, shares_floor
from engine.venue.socialised_loss import shares
from engine.venue.stages.breakers import may_liquidate
from engine.venue.stages.liquidation import bankruptcy_quote
from engine.venue.working import Working


def apply_fund(work: Working) -> None:
    """Let the fund lift bankrupt accounts to zero where it can pay all; pay bad debt as far as it reaches.

    An account with positions is lifted only where the venue does so before it deleverages.  Largest deficit last, ties
    by id: the fund helps as many as it can.
    """
    value = work.values()
    rows = np.flatnonzero(value < 0).tolist()
    for account in sorted(rows, key=lambda i: (-int(value[i]), i)):
        deficit = -int(value[account])
        has_position = bool(work.size[:, account].any())
        if has_position and not (work.before.params.fund_before_deleveraging and deficit <= work.fund):
            continue
        paid = min(deficit, work.fund)
        if paid:
            work.to_fund(account, -paid)
            if has_position:
                work.lifted.add(account)
            reason = Reason.FUND_PAYS if has_position else Reason.BAD_DEBT
            work.emit(EventKind.FUND, reason, account=account, quanta=-paid)
        if paid < deficit and not has_position:
            work.uncovered[account] = deficit - paid


def apply_deleveraging(work: Working) -> None:
    """Close the positions of bankrupt accounts against winners: worst account first, ties by id.  [9]

    A lifted account has value zero and a position; it is closed here too.
    """
    allowed = [may_liquidate(work, m) for m in range(len(work.markets))]
    if not any(allowed):
        return
    value = work.values()
    rows = [i for i in np.flatnonzero(value <= 0).tolist() if value[i] < 0 or i in work.lifted]
    for account in sorted(rows, key=lambda i: (int(value[i]), i)):
        markets = [m for m in range(len(work.markets)) if allowed[m] and work.size[m, account]]
        for m in sorted(markets, key=lambda m: (-work.position_maintenance(m, int(work.size[m, account])), m)):
            deleverage(work, account, m)
        deficit = -work.value(account)
        # Closed at the mark: the deficit stays.
        if deficit > 0 and not work.size[:, account].any():
            paid = min(deficit, work.fund)
            if paid:
                work.to_fund(account, -paid)
                work.emit(EventKind.FUND, Reason.BAD_DEBT, account=account, quanta=-paid)
            if paid < deficit:
                work.uncovered[account] = deficit - paid


def deleverage(work: Working, account: int, market: int) -> None:
    """Close a position against winners of the other side, at the bankruptcy price or the mark.  [9.2, 9.4]"""
    size = int(work.size[market, account])
    at_mark = size * work.unit(market)  # what the position is worth, signed
    quote = at_mark
    if work.before.params.deleveraging_price == "bankruptcy":
        quote = bankruptcy_quote(work, account, market, -size)
    extra = quote - at_mark  # what winners give up in all, >= 0 for a bankrupt account
    rows = _winners(work, account, market)
    capacity = _capacity(work, rows, market, abs(size), extra)
    taken = _allocate(work, market, rows, capacity, abs(size))
    closed = exact_sum(taken.taken)
    if closed == 0:
        work.emit(EventKind.DELEVERAGING, Reason.NO_WINNERS, market, account, lots=size)
        return
    closing = taken.taken > 0
    _book(work, account, market, rows[closing], taken.taken[closing], quote)
    if taken.residual:
        work.emit(EventKind.DELEVERAGING, Reason.NO_WINNERS, market, account, lots=int(work.size[market, account]))


def _winners(work: Working, account: int, market: int) -> Ints:
    """Return the accounts of the other side that are not bankrupt themselves."""
    size, value = work.size[market], work.values()
    other = size < 0 if work.size[market, account] > 0 else size > 0
    rows: Ints = np.flatnonzero(other & (value >= 0)).astype(np.int64)
    return rows


def _capacity(work: Working, rows: Ints, market: int, lots: int, extra: int) -> Ints:
    """Return how many lots each winner can close without becoming bankrupt: ``V lots / extra``, at most all."""
    size: Ints = np.abs(work.size[market][rows])
    if extra <= 0:
        return size
    value = work.values()[rows]
    each = -(-extra // lots)
    # At least one quantum per lot too little, perhaps.
    short = np.flatnonzero(value // each < size)
    for i in short.tolist():
        size[i] = min(int(size[i]), int(value[i]) * lots // extra)
    return size


def _allocate(work: Working, market: int, rows: Ints, capacity: Ints, lots: int) -> Allocation:
    rule = work.before.params.deleveraging_rule
    if rule == "pro_rata":
        return pro_rata(lots, capacity)
    return queue(lots, capacity, ranks(_columns(work, rows, market), rule))


def _columns(work: Working, rows: Ints, market: int) -> Winners:
    """Return the ranks' columns: profit of this market, cash + cost as wallet, value, notional, entry, requirement."""
    size, cost = work.size[market][rows], work.cost[market][rows]
    worth = size * np.int64(work.unit(market))
    value = work.values()[rows]
    wallet = work.cash[rows] + work.cost[:, rows].sum(axis=0)
    return Winners(worth - cost, wallet, value, np.abs(worth), np.maximum(np.abs(cost), 1), work.maintenance(rows))


def _book(work: Working, account: int, market: int, rows: Ints, lots: Ints, quote: int) -> None:
    """Book the closing at one average price: cumulative shares, so that quanta add up to the last one."""
    size = int(work.size[market, account])
    total = abs(size)
    received = shares_floor(quote, np.cumsum(lots), total, "deleveraging")  # by the bankrupt account, cumulated
    quanta = received - np.concatenate((np.zeros(1, dtype=np.int64), received[:-1]))
    work.trade_many(market, account, rows, lots, quanta)
    closed = exact_sum(lots)
    work.emit(
        EventKind.DELEVERAGING,
        Reason.BANKRUPT,
        market,
        account,
        lots=-closed if size > 0 else closed,
        price_ticks=abs(quote) // (total * work.params(market).quanta_per_lot_tick),
        quanta=int(received[-1]),
        winners=tuple(rows.tolist()),
        winner_lots=tuple(lots.tolist()),
        winner_quanta=tuple(quanta.tolist()),
    )


def apply_socialisation(work: Working) -> None:
    """Share what is uncovered over accounts with positions, in proportion to notional, each at most its value.  [9.5]

    What not even they can bear stays as the account's debt, with an event that says so.
    """
    for account, deficit in sorted(work.uncovered.items()):
        value = work.values()
        notional = np.zeros_like(work.cash)
        for m in range(len(work.markets)):
            notional = notional + np.abs(work.size[m]) * np.int64(work.unit(m))
        payers = np.flatnonzero((notional > 0) & (value > 0)).tolist()
        if not payers:
            work.emit(EventKind.SOCIALISATION, Reason.FUND_EMPTY, account=account, quanta=-deficit)
            continue
        asked = shares(deficit, [int(notional[i]) for i in payers])
        for i, share in zip(payers, asked, strict=True):
            paid = min(share, int(value[i]))
            if paid:
                work.own()
                work.cash[i] -= paid
                work.cash[account] += paid
                deficit -= paid
                work.emit(EventKind.SOCIALISATION, Reason.BAD_DEBT, account=i, counterparty=account, quanta=-paid)
        work.forget_values()
        if deficit:
            work.emit(EventKind.SOCIALISATION, Reason.FUND_EMPTY, account=account, quanta=-deficit)
