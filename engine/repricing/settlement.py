"""What ended placements earned, day by day: `engine.positions.settlement` over many positions at once.  [S4.6, S4.7]

Every placement pays the impact of its own notional at an untouched book, at entry and at exit: no other signal's
depth enters, so one (signal, time) has one price.  [docs/decisions/0120]
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.costs.borrow import annual_rate
from engine.costs.depth import impact_usd
from engine.exact.rounded import RunningSums, row_sums
from engine.params import Params
from engine.records import LEGS, FloatArray, IntArray, Kind
from engine.repricing.closing import ClosedLegs
from engine.repricing.exits import Exits, FilledEntries
from engine.repricing.funding_income import funding_of
from engine.repricing.funding_payments import Payments
from engine.repricing.leg_terms import SideTerms, side_terms
from engine.repricing.window import PriceWindow
from engine.units import BPS, MICRO, NS_PER_DAY, NS_PER_YEAR, micro_usd


def accruals_of(
    span: PriceWindow,
    entered: FilledEntries,
    ends: Exits,
    closed: ClosedLegs,
    units: FloatArray,
    params: Params,
    paid: Mapping[int, Payments],
) -> tuple[IntArray, IntArray]:
    """Return the first day of each placement and its micro-USD by day from then on, ``[M, D]``.

    A term's accrual of a day is the difference of its cumulative half-even micro-USD, as in
    `engine.positions.accruals`.
    """
    entry_ns = span.times_ns[entered.row]
    first, last = entry_ns // NS_PER_DAY, closed.ns // NS_PER_DAY
    nights = last - first
    days = int(nights.max(initial=-1)) + 1
    net = _daily(_gross(span, entered, closed, units, params, first, nights))
    entry_fee, entry_slip, borrow_rate = _entry(span, entered, units, params)
    exit_fee, exit_slip = _exit(span, entered, closed, units, params)
    every = np.arange(len(net))
    for at_entry, at_exit in ((entry_fee, exit_fee), (entry_slip, exit_slip)):
        on_entry = micro(at_entry)
        net[:, 0] -= on_entry
        net[every, nights] -= micro(at_entry + at_exit) - on_entry
    funded, running = funding_of(entered, ends.forced, closed.ns, units, paid, first, days)
    net[funded] += _daily(running)
    short = np.flatnonzero(borrow_rate)
    end_ns = (first[short, None] + np.arange(1, days + 1)) * NS_PER_DAY
    held_ns = np.minimum(end_ns, closed.ns[short, None]) - entry_ns[short, None]
    net[short] -= _daily(borrow_rate[short, None] * held_ns / NS_PER_YEAR)
    return first, net


def micro(amount_usd: FloatArray) -> IntArray:
    """Return `engine.units.micro_usd` of each amount: the product decides, and near a tie the decimal text does."""
    scaled = amount_usd * MICRO
    out = np.rint(scaled).astype(np.int64)
    near = np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) < 1e-4
    for at in np.argwhere(near | (np.abs(scaled) > 1e11)):
        out[tuple(at)] = micro_usd(float(amount_usd[tuple(at)]))
    return out


def _daily(running: FloatArray) -> IntArray:
    return np.diff(micro(running), axis=1, prepend=0)


def _entry(
    span: PriceWindow, entered: FilledEntries, units: FloatArray, params: Params
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the fees and the slippage of entry, and the yearly borrow of spot sold short, USD."""
    table = span.views[0].panel.instruments
    m, leg = np.nonzero(entered.leg >= 0)
    c, quantity = entered.leg[m, leg], entered.quantity[m, leg]
    terms = side_terms(span, entered.row[m], c, quantity)
    notional = np.abs(quantity) * units[m] * terms.mid * terms.usd
    short_spot = (quantity < 0.0) & (table.kind[span.code[c]] == Kind.SPOT)
    rate = np.zeros(len(c))
    for one in np.unique(c[short_spot]).tolist():
        rate[c == one] = annual_rate(params.borrow_rate, table.base[span.code[one]])
    fee, slip, impact, borrow = (np.zeros((len(units), LEGS)) for _ in range(4))
    fee[m, leg] = notional * terms.fee_bps / BPS
    slip[m, leg] = notional * _side(terms) / BPS
    impact[m, leg] = _impact(terms, notional)
    borrow[m, leg] = np.where(short_spot, notional * rate, 0.0)
    return row_sums(fee), row_sums(np.concatenate([impact, slip], axis=1)), row_sums(borrow)


