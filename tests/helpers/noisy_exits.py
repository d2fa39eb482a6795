"""Trades of a gap that closes under noise: what of the noise is booked as profit.  Everything is synthetic.

A perp stands 60 bps above its spot and falls to it in a straight line over 12 grid times, again and again; its mid has
noise.  Each fall is one trade: short the perp, long the spot, decided at the first grid time.  The booked noise of a
trade is its profit at mids less that of the line between the same two grid times: noise at entry less noise at exit.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from engine.market.view import prepare
from engine.params import Params
from engine.records import FloatArray
from engine.repricing.base import PlaceboEntries, SourceSignals, source_signals
from engine.repricing.entry import fill
from engine.repricing.exits import find_exits
from engine.repricing.window import price_window
from engine.units import NS_PER_SECOND
from tests.helpers.builders import T0_NS, curves, instruments, panel, params, perp, quote, rules, spot
from tests.helpers.positions import signal

SPOT, PERP = "binance:BTCUSDC", "binance:BTCUSDC-PERP"
ROWS, FALL, GAP_BPS = 16, 12, 60.0
"""Grid times of one trade, of the fall among them, and the gap at its beginning."""


def registered(exit_latency_ns: int = NS_PER_SECOND) -> Params:
    """A grid of one second, and a life of the whole fall and two grid times more."""
    life = rules(life_ns=(FALL + 2) * NS_PER_SECOND)
    return params(grid_ns=NS_PER_SECOND, rules=life, exit_latency_ns=exit_latency_ns)


def noise(trades: int, deviation_bps: float, carried: float, seed: int) -> FloatArray:
    """Normal noise at every grid time, bps, ``[trades * ROWS]``; each keeps the share ``carried`` of the one before."""
    fresh = np.random.default_rng(seed).standard_normal(trades * ROWS)
    # stationary: the first has the deviation of all others
    fresh[1:] *= np.sqrt(1.0 - carried**2)
    out = np.empty_like(fresh)
    last = 0.0
    for row, value in enumerate(fresh.tolist()):
        last = carried * last + value
        out[row] = last
    return deviation_bps * out


def booked_bps(shaken: FloatArray, rule: Params) -> FloatArray:
    """Return the noise that each trade books as profit, bps of the spot, ``[trades]``."""
    trades = len(shaken) // ROWS
    line = np.tile(np.interp(np.arange(ROWS), [0, FALL], [GAP_BPS, 0.0]), trades)
    times = T0_NS + NS_PER_SECOND * np.arange(len(shaken), dtype=np.int64)
    table = instruments(spot(SPOT), perp(PERP))
    mids = 1e5 * (1.0 + (line + shaken) * 1e-4)
    view = prepare(panel(table, {SPOT: quote(1e5), PERP: quote(mids, rate=0.0)}, times_ns=times), rule, curves())
    decided = ROWS * np.arange(trades)
    window = price_window([view], view.panel.code)
    sources = _every(source_signals([signal(view, 0, {PERP: -1.0, SPOT: 1.0})], rule), trades)
    # the rules read the gap as it was seen
    sources = replace(sources, t_ns=times[decided], gross_bps=(line + shaken)[decided])
    number = np.arange(trades)
    latency = (np.full(trades, ns, dtype=np.int64) for ns in (rule.latency_ns, rule.exit_latency_ns))
    entries = PlaceboEntries(number, number, times[decided], *latency)
    entered, _ = fill(window, sources, entries, decided, sources.code)
    ends = find_exits(window, entered, sources, rule, {})
    assert len(entered.row) == trades
    assert not ends.forced.any()
    booked: FloatArray = shaken[entered.row] - shaken[ends.row]
    return booked


def _every(one: SourceSignals, times: int) -> SourceSignals:
    columns = {f.name: np.repeat(getattr(one, f.name), times, axis=0) for f in fields(one) if f.name != "signals"}
    return SourceSignals(signals=one.signals, **columns)
