"""What ended placements earned, day by day: `engine.signals.settle` over many positions at once.  [S4.6, S4.7]

Every placement pays the impact of its own notional at an untouched book, at entry and at exit: no other signal's
depth enters, so one (signal, time) has one price.  [docs/decisions/0120]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum

import numpy as np

from engine.costs.base import LegTerms, leg_terms
from engine.costs.borrow import annual_rate
from engine.costs.depth import impact_usd
from engine.moves.path import Ends, Entered
from engine.moves.span import Payments, Span
from engine.params import Params
from engine.records import LEGS, BoolArray, FloatArray, IntArray, Kind
from engine.units import BPS, MICRO, NS_PER_DAY, NS_PER_YEAR, micro_usd


@dataclass(frozen=True, slots=True)
class Closed:
    """How the legs were left, ``[M, LEGS]``; absent legs hold zeros.

    ``row`` is where the exit quote stands, ``price`` and ``usd`` what the profit is computed with, ``fee_bps`` and
    ``fee_usd`` (USD per unit of the price currency) those of a leg that expired, NaN elsewhere.
    """

    ns: IntArray  # [M]
    row: IntArray
    price: FloatArray
    usd: FloatArray
    expired: BoolArray
    gap: BoolArray
    fee_bps: FloatArray
    fee_usd: FloatArray


def terms_of(span: Span, row: IntArray, leg: IntArray, crossing: FloatArray) -> dict[str, FloatArray]:
    """Return the cost terms of single legs, each at its own row of the span: mid, usd, and what `leg_terms` says."""
    names = ("fee_bps", "spread_bps", "slip_bps", "depth_usd")
    out = {name: np.full(len(row), np.nan) for name in ("mid", "usd", *names)}
    of_view = span.view_of(row)
    for v in np.unique(of_view).tolist():
        view, mine = span.views[v], np.flatnonzero(of_view == v)
        at = (row[mine] - span.start[v]).astype(np.int32)
        column = span.column[leg[mine], v].astype(np.int32)
        terms: LegTerms = leg_terms(view, at, column[:, None], crossing[mine, None], 0)
        out["mid"][mine], out["usd"][mine] = view.mid[at, column], view.usd[at, column]
        for name in names:
            out[name][mine] = getattr(terms, name)[:, 0]
    return out


def accruals_of(
    span: Span,
    entered: Entered,
    ends: Ends,
    closed: Closed,
    units: FloatArray,
    params: Params,
    paid: Mapping[int, Payments],
) -> tuple[IntArray, IntArray]:
    """Return the first day of each placement and its micro-USD by day from then on, ``[M, D]``.

    A term's accrual of a day is the difference of its cumulative half-even micro-USD, as in `engine.signals.accrue`.
    """
    entry_ns = span.times_ns[entered.row]
    first, last = entry_ns // NS_PER_DAY, closed.ns // NS_PER_DAY
    days = int((last - first).max()) + 1 if len(first) else 0
    net = _daily(_gross(span, entered, closed, units, params, first, last, days))
    entry_fee, entry_slip, borrow_rate = _entry(span, entered, units, params)
    exit_fee, exit_slip = _exit(span, entered, closed, units, params)
    left = np.arange(days)[None, :] >= (last - first)[:, None]
    for at_entry, at_exit in ((entry_fee, exit_fee), (entry_slip, exit_slip)):
        net -= _daily(np.where(left, (at_entry + at_exit)[:, None], at_entry[:, None]))
    net += _daily(_funding(entered, closed, ends, units, paid, first, days))
    end_ns = np.minimum((first[:, None] + np.arange(1, days + 1)[None, :]) * NS_PER_DAY, closed.ns[:, None])
    net -= _daily(borrow_rate[:, None] * (end_ns - entry_ns[:, None]) / NS_PER_YEAR)
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


def _sums(parts: FloatArray) -> FloatArray:
    """Return the correctly rounded sum of each row."""
    return np.fromiter(map(fsum, parts.tolist()), dtype=np.float64, count=len(parts))


def _flat(values: IntArray) -> tuple[IntArray, IntArray]:
    """Return the (position, leg) of the legs that are present."""
    m, leg = np.nonzero(values >= 0)
    return m, leg


def _entry(
    span: Span, entered: Entered, units: FloatArray, params: Params
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the fees and the slippage of entry, and the yearly borrow of spot sold short, USD."""
    table = span.views[0].panel.instruments
    shape = (len(units), LEGS)
    fee, slip, impact, borrow = (np.zeros(shape) for _ in range(4))
    m, leg = _flat(entered.leg)
    c, quantity = entered.leg[m, leg], entered.quantity[m, leg]
    terms = terms_of(span, entered.row[m], c, quantity)
    notional = np.abs(quantity) * units[m] * terms["mid"] * terms["usd"]
    fee[m, leg] = notional * terms["fee_bps"] / BPS
    slip[m, leg] = notional * _side(terms) / BPS
    impact[m, leg] = _impact(terms, notional)
    short_spot = (quantity < 0.0) & (table.kind[span.code[c]] == Kind.SPOT)
    rates = {
        int(i): annual_rate(params.borrow_rate, table.base[span.code[i]]) for i in np.unique(c[short_spot]).tolist()
    }
    rate = np.array([rates.get(int(i), 0.0) for i in c.tolist()])
    borrow[m, leg] = np.where(short_spot, notional * rate, 0.0)
    return _sums(fee), _sums(np.concatenate([impact, slip], axis=1)), _sums(borrow)


