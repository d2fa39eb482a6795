"""Stage 7: liquidations in queue order, with limits per step.  [risk.md 0.4, 7, 8]

Riskiest account first.  Each position is offered to the quotes at the bankruptcy price of what is closed, or at dYdX's
fillable price; the fund receives what a fill brings above bankruptcy, up to the fee, and pays what it lacks.
"""

from __future__ import annotations

from engine.venue.base import EventKind, Reason
from engine.venue.insurance_fund import fund_delta, may_fill
from engine.venue.integers import div_ceil
from engine.venue.liquidation import (
    FillableLimits,
    fillable_price,
    goes_to_backstop,
    is_liquidatable,
    lots_to_close,
    riskiest_first,
    rounded_to_tick,
)
from engine.venue.liquidation_price import allocated_value
from engine.venue.matching import take
from engine.venue.stages.breakers import may_liquidate
from engine.venue.working import Working


def apply(work: Working) -> None:
    """Liquidate what is below maintenance; accounts below zero are left to the next stage."""
    allowed = [may_liquidate(work, m) for m in range(len(work.markets))]
    if not any(allowed):
        return
    queue = riskiest_first(work.below_maintenance())
    for account in queue[: work.before.params.liquidations_per_step]:
        if account == work.before.params.backstop_account:
            continue
        # Asked again: as the maker of an earlier fill the account may have changed.
        if is_liquidatable(work.value(account), work.account_maintenance(account)):
            _liquidate(work, account, allowed)


def _liquidate(work: Working, account: int, allowed: list[bool]) -> None:
    """Offer the positions of one account, largest requirement first, until it is healthy."""
    markets = sorted(
        (m for m in range(len(work.markets)) if allowed[m] and work.size[m, account]),
        key=lambda m: (-work.position_maintenance(m, int(work.size[m, account])), m),
    )
    for m in markets:
        if not is_liquidatable(work.value(account), work.account_maintenance(account)):
            return
        _offer(work, account, m)
    value, maintenance = work.value(account), work.account_maintenance(account)
    # Only where every market allows it: the backstop takes positions and margin as a whole.
    if is_liquidatable(value, maintenance) and value >= 0 and goes_to_backstop(value, maintenance) and all(allowed):
        _to_backstop(work, account)


def _offer(work: Working, account: int, market: int) -> None:
    """Trade one step's share of a position; every fill settles with the fund at once."""
    given, whole = work.params(market), work.before.params
    size, unit = int(work.size[market, account]), work.unit(market)
    lots = lots_to_close(abs(size), abs(size) * unit, whole.liquidation_min_quanta, whole.liquidation_portion_ppm)
    delta = -lots if size > 0 else lots

    def settle(maker: int, traded: int, price: int) -> bool:
        quote = -traded * price * given.quanta_per_lot_tick  # > 0 for a sale
        gain = fund_delta(quote, bankruptcy_quote(work, account, market, traded), given.liquidation_fee_ppm)
        if not may_fill(work.fund, gain):
            return False
        work.emit(
            EventKind.LIQUIDATION,
            Reason.BELOW_MAINTENANCE,
            market,
            account,
            counterparty=maker,
            lots=traded,
            price_ticks=price,
            quanta=quote,
        )
        if gain:
            work.to_fund(account, gain)
            work.emit(
                EventKind.FUND, Reason.FUND_RECEIVES if gain > 0 else Reason.FUND_PAYS, market, account, quanta=gain
            )
        return True

    take(work, account, market, delta, limit_ticks(work, account, market, delta), settle)


def bankruptcy_quote(work: Working, account: int, market: int, delta: int) -> int:
    """Return what closing ``delta`` lots must at least bring (negative: may at most cost), in quanta.  [7.3]"""
    size, unit = int(work.size[market, account]), work.unit(market)
    released = work.position_maintenance(market, size) - work.position_maintenance(market, size + delta)
    return -delta * unit - allocated_value(work.value(account), released, work.account_maintenance(account))


def limit_ticks(work: Working, account: int, market: int, delta: int) -> int:
    """Return the limit price of a liquidation order, in ticks."""
    given, whole = work.params(market), work.before.params
    lots = abs(delta) * given.quanta_per_lot_tick
    if whole.limit_price_rule == "bankruptcy":
        quote = bankruptcy_quote(work, account, market, delta)
        # Rounded so that no fill is worse than the bankruptcy price.
        return max(1, div_ceil(quote, lots)) if delta < 0 else max(1, -quote // lots)
    size = int(work.size[market, account])
    limits = FillableLimits(whole.bankruptcy_adjustment_ppm, whole.spread_to_maintenance_ppm)
    price = fillable_price(
        size * work.unit(market),
        size,
        work.value(account),
        work.account_maintenance(account),
        work.position_maintenance(market, size),
        limits,
    )
    return rounded_to_tick(price / given.quanta_per_lot_tick, 1, is_buy=delta > 0)


def _to_backstop(work: Working, account: int) -> None:
    """Move positions and margin to the backstop, if it can bear them: the user's margin is not returned.  [7.5]"""
    vault = work.before.params.backstop_account
    if vault < 0:
        return
    work.own()
    moved = [(m, int(work.size[m, account])) for m in range(len(work.markets)) if work.size[m, account]]
    # The backstop's requirement is known once it has the positions: what it cannot bear is undone.
    saved = (
        work.cash[[account, vault]].copy(),
        work.size[:, [account, vault]].copy(),
        work.cost[:, [account, vault]].copy(),
    )
    for m, size in moved:
        quanta = size * work.unit(m)
        work.trade(m, account, -size, -quanta)
        work.trade(m, vault, size, quanta)
    margin = work.value(account)
    work.cash[account] -= margin
    work.cash[vault] += margin
    work.touched(account, vault)
    if work.value(vault) < work.initial(vault):
        work.cash[[account, vault]] = saved[0]
        work.size[:, [account, vault]] = saved[1]
        work.cost[:, [account, vault]] = saved[2]
        work.touched(account, vault)
        return
    for m, size in moved:
        price = work.markets[m].mark_ticks
        work.emit(
            EventKind.LIQUIDATION, Reason.BELOW_MAINTENANCE, m, account, counterparty=vault, lots=-size,
            price_ticks=price, quanta=size * work.unit(m),
        )  # fmt: skip
