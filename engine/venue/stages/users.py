"""Stage 9: transfers and orders of users, under the current breaker and oracle states.  [risk.md 0.4, 6.8, 10]"""

from __future__ import annotations

from engine.venue.base import EventKind, Reason
from engine.venue.fees import fee_quanta
from engine.venue.integers import PPM, exact_sum
from engine.venue.matching import band_of, passes_initial, reject, take
from engine.venue.price_bands import Limiter, capacity_after
from engine.venue.stages.breakers import is_halted, is_reduce_only
from engine.venue.working import Working


def apply_transfers(work: Working) -> None:
    """Book deposits; book withdrawals that leave ``V - x >= max(IM, share x N)`` and fit the limiter.  [6.8, 10.4]"""
    given, table = work.before.params, work.tick.transfers
    elapsed = work.tick.time_ns - work.before.time_ns
    limiter = Limiter(given.withdrawal_period_ns, given.withdrawal_min_quanta, given.withdrawal_tvl_ppm)
    work.withdrawal_capacity = capacity_after(work.withdrawal_capacity, max(0, work.net_deposits), limiter, elapsed)
    for account, quanta in zip(table.account.tolist(), table.quanta.tolist(), strict=True):
        reason = None if quanta >= 0 else _refusal(work, account, -quanta)
        if reason is not None:
            work.emit(EventKind.REJECTION, reason, account=account, quanta=quanta)
            continue
        work.own()
        work.cash[account] += quanta
        work.net_deposits += quanta
        # Withdrawals use it up; it grows with time alone, not with deposits.  [risk.md 10.4]
        work.withdrawal_capacity += min(0, quanta)
        work.touched(account)
        work.emit(EventKind.TRANSFER, Reason.USER_TRANSFER, account=account, quanta=quanta)


def _refusal(work: Working, account: int, amount: int) -> Reason | None:
    notional = sum(abs(int(work.size[m, account])) * work.unit(m) for m in range(len(work.markets)))
    kept = max(work.initial(account), -(-notional * work.before.params.transfer_min_notional_ppm // PPM))
    if work.value(account) - amount < kept:
        return Reason.BELOW_INITIAL
    return Reason.WITHDRAWAL_LIMIT if amount > work.withdrawal_capacity else None


def apply_orders(work: Working) -> None:
    """Match orders, immediate or cancelled, in the order of the table; `check_tick` has refused unknown rows."""
    table = work.tick.orders
    rows = (table.account, table.market, table.lots, table.limit_ticks)
    for account, market, lots, limit in zip(*(column.tolist() for column in rows), strict=True):
        if lots:
            _order(work, account, market, lots, limit)


def _order(work: Working, account: int, market: int, lots: int, limit: int) -> None:
    if is_halted(work, market):
        return reject(work, Reason.HALTED, market, account, lots)
    if is_reduce_only(work, market):
        size = int(work.size[market, account])
        lots = max(-size, lots) if lots < 0 < size else min(-size, lots) if size < 0 < lots else 0
        if lots == 0:
            return reject(work, Reason.REDUCE_ONLY, market, account, lots)
    low, high = band_of(work, market)
    limit = min(limit, high) if lots > 0 else max(limit, low)
    given = work.params(market)
    # At the limit, the worst price at which the order may trade.
    if not passes_initial(work, account, market, lots, limit, given.taker_fee_ppm):
        return reject(work, Reason.BELOW_INITIAL, market, account, lots)

    def settle(maker: int, traded: int, price: int) -> bool:
        quanta = traded * price * given.quanta_per_lot_tick
        fee = fee_quanta(abs(quanta), given.taker_fee_ppm)
        if fee:
            work.to_fees(account, fee)
        work.emit(
            EventKind.FILL, Reason.USER_ORDER, market, account, counterparty=maker, lots=traded, price_ticks=price,
            quanta=-quanta,
        )  # fmt: skip
        return True

    if take(work, account, market, lots, limit, settle) == 0:
        reject(work, Reason.NO_LIQUIDITY, market, account, lots)
    return None


def total_positions(work: Working, market: int) -> int:
    """Return the sum of signed lots: 0 by I2."""
    return exact_sum(work.size[market])