def _exit(
    span: PriceWindow, entered: FilledEntries, closed: ClosedLegs, units: FloatArray, params: Params
) -> tuple[FloatArray, FloatArray]:
    """Return the fees and the slippage of leaving, USD."""
    m, leg = np.nonzero(entered.leg >= 0)
    c, bought, entry = entered.leg[m, leg], entered.quantity[m, leg], entered.price[m, leg]
    done = closed.expired[m, leg]
    terms = side_terms(span, closed.row[m, leg], c, -bought)
    mid = np.where(done, closed.price[m, leg], terms.mid)
    usd = np.where(done, closed.fee_usd[m, leg], terms.usd)
    fee_bps = np.where(done, closed.fee_bps[m, leg], terms.fee_bps)
    with np.errstate(divide="ignore", invalid="ignore"):  # a worthless option is settled at zero
        quantity = np.where(span.inverse[c], bought * entry / mid, bought)
    notional = np.abs(quantity) * units[m] * mid * usd
    haircut = np.where(closed.gap[m, leg], params.data_gap_haircut_bps, 0.0)
    fee, slip, impact = (np.zeros((len(units), LEGS)) for _ in range(3))
    fee[m, leg] = notional * fee_bps / BPS
    slip[m, leg] = notional * (np.where(done, 0.0, _side(terms)) + haircut) / BPS
    impact[m, leg] = np.where(done, 0.0, _impact(terms, notional))
    return row_sums(fee), row_sums(np.concatenate([impact, slip], axis=1))


def _side(terms: SideTerms) -> FloatArray:
    """Return what crossing to one side costs before impact, as `engine.positions.leg_quotes.side_bps`."""
    return terms.slip_bps + np.where(np.isnan(terms.spread_bps), 0.0, terms.spread_bps / 2.0)


def _impact(terms: SideTerms, notional: FloatArray) -> FloatArray:
    known = terms.depth_usd > 0.0
    depth = np.where(known, terms.depth_usd, 1.0)
    return np.where(known, impact_usd(terms.spread_bps, depth, np.zeros(len(depth)), notional), 0.0)


def _gross(
    span: PriceWindow,
    entered: FilledEntries,
    closed: ClosedLegs,
    units: FloatArray,
    params: Params,
    first: IntArray,
    nights: IntArray,
) -> FloatArray:
    """Return the profit at marks up to the end of each day, ``[M, D]``; the last day's is that of the exit."""
    m, leg = np.nonzero(entered.leg >= 0)
    c, bought = entered.leg[m, leg], entered.quantity[m, leg]
    before, usd = entered.price[m, leg], span.conversion[c, entered.row[m]]
    contracts, inverse = bought * before, span.inverse[c]
    sums, running = RunningSums(len(units)), np.zeros((len(units), int(nights.max(initial=-1)) + 1))
    for d in range(running.shape[1]):
        on, stays = np.flatnonzero(nights[m] >= d), np.flatnonzero(nights[m] > d)
        price, worth = closed.price[m, leg], closed.usd[m, leg]
        end_ns = (first[m[stays]] + d + 1) * NS_PER_DAY
        price[stays], worth[stays] = _marks(span, c[stays], end_ns, params.mark_max_age_ns, before[stays], usd[stays])
        with np.errstate(divide="ignore", invalid="ignore"):
            coin = contracts[on] * (1.0 / before[on] - 1.0 / price[on])
        earned = np.where(inverse[on], coin, bought[on] * (price[on] - before[on]))
        step = np.zeros((LEGS, len(units)))
        step[leg[on], m[on]] = units[m[on]] * earned * worth[on]
        for term in step:
            sums.add(term)
        running[:, d] = sums.totals()
        before, usd = price, worth
    return running


def _marks(
    span: PriceWindow, c: IntArray, end_ns: IntArray, max_age_ns: int, before: FloatArray, usd: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the last mark of each leg at the end of a day and its USD; what it was ``before`` where that is old."""
    row = np.minimum(np.searchsorted(span.times_ns, end_ns, side="right") - 1, len(span.times_ns) - 1)
    at = span.last_mark(c, row)
    fresh = span.known_ns[c, at] >= end_ns - max_age_ns
    return np.where(fresh, span.mark[c, at], before), np.where(fresh, span.conversion[c, at], usd)
