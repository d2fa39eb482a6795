"""The step: against the arrays of a path, its invariants, its log, its determinism.  [S7, covenants 6, 7, 11]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.covenants.base import Book, Leg, Mode
from engine.covenants.invariants import broken_by_revision
from engine.covenants.measures import measure
from engine.covenants.parameter_engine import unscaled_band
from engine.covenants.parameters import Parameters
from engine.covenants.paths import walk_machine
from engine.covenants.registry import COVENANTS
from engine.covenants.step import PairState, PairTick, open_state, step
from engine.units import NS_PER_SECOND
from tests.engine.covenants.pair import closes

P = Parameters(sigma_window_d=1.0)
MINUTE = 60 * NS_PER_SECOND


def ticks(bars: int) -> tuple[list[PairTick], object]:
    t_ns, a, b = closes(bars)
    m = measure(t_ns, a, b, P)
    raw = unscaled_band(m, P)
    deep = 1e9
    return [
        PairTick(
            int(t_ns[t]), a[t], b[t], m.spread[t], raw[t], 6.0, Book(((a[t], deep),)), Book(((b[t], deep),)),
        )
        for t in range(bars)
    ], (m, raw)  # fmt: skip


def opened(first: PairTick) -> PairState:
    return open_state(
        Leg(-1e6 / first.price_a, first.price_a, 500_000.0, 0.0125),
        Leg(1e6 / first.price_b, first.price_b, 500_000.0, 0.02), P, "v1",
    )  # fmt: skip


def test_the_step_is_the_path() -> None:
    bars, (m, raw) = ticks(6000)
    path = walk_machine(m.spread, raw, m.decorrelated, m.stale, P)
    state, fills = opened(bars[0]), np.zeros(6000, bool)
    sizes, margins = [], []
    for t, tick in enumerate(bars):
        before = state
        state, events = step(state, tick, P)
        fills[t] = any(e.kind == "reallocation" for e in events)
        assert (state.machine.mode, state.machine.band_pp) == (path.mode[t], path.band_pp[t])
        assert broken_by_revision(state.machine.band_pp, state.leverage_cap, 0.5, 0.25, P) == []
        assert abs(state.leg_a.size) <= abs(before.leg_a.size)
        assert abs(state.leg_b.size) <= abs(before.leg_b.size)
        assert all(e.evidence and e.version == "v1" and e.t_ns == tick.t_ns for e in events)
        sizes.append(state.leg_a.size)
        margins.append(state.leg_a.margin_usd + state.leg_b.margin_usd)
    assert np.array_equal(fills, path.executes)
    assert fills.any()
    assert step(state, bars[-1], P) == step(state, bars[-1], P)


def breached(bars: list[PairTick], tick: PairTick) -> PairState:
    state = opened(bars[0])
    machine = replace(state.machine, mode=Mode.BREACH, pending=True, band_pp=2.5, valid_bars=9000)
    return replace(state, machine=machine, sign=1, last_a=tick.price_a, last_b=tick.price_b)


def test_the_alert_shows_liquidation_prices_before_and_after() -> None:
    bars, _ = ticks(50)
    tick = replace(bars[1], price_a=bars[0].price_a * 1.03, spread_pp=3.0, t_ns=5 * MINUTE)
    tick = replace(tick, book_a=Book(((tick.price_a, 1e9),)))
    state, events = step(breached(bars, tick), tick, P)
    values = dict(events[0].values)

    assert (events[0].kind, events[0].reason) == ("reallocation", "FULL")
    assert values["fill_fraction"] == 1.0
    assert values["transfer_usd"] == pytest.approx(0.15 * 500_000.0)
    assert values["liquidation_a_before_usd"] != values["liquidation_a_after_usd"]
    assert values["liquidation_b_after_usd"] < values["liquidation_b_before_usd"]  # the recipient is safer
    assert abs(state.leg_a.size) == pytest.approx(0.85 * 1e6 / bars[0].price_a, abs=0.001)
    assert state.leg_b.size == 1e6 / bars[0].price_b


def test_no_depth_leaves_a_residual_and_is_tried_again() -> None:
    bars, _ = ticks(50)
    tick = replace(bars[1], price_a=bars[0].price_a * 1.03, spread_pp=3.0, t_ns=5 * MINUTE, book_a=Book(()))
    state, events = step(breached(bars, tick), tick, P)

    assert (events[0].kind, events[0].reason) == ("reallocation", "PARTIAL")
    assert dict(events[0].values)["residual_size"] > 0
    assert state.machine.done == 0
    assert state.machine.pending


def test_a_stale_price_stops_everything() -> None:
    bars, _ = ticks(50)
    tick = replace(bars[1], spread_pp=3.0, age_s=10.001)
    state, events = step(breached(bars, tick), tick, P)

    assert [e.kind for e in events] == ["transition"]
    assert state.machine.mode == Mode.FREEZE
    state, _ = step(state, replace(tick, age_s=31.0), P)
    assert state.machine.mode == Mode.REDUCE_ONLY
    assert state.leverage_cap == 5.0  # half of the ten it started with
    again, _ = step(state, replace(tick, age_s=31.0), P)
    assert again.leverage_cap == 5.0


def test_a_second_revision_within_the_minute_is_logged_and_changes_nothing() -> None:
    bars, _ = ticks(3000)
    state = opened(bars[0])
    for tick in bars[:2990]:
        state, _ = step(state, tick, P)
    early = replace(bars[2990], t_ns=bars[2989].t_ns + 30 * NS_PER_SECOND, raw_band_pp=9.0, spread_pp=0.0)
    after, events = step(state, early, P)

    assert [e.reason for e in events if e.kind == "revision"] == ["rejected: within 60 s of the last"]
    assert after.machine.band_pp == state.machine.band_pp


def test_a_leg_above_the_cap_is_cut_after_five_bars() -> None:
    bars, _ = ticks(50)
    state = opened(bars[0])
    kinds = []
    for tick in bars[:8]:
        state, events = step(state, replace(tick, leverage_cap=1.0, spread_pp=0.0), P)
        kinds.append([e.kind for e in events if e.kind == "leverage_cut"])
    assert [len(k) for k in kinds] == [0, 0, 0, 0, 1, 0, 0, 0]
    assert abs(state.leg_a.size) * bars[7].price_a / state.leg_a.equity_usd(bars[7].price_a) < 1.1


def test_losses_are_counted_from_the_last_bar_of_the_other_sign() -> None:
    bars, _ = ticks(50)
    state = opened(bars[0])
    for tick, spread in zip(bars, (1.0, 2.0, 0.0, -1.0, -1.0, 0.5), strict=False):
        state, _ = step(state, replace(tick, spread_pp=spread), P)
        if spread == -1.0:
            assert (state.since_a, state.since_b) == (bars[1].price_a, bars[1].price_b)
    assert (state.since_a, state.since_b) == (bars[4].price_a, bars[4].price_b)


@pytest.mark.parametrize("covenant", COVENANTS, ids=lambda c: c.code)
def test_every_covenant_says_what_it_is(covenant: object) -> None:
    assert len({c.code for c in COVENANTS}) == len(COVENANTS)
    assert covenant.name  # type: ignore[attr-defined]
    assert covenant.rule  # type: ignore[attr-defined]
    assert covenant.section[0].isdigit()  # type: ignore[attr-defined]
