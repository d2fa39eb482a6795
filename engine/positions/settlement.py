"""A position's money, leg by leg, in integer micro-USD: nothing is taken from the decision's estimate.  [S4.6, S4.7]

With u = size / S base units (S at the decision), q a leg's quantity, P_d its mark at the end of day d (P_0 the mid at
entry, the last one the exit price) and c_d the USD per unit of its profit currency then:

    gross      sum over days of u q (P_d - P_(d-1)) c_d,  inverse: u n (1/P_(d-1) - 1/P_d) c_d with n = q E
    fees       fee x notional of each leg, at entry and at exit; the delivery fee for a leg that expired
    slippage   half-spread (or fallback) x notional + the leg's share of the book's impact, at entry and at exit;
               a leg without a quote at exit pays the registered haircut on top
    funding    - u q x price x rate, on the day of each settlement
    borrow     annual rate of the base x entry notional x time held, for each spot sold short

Profit in coin is converted on the day it is earned and never revalued; capital is charged on returns [R1.6], so 0 here.
"""

from __future__ import annotations

from collections.abc import Callable
from math import fsum

from engine.costs.borrow import annual_rate
from engine.params import Params
from engine.positions.accruals import Cumulative, accruals, total_micro
from engine.positions.base import LegQuote, Position, Trade
from engine.positions.funding import received_usd
from engine.positions.leg_quotes import side_bps
from engine.records import Instruments, Kind
from engine.units import BPS, NS_PER_DAY, NS_PER_YEAR, micro_usd

Impact = tuple[float, ...]
"""USD by leg."""


def settle(
    position: Position, instruments: Instruments, params: Params, entry_impact: Impact, exit_impact: Impact
) -> Trade:
    """Return the trade of a filled ``position``; impacts are what `book` charged its legs, in USD."""
    first, last = position.entry_ns // NS_PER_DAY, position.exit_ns // NS_PER_DAY
    gross = _gross(position, instruments)
    fees = _twice(first, _entry_fees(position), last, _exit_fees(position))
    slippage = _twice(
        first, _entry_slippage(position, entry_impact), last, _exit_slippage(position, params, exit_impact)
    )
    funding = _funding(position)
    borrow = _borrow(position, instruments, params)
    terms = ((1, gross), (-1, fees), (-1, slippage), (1, funding), (-1, borrow))
    totals = [total_micro(running) for _, running in terms]
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
    )


def untraded(position: Position, why: str) -> Trade:
    """Return the trade that was not made: all money 0, counted and shown."""
    return Trade(position, position.signal.size_usd, why, 0, 0, 0, 0, 0, 0, modelled_micro(position), {})


def modelled_micro(position: Position) -> int:
    """Return the decision's net times its notional, micro-USD."""
    return micro_usd(position.signal.net_bps * position.signal.size_usd / BPS)


def units(position: Position) -> float:
    """Return the base units of the package: size / S at the decision."""
    return position.signal.size_usd / position.signal.spot_usd


def leg_notional(position: Position, leg: LegQuote) -> float:
    """Return the USD notional of ``leg``, an entry or exit quote of ``position``."""
    return abs(leg.quantity) * units(position) * leg.mid * leg.usd


def _gross(position: Position, instruments: Instruments) -> Cumulative:
    steps = [(mark.day, mark.price, mark.usd) for mark in position.marks]
    steps.append((position.exit_ns // NS_PER_DAY, position.exit_price, position.exit_usd))
    before = [leg.mid for leg in position.entry]
    earned: list[float] = []
    running = []
    for day, prices, conversions in steps:
        for at, (leg, price, usd) in enumerate(zip(position.entry, prices, conversions, strict=True)):
            earned.append(units(position) * _earned(leg, instruments, before[at], price) * usd)
            before[at] = price
        running.append((day, fsum(earned)))
    return tuple(running)


def _earned(leg: LegQuote, instruments: Instruments, before: float, price: float) -> float:
    """Return the profit per unit of base notional between two prices, in the leg's profit currency."""
    if instruments.inverse[leg.code]:
        return leg.quantity * leg.mid * (1.0 / before - 1.0 / price)
    return leg.quantity * (price - before)


def _entry_fees(position: Position) -> float:
    return fsum(leg_notional(position, leg) * leg.fee_bps / BPS for leg in position.entry)


def _exit_fees(position: Position) -> float:
    """Return the fees of leaving; the quote of a leg that expired carries its delivery fee."""
    return fsum(leg_notional(position, leg) * leg.fee_bps / BPS for leg in position.exit)


def _entry_slippage(position: Position, impact: Impact) -> float:
    return fsum([*impact, *(leg_notional(position, leg) * side_bps(leg) / BPS for leg in position.entry)])


def _exit_slippage(position: Position, params: Params, impact: Impact) -> float:
    crossed = [
        leg_notional(position, leg) * (side_bps(leg) + (params.data_gap_haircut_bps if gap else 0.0)) / BPS
        for leg, gap in zip(position.exit, position.gap, strict=True)
    ]
    return fsum([*impact, *crossed])


def _twice(first: int, entry: float, last: int, exit_: float) -> Cumulative:
    """Return a cost paid half at entry and half at exit, each on its own day."""
    return ((first, entry + exit_),) if first == last else ((first, entry), (last, entry + exit_))


def _funding(position: Position) -> Cumulative:
    received: list[float] = []
    running: dict[int, float] = {}
    for payment in position.funding:
        received.append(units(position) * received_usd(position.entry, payment))
        running[payment.t_ns // NS_PER_DAY] = fsum(received)
    return tuple(running.items())


def _borrow(position: Position, instruments: Instruments, params: Params) -> Cumulative:
    """Return the borrow paid, by day and by time held; empty where no spot is short."""
    yearly = fsum(
        leg_notional(position, leg) * annual_rate(params.borrow_rate, instruments.base[leg.code])
        for leg in position.entry
        if leg.quantity < 0.0 and instruments.kind[leg.code] == Kind.SPOT
    )
    if yearly == 0.0:
        return ()
    paid: Callable[[int], float] = lambda until: yearly * (until - position.entry_ns) / NS_PER_YEAR  # noqa: E731
    first, last = position.entry_ns // NS_PER_DAY, position.exit_ns // NS_PER_DAY
    return tuple((day, paid(min((day + 1) * NS_PER_DAY, position.exit_ns))) for day in range(first, last + 1))
