"""The state machine: its rules one by one, and the fast path of a year against the definition in every bar."""

from __future__ import annotations

import numpy as np
import pytest

from engine.covenants.base import Mode
from engine.covenants.measures import measure
from engine.covenants.parameter_engine import unscaled_band
from engine.covenants.parameters import Parameters
from engine.covenants.paths import run_machine, walk_machine
from engine.covenants.state_machine import Machine, advance, executed
from tests.engine.covenants.pair import closes

P = Parameters()
LIVE = Machine(Mode.LIVE, 2.5, valid_bars=5000)


def bar(machine: Machine, spread: float, raw: float = 2.5, p: Parameters = P, stale: Mode = Mode.LIVE,
        decorrelated: bool = False) -> Machine:  # fmt: skip
    return advance(machine, spread, raw, decorrelated, stale, True, p)


def test_the_band_in_force_judges_strictly() -> None:
    assert bar(LIVE, 2.5).mode == Mode.LIVE
    broken = bar(LIVE, 2.500001, raw=9.0)
    assert (broken.mode, broken.pending, broken.band_pp) == (Mode.BREACH, True, 9.0)
    assert bar(LIVE, 2.6, raw=2.7, p=Parameters(breach_rule="same_bar")).mode == Mode.LIVE


def test_a_breach_ends_by_hysteresis_only() -> None:
    broken = bar(LIVE, 2.6)
    assert bar(broken, 2.4).mode == Mode.BREACH
    assert bar(broken, 2.25).mode == Mode.LIVE
    assert not bar(broken, 2.25).pending


def test_confirmation_needs_bars_in_a_row() -> None:
    p = Parameters(confirmation=3)
    machine = bar(bar(LIVE, 2.6, p=p), 2.6, p=p)
    assert machine.mode == Mode.LIVE
    assert bar(machine, 2.6, p=p).mode == Mode.BREACH
    assert bar(bar(machine, 2.4, p=p), 2.6, p=p).mode == Mode.LIVE


def test_manual_by_ratio_count_and_decorrelation() -> None:
    assert bar(LIVE, 5.0).mode == Mode.MANUAL
    assert bar(LIVE, 4.999).mode == Mode.BREACH
    assert bar(LIVE, 2.6, decorrelated=True).mode == Mode.MANUAL
    assert bar(LIVE, 2.4, decorrelated=True).mode == Mode.LIVE
    machine = Machine(Mode.BREACH, 2.5, pending=True)
    p = Parameters(rr=0.05)
    for t in range(5):
        machine = executed(machine, 10 * t, p)
        assert machine.mode == Mode.BREACH
    assert executed(machine, 59, p).mode == Mode.MANUAL
    assert executed(machine, 60, p).mode == Mode.BREACH  # the first is an hour ago


def test_manual_ends_after_a_calm_hour() -> None:
    machine = bar(LIVE, 6.0)
    for _ in range(59):
        machine = bar(machine, 1.25)
    assert machine.mode == Mode.MANUAL
    assert bar(machine, 1.26).calm_bars == 0
    assert bar(machine, 1.25).mode == Mode.LIVE


def test_freezing_and_the_way_back() -> None:
    broken = bar(LIVE, 2.6)
    frozen = bar(broken, 9.0, stale=Mode.FREEZE)
    assert (frozen.mode, frozen.before, frozen.pending, frozen.band_pp) == (Mode.FREEZE, Mode.BREACH, False, 2.5)
    worse = bar(frozen, 9.0, stale=Mode.REDUCE_ONLY)
    assert (worse.mode, worse.before) == (Mode.REDUCE_ONLY, Mode.BREACH)
    machine = bar(bar(worse, 9.0, raw=3.0), 9.0, raw=3.0)
    assert (machine.mode, machine.band_pp) == (Mode.REDUCE_ONLY, 2.5)
    machine = bar(machine, 9.0, raw=3.0)
    assert (machine.mode, machine.band_pp, machine.pending) == (Mode.BREACH, 3.0, False)


def test_warm_up() -> None:
    machine = Machine(Mode.WARMUP, 2.5, valid_bars=P.warmup_bars - 2)
    assert bar(machine, 99.0).mode == Mode.WARMUP
    warm = bar(bar(machine, 99.0), 99.0, raw=3.0)
    assert (warm.mode, warm.band_pp) == (Mode.LIVE, 3.0)
    assert bar(bar(machine, 1.0), 1.0, raw=float("nan")).mode == Mode.WARMUP


CASES = [
    {},
    {"breach_rule": "same_bar"},
    {"reading": "scaled"},
    {"reading": "principled", "alpha_rule": "u_shaped", "beta_rule": "regime", "zeta": 1.4},
    {"reading": "principled", "confirmation": 3, "breach_rule": "same_bar"},
    {"rr": 0.05, "manual_per_hour": 3},
    {"sign_mode": "signed"},
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("bar_min", [1, 15, 60])
def test_the_fast_path_is_the_definition(case: dict, bar_min: int) -> None:
    p = Parameters(**case, bar_min=bar_min, sigma_window_d=1.0 if bar_min == 1 else 7.0)
    t_ns, a, b = closes(9000, seed=bar_min, bar_min=bar_min)
    a[[4000, 4001, 4002, 5000, 5001, 6000]] = np.nan
    b[4003:4009] = np.nan
    m = measure(t_ns, a, b, p)
    raw = unscaled_band(m, p)
    fast = run_machine(m.spread, raw, m.decorrelated, m.stale, p)
    slow = walk_machine(m.spread, raw, m.decorrelated, m.stale, p)

    assert np.array_equal(fast.mode, slow.mode)
    assert np.array_equal(fast.band_pp, slow.band_pp)
    assert np.array_equal(fast.executes, slow.executes)
    assert {Mode.LIVE, Mode.MANUAL, Mode.FREEZE} <= set(slow.mode.tolist())
    assert slow.executes.any()
