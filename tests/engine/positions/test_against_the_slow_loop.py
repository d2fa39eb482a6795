"""The engine's decisions and resolutions equal those of a loop over grid times and keys, on random markets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.constraints.detect import detect
from engine.market.view import prepare
from engine.positions.base import Position, Signal
from engine.signals.emit import START, process_block
from engine.units import NS_PER_SECOND
from tests.helpers.builders import curves
from tests.helpers.noisy_market import orders, panels, registered
from tests.helpers.positions import identify
from tests.oracles.signals_slow import SlowEngine, SlowPosition


def both(seed: int, **changes: object) -> tuple[list[Signal], dict[str, Position], list[SlowPosition]]:
    rules = registered(**changes)
    slow, state = SlowEngine(rules), START
    signals: list[Signal] = []
    positions: dict[str, Position] = {}
    for block in panels(seed):
        view = prepare(block, rules, curves())
        violations = detect(view, None)
        slow.block(view, violations)
        state, decision = process_block(state, view, violations, rules, 0, identify)
        signals += decision.signals
        positions |= {p.signal.signal_id: p for p in decision.positions}
    return signals, positions, slow.positions


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 8_000]))
def test_the_slow_loop_emits_the_same_signals_and_ends_them_alike(seed: int, wait_s: int) -> None:
    """Same keys, times and sizes; same entries, triggers, reasons, exits, exit prices, funding and daily marks.

    On steps of half an hour an exit is filled at its trigger, one step later, and five steps later.
    """
    signals, positions, slow = both(seed, exit_latency_ns=wait_s * NS_PER_SECOND)

    assert [(s.t_ns, s.constraint, s.side, s.short) for s in signals] == [
        (p.t_ns, p.key[0], p.key[3], p.key[4]) for p in slow
    ]
    for made, expected in zip(signals, slow, strict=True):
        assert made.size_usd == pytest.approx(expected.size, rel=1e-12)
        assert made.gross_bps == expected.gross
        ended = positions.get(made.signal_id)
        assert (ended is None) == (expected.reason == "")
        if ended is not None:
            _same(ended, expected)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([0, 8_000]))
def test_orders_from_outside_end_the_same_positions_in_both(seed: int, wait_s: int) -> None:
    """Random orders of both reasons, on the grid and off it, of one coin, at one venue or at all."""
    signals, positions, slow = both(seed, exit_latency_ns=wait_s * NS_PER_SECOND, forced_exits=orders(seed))
    for made, expected in zip(signals, slow, strict=True):
        ended = positions.get(made.signal_id)
        assert (ended is None) == (expected.reason == "")
        if ended is not None:
            _same(ended, expected)


def test_random_orders_meet_positions_of_both_reasons() -> None:
    reasons = {p.reason.value for seed in range(6) for p in both(seed, forced_exits=orders(seed))[1].values()}
    assert {"venue", "covenant", "converged", "expired"} <= reasons


def _same(ended: Position, expected: SlowPosition) -> None:
    assert (ended.reason.value, ended.entry_ns, ended.exit_ns) == (expected.reason, expected.entry_ns, expected.exit_ns)
    if ended.reason.value == "void":
        return
    trigger = (ended.trigger.reason.value, ended.trigger.t_ns) if ended.trigger else ("", -1)
    assert trigger == (expected.trigger, expected.trigger_ns)
    assert ended.entry_gross_bps == pytest.approx(expected.entry_gross, rel=1e-9)
    assert ended.exit_price == pytest.approx(tuple(expected.exit_price), rel=1e-12)
    assert [(f.t_ns, f.leg) for f in ended.funding] == sorted((t, leg) for t, leg, _ in expected.funding)
    np.testing.assert_allclose(
        [f.rate for f in ended.funding], [rate for _, _, rate in sorted(expected.funding, key=lambda f: f[:2])]
    )
    assert {mark.day: list(mark.price) for mark in ended.marks} == expected.marks


def test_the_random_market_exercises_what_it_should() -> None:
    """Over a few seeds every reason but delisting occurs, triggers that are not filled too, and keys fire again."""
    reasons: set[str] = set()
    again = 0
    unfilled: set[str] = set()
    for seed in range(4):
        signals, positions, _ = both(seed, exit_latency_ns=(1 + seed % 2 * 8_000) * NS_PER_SECOND)
        reasons |= {p.reason.value for p in positions.values()}
        unfilled |= {p.reason.value for p in positions.values() if p.trigger and p.reason != p.trigger.reason}
        keys = [(s.constraint, s.venue, s.expiry_ns, s.side, s.short) for s in signals]
        again += len(keys) - len(set(keys))

    assert {"void", "expired", "stopped", "converged", "horizon", "data_gap"} <= reasons
    assert again > 20
    assert {"expired", "horizon"} <= unfilled
