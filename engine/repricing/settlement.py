"""Settles placebo positions by day: `engine.positions.settlement` for many positions at once.  [S4.6, S4.7]

Every position pays the impact of its own notional on an untouched book, at entry and at exit.  Depth taken by other
signals is not counted, so a pair (signal, time) has one result.  [docs/decisions/0120]
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.costs.borrow import annual_rate, pays_with
from engine.costs.depth import impact_usd
from engine.exact.rounded import RunningSums, row_sums
from engine.params import Params
from engine.positions.formulas import (
    borrow_usd,
    charge_usd,
    daily_micro_usd,
    mark_profit,
    micro_usd_of,
    notional_usd,
    order_quantity,
    side_charge_bps,
)
from engine.records import LEGS, FloatArray, IntArray, Kind
from engine.repricing.closing import ClosedLegs
from engine.repricing.exits import Exits, FilledEntries
from engine.repricing.funding_income import funding_of
from engine.repricing.funding_payments import Payments
from engine.repricing.leg_terms import SideTerms, side_terms
from engine.repricing.window import PriceWindow
from engine.units import NS_PER_DAY


def accruals_of(
    window: PriceWindow,
    entered: FilledEntries,
    ends: Exits,
    closed: ClosedLegs,
    units: FloatArray,
    params: Params,
    paid: Mapping[int, Payments],
) -> tuple[IntArray, IntArray]:
    """Return the first day of each position, ``[M]``, and its micro-USD by day from that day on, ``[M, D]``.

    ``units [M]`` are the base units of each package.  Each term accrues as in `engine.positions.accruals`.
    """
    entry_ns = window.times_ns[entered.row]
    first, last = entry_ns // NS_PER_DAY, closed.ns // NS_PER_DAY
    nights = last - first
    days = int(nights.max(initial=-1)) + 1
    net = daily_micro_usd(_gross(window, entered, closed, units, params, first, nights))
    entry_fee, entry_slip, yearly_borrow = _entry(window, entered, units, params)
    exit_fee, exit_slip = _exit(window, entered, closed, units, params)
    every = np.arange(len(net))
    for at_entry, at_exit in ((entry_fee, exit_fee), (entry_slip, exit_slip)):
        on_entry = micro_usd_of(at_entry)
        net[:, 0] -= on_entry
        # The rounded total less its rounded first part, as `accruals` has it: the days sum to the total.
        net[every, nights] -= micro_usd_of(at_entry + at_exit) - on_entry
    funded, running = funding_of(entered, ends.forced, closed.ns, units, paid, first, days)
    net[funded] += daily_micro_usd(running)
    borrowed = np.flatnonzero(yearly_borrow)
    end_ns = (first[borrowed, None] + np.arange(1, days + 1)) * NS_PER_DAY
    open_ns = np.minimum(end_ns, closed.ns[borrowed, None]) - entry_ns[borrowed, None]
    net[borrowed] -= daily_micro_usd(borrow_usd(yearly_borrow[borrowed, None], open_ns))
    return first, net


def _entry(
    window: PriceWindow, entered: FilledEntries, units: FloatArray, params: Params
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the fees and the slippage at entry, and the yearly borrow of spot legs, USD, each ``[M]``."""
    table = window.views[0].panel.instruments
    m, leg = np.nonzero(entered.leg >= 0)
    c, quantity = entered.leg[m, leg], entered.quantity[m, leg]
    terms = side_terms(window, entered.row[m], c, quantity)
    notional = notional_usd(quantity, units[m], terms.mid, terms.money)
    spot = table.kind[window.code[c]] == Kind.SPOT
    rate = np.zeros(len(c))
    for sold in (True, False):
        paying = spot & ((quantity < 0.0) == sold)
        for instrument in np.unique(c[paying]).tolist():
            currency = pays_with(table, int(window.code[instrument]), sold=sold)
            rate[paying & (c == instrument)] = annual_rate(params.borrow_rate, currency)
    fee, slip, impact, borrow = (np.zeros((len(units), LEGS)) for _ in range(4))
    fee[m, leg] = charge_usd(notional, terms.fee_bps)
    slip[m, leg] = charge_usd(notional, side_charge_bps(terms.spread_bps, terms.slip_bps))
    impact[m, leg] = _impact(terms, notional)
    borrow[m, leg] = np.where(rate > 0.0, notional * rate, 0.0)
    return row_sums(fee), row_sums(np.concatenate([impact, slip], axis=1)), row_sums(borrow)


