"""Settles a position leg by leg in integer micro-USD; no figure is taken from the decision's estimate.  [S4.6, S4.7]

With u = size / S base units (S at the decision), q a leg's quantity, P_d its mark at the end of day d (P_0 the mid at
entry, the last one the exit price) and c_d the USD per unit of its profit currency at that time:

    gross      sum over days of u q (P_d - P_(d-1)) c_d,  inverse: u n (1/P_(d-1) - 1/P_d) c_d with n = q E
    fees       fee x notional of each leg, at entry and at exit; the delivery fee for a leg that expired
    slippage   half-spread (or fallback) x notional + the leg's share of the book's impact, at entry and at exit;
               a leg without a quote at exit pays the registered haircut on top
    funding    - u q x price x rate, on the day of each settlement
    borrow     annual rate of what a spot leg pays with x entry notional x started hours; own currency is free

Profit in coin is converted on the day it is earned and not revalued.  Capital is charged on returns [R1.6], so it is no
term here.
"""

from __future__ import annotations

from math import fsum

from engine.costs.borrow import annual_rate, pays_with
from engine.params import Params
from engine.positions.accruals import Cumulative, accruals, total_micro
from engine.positions.base import LegQuote, Position, Trade
from engine.positions.formulas import borrow_usd, charge_usd, mark_profit, notional_usd
from engine.positions.funding import received_usd
from engine.positions.leg_quotes import side_bps
from engine.records import Instruments, Kind
from engine.units import BPS, NS_PER_DAY, micro_usd

Impact = tuple[float, ...]
"""The market impact charged to each leg of one execution, USD."""


def settle(
    position: Position, instruments: Instruments, params: Params, entry_impact: Impact, exit_impact: Impact
) -> Trade:
    """Return the trade of a filled ``position``; the impacts are those that `settle_portfolio` charges its legs."""
    first, last = position.entry_ns // NS_PER_DAY, position.exit_ns // NS_PER_DAY
    gross = _gross(position, instruments)
    fees = _twice(first, _entry_fees(position), last, _exit_fees(position))
    slippage = _twice(
        first, _entry_slippage(position, entry_impact), last, _exit_slippage(position, params, exit_impact)
    )
    funding = _funding(position)
    borrow = _borrow(position, instruments, params)
    terms = ((1, gross), (-1, fees), (-1, slippage), (1, funding), (-1, borrow))
    # Each term is rounded by itself: the net is the sum of the terms as they are shown.  [R1.1]
    totals = [total_micro(running) for _, running in terms]
    other = position.first_index
    # Of the legs that it holds to their expiry no exit has an impact.
    impacts = tuple(0.0 if done else usd for usd, done in zip(exit_impact, other.expired, strict=True)) if other else ()
    return Trade(
        position=position,
        notional_usd=position.signal.size_usd,
        rejected="",
        gross=totals[0],
        fees=totals[1],
        slippage=totals[2],
        funding=totals[3],
        borrow=totals[4],
        net=totals[0] - totals[1] - totals[2] + totals[3] - totals[4],
        modelled=modelled_micro(position),
        accruals=accruals(terms),
        first_index=settle(other, instruments, params, entry_impact, impacts).accruals if other else {},
    )


def untraded(position: Position, why: str) -> Trade:
    """Return the trade of a position that was not taken, for the reason ``why``: every amount is 0."""
    return Trade(position, position.signal.size_usd, why, 0, 0, 0, 0, 0, 0, modelled_micro(position), {})


def modelled_micro(position: Position) -> int:
    """Return the decision's net times its notional, micro-USD."""
    return micro_usd(position.signal.net_bps * position.signal.size_usd / BPS)


def units(position: Position) -> float:
    """Return the base units of the package: size / S at the decision."""
    return position.signal.size_usd / position.signal.spot_usd


def leg_notional(position: Position, leg: LegQuote) -> float:
    """Return the USD notional of ``leg``, an entry or exit quote of ``position``."""
    return notional_usd(leg.quantity, units(position), leg.mid, leg.money)


def _gross(position: Position, instruments: Instruments) -> Cumulative:
    steps = [(mark.day, mark.price, mark.usd) for mark in position.marks]
    steps.append((position.exit_ns // NS_PER_DAY, position.exit_price, position.exit_usd))
    inverse = [bool(instruments.inverse[leg.code]) for leg in position.entry]
    before = [leg.mid for leg in position.entry]
    profits: list[float] = []
    running = []
    for day, prices, conversions in steps:
        for number, (leg, price, usd) in enumerate(zip(position.entry, prices, conversions, strict=True)):
            profit = mark_profit(leg.quantity, inverse[number], leg.mid, before[number], price)
            profits.append(units(position) * profit * usd)
            before[number] = price
        # Of all profits since the entry, summed exactly: the sum of rounded days would drift.
        running.append((day, fsum(profits)))
    return tuple(running)


def _entry_fees(position: Position) -> float:
    return fsum(charge_usd(leg_notional(position, leg), leg.fee_bps) for leg in position.entry)


def _exit_fees(position: Position) -> float:
    """Return the fees at exit; the quote of a leg that expired holds its delivery fee."""
    return fsum(charge_usd(leg_notional(position, leg), leg.fee_bps) for leg in position.exit)


def _entry_slippage(position: Position, impact: Impact) -> float:
    return fsum([*impact, *(charge_usd(leg_notional(position, leg), side_bps(leg)) for leg in position.entry)])


def _exit_slippage(position: Position, params: Params, impact: Impact) -> float:
    crossed = [
        charge_usd(leg_notional(position, leg), side_bps(leg) + (params.data_gap_haircut_bps if gap else 0.0))
        for leg, gap in zip(position.exit, position.gap, strict=True)
    ]
    return fsum([*impact, *crossed])


def _twice(first: int, entry: float, last: int, exit_: float) -> Cumulative:
    """Return the running total of a cost paid at entry and at exit, each on its own day."""
    return ((first, entry + exit_),) if first == last else ((first, entry), (last, entry + exit_))


def _funding(position: Position) -> Cumulative:
    received: list[float] = []
    running: dict[int, float] = {}
    for payment in position.funding:
        received.append(units(position) * received_usd(position.entry, payment))
        running[payment.t_ns // NS_PER_DAY] = fsum(received)
    return tuple(running.items())


def _borrow(position: Position, instruments: Instruments, params: Params) -> Cumulative:
    """Return the running total of the borrow paid, by the hours started; empty if nothing is borrowed."""
    yearly = fsum(
        leg_notional(position, leg)
        * annual_rate(params.borrow_rate, pays_with(instruments, leg.code, sold=leg.quantity < 0.0))
        for leg in position.entry
        if instruments.kind[leg.code] == Kind.SPOT
    )
    if yearly == 0.0:
        return ()
    first, last = position.entry_ns // NS_PER_DAY, position.exit_ns // NS_PER_DAY
    until_ns = {day: min((day + 1) * NS_PER_DAY, position.exit_ns) for day in range(first, last + 1)}
    return tuple((day, borrow_usd(yearly, end_ns - position.entry_ns)) for day, end_ns in until_ns.items())