def _exit(
    span: Span, entered: Entered, closed: Closed, units: FloatArray, params: Params
) -> tuple[FloatArray, FloatArray]:
    """Return the fees and the slippage of leaving, USD."""
    shape = (len(units), LEGS)
    fee, slip, impact = (np.zeros(shape) for _ in range(3))
    m, leg = _flat(entered.leg)
    c, bought, entry = entered.leg[m, leg], entered.quantity[m, leg], entered.price[m, leg]
    done = closed.expired[m, leg]
    terms = terms_of(span, closed.row[m, leg], c, -bought)
    mid = np.where(done, closed.price[m, leg], terms["mid"])
    usd = np.where(done, closed.fee_usd[m, leg], terms["usd"])
    fee_bps = np.where(done, closed.fee_bps[m, leg], terms["fee_bps"])
    with np.errstate(divide="ignore", invalid="ignore"):  # a worthless option is settled at zero
        quantity = np.where(span.inverse[c], bought * entry / mid, bought)
    notional = np.abs(quantity) * units[m] * mid * usd
    haircut = np.where(closed.gap[m, leg], params.data_gap_haircut_bps, 0.0)
    fee[m, leg] = notional * fee_bps / BPS
    slip[m, leg] = notional * (np.where(done, 0.0, _side(terms)) + haircut) / BPS
    impact[m, leg] = np.where(done, 0.0, _impact(terms, notional))
    return _sums(fee), _sums(np.concatenate([impact, slip], axis=1))


def _side(terms: Mapping[str, FloatArray]) -> FloatArray:
    """Return what crossing to one side costs before impact, as `engine.signals.legs.side_bps`."""
    return terms["slip_bps"] + np.where(np.isnan(terms["spread_bps"]), 0.0, terms["spread_bps"] / 2.0)


def _impact(terms: Mapping[str, FloatArray], notional: FloatArray) -> FloatArray:
    known = terms["depth_usd"] > 0.0
    depth = np.where(known, terms["depth_usd"], 1.0)
    return np.where(known, impact_usd(terms["spread_bps"], depth, np.zeros(len(depth)), notional), 0.0)


def _gross(
    span: Span,
    entered: Entered,
    closed: Closed,
    units: FloatArray,
    params: Params,
    first: IntArray,
    last: IntArray,
    days: int,
) -> FloatArray:
    """Return the profit at marks up to the end of each day, ``[M, D]``; the last day's is that of the exit."""
    present, leg = entered.leg >= 0, np.maximum(entered.leg, 0)
    before, usd = entered.price, span.conversion[leg, entered.row[:, None]]
    earned = np.zeros((len(units), LEGS * days))
    running = np.zeros((len(units), days))
    inverse = span.inverse[leg]
    for d in range(days):
        end_ns = (first + d + 1) * NS_PER_DAY
        row = np.minimum(np.searchsorted(span.times_ns, end_ns, side="right") - 1, len(span.times_ns) - 1)
        at = span.last_mark[leg, row[:, None]]
        fresh = span.known_ns[leg, at] >= (end_ns - params.mark_max_age_ns)[:, None]
        price, worth = np.where(fresh, span.mark[leg, at], before), np.where(fresh, span.conversion[leg, at], usd)
        leaves, over = (first + d == last)[:, None], (first + d > last)[:, None]
        price, worth = np.where(leaves, closed.price, price), np.where(leaves, closed.usd, worth)
        with np.errstate(divide="ignore", invalid="ignore"):
            coin = entered.quantity * entered.price * (1.0 / before - 1.0 / price)
        step = units[:, None] * np.where(inverse, coin, entered.quantity * (price - before)) * worth
        earned[:, LEGS * d : LEGS * (d + 1)] = np.where(present & ~over, step, 0.0)
        running[:, d] = _sums(earned[:, : LEGS * (d + 1)])
        before, usd = np.where(over, before, price), np.where(over, usd, worth)
    return running


def _funding(
    entered: Entered,
    closed: Closed,
    ends: Ends,
    units: FloatArray,
    paid: Mapping[int, Payments],
    first: IntArray,
    days: int,
) -> FloatArray:
    """Return the funding received up to the end of each day, USD, ``[M, D]``."""
    received: list[list[tuple[int, float]]] = [[] for _ in units]
    running = np.zeros((len(units), days))
    for leg in range(LEGS):
        for c in np.unique(entered.leg[:, leg]).tolist():
            payments = paid.get(c)
            if payments is None or not len(payments.t_ns):
                continue
            which = np.flatnonzero(entered.leg[:, leg] == c)
            begin = np.searchsorted(payments.row, entered.row[which], side="right")
            end = np.searchsorted(payments.t_ns, closed.ns[which], side="left")
            end = np.where(ends.forced[which], len(payments.t_ns), end)
            for m, a, b in zip(which.tolist(), begin.tolist(), end.tolist(), strict=True):
                quantity, entry = -entered.quantity[m, leg], entered.price[m, leg]
                price = payments.price[a:b]
                if payments.by_contract:
                    price = entry / price * payments.conversion[a:b]
                usd = units[m] * (quantity * price * payments.rate[a:b])
                received[m] += zip((payments.t_ns[a:b] // NS_PER_DAY - first[m]).tolist(), usd.tolist(), strict=True)
    for m, payments_ in enumerate(received):
        if payments_:
            for d in range(days):
                running[m, d] = fsum(usd for day, usd in payments_ if day <= d)
    return running