def _exit(
    window: PriceWindow, entered: FilledEntries, closed: ClosedLegs, units: FloatArray, params: Params
) -> tuple[FloatArray, FloatArray]:
    """Return the fees and the slippage at exit, USD, each ``[M]``."""
    m, leg = np.nonzero(entered.leg >= 0)
    c, bought, entry = entered.leg[m, leg], entered.quantity[m, leg], entered.price[m, leg]
    done = closed.expired[m, leg]
    terms = side_terms(window, closed.row[m, leg], c, -bought)
    mid = np.where(done, closed.price[m, leg], terms.mid)
    usd = np.where(done, closed.fee_usd[m, leg], terms.money)
    fee_bps = np.where(done, closed.fee_bps[m, leg], terms.fee_bps)
    # A worthless option is settled at a price of zero; its kind is linear, so the division by zero is not taken.
    quantity = order_quantity(bought, window.inverse[c], entry, mid)
    notional = notional_usd(quantity, units[m], mid, usd)
    haircut = np.where(closed.gap[m, leg], params.data_gap_haircut_bps, 0.0)
    fee, slip, impact = (np.zeros((len(units), LEGS)) for _ in range(3))
    side = np.where(done, 0.0, side_charge_bps(terms.spread_bps, terms.slip_bps))
    fee[m, leg] = charge_usd(notional, fee_bps)
    slip[m, leg] = charge_usd(notional, side + haircut)
    impact[m, leg] = np.where(done, 0.0, _impact(terms, notional))
    return row_sums(fee), row_sums(np.concatenate([impact, slip], axis=1))


def _impact(terms: SideTerms, notional: FloatArray) -> FloatArray:
    known = terms.depth_usd > 0.0
    # Both branches are evaluated: 1.0 keeps an unknown depth from dividing.
    depth = np.where(known, terms.depth_usd, 1.0)
    return np.where(known, impact_usd(terms.spread_bps, depth, np.zeros(len(depth)), notional), 0.0)


def _gross(
    window: PriceWindow,
    entered: FilledEntries,
    closed: ClosedLegs,
    units: FloatArray,
    params: Params,
    first: IntArray,
    nights: IntArray,
) -> FloatArray:
    """Return the profit at marks up to the end of each day, USD, ``[M, D]``; on the last day at the exit price."""
    m, leg = np.nonzero(entered.leg >= 0)
    c, bought = entered.leg[m, leg], entered.quantity[m, leg]
    entry, inverse = entered.price[m, leg], window.inverse[c]
    before = entry
    sums, running = RunningSums(len(units)), np.zeros((len(units), int(nights.max(initial=-1)) + 1))
    for d in range(running.shape[1]):
        on, stays = np.flatnonzero(nights[m] >= d), np.flatnonzero(nights[m] > d)
        price, worth = closed.price[m, leg], closed.usd[m, leg]
        end_ns = (first[m[stays]] + d + 1) * NS_PER_DAY
        price[stays], worth[stays] = _marks(window, c[stays], end_ns, params.mark_max_age_ns, before[stays])
        earned = mark_profit(bought[on], inverse[on], entry[on], before[on], price[on])
        step = np.zeros((LEGS, len(units)))
        step[leg[on], m[on]] = units[m[on]] * earned * worth[on]
        for term in step:
            sums.add(term)
        running[:, d] = sums.totals()
        before = price
    return running


def _marks(
    window: PriceWindow, c: IntArray, end_ns: IntArray, max_age_ns: int, before: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each leg's last mark at the end of a day, the one before if it is stale, and the last conversion."""
    # right: a mark of 24:00 belongs to the day that ends there.  [R1.4]
    row = np.minimum(np.searchsorted(window.times_ns, end_ns, side="right") - 1, len(window.times_ns) - 1)
    marked = window.last_mark(c, row)
    fresh = window.known_ns[c, marked] >= end_ns - max_age_ns
    # The day's last index, also where the leg's own quote is older.
    return np.where(fresh, window.mark[c, marked], before), window.conversion[c, window.last_conversion(c, row)]
