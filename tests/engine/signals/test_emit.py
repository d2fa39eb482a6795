"""Persistence, re-arming, one signal an episode, and shared quantities: each rule on a market that shows only it.

Rules: [S4.1-S4.3].
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from engine.constraints.detect import detect
from engine.market.view import prepare
from engine.positions.base import Position, Signal
from engine.signals.emit import START, EmitState, process_block
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import STEP_NS, T0_NS, curves, fx, instruments, panel, params, perp, quote, rules, spot
from tests.helpers.markets import Market, S
from tests.helpers.positions import identify

SPOT, PERP = "binance:BTCUSDC", "binance:BTCUSDC-PERP"
OVER, BETWEEN, UNDER, GONE = 0.0100, 0.0070, 0.0010, np.nan
"""Basis of the perp whose net is over the threshold of 50 bps, over the re-arm level of 25, under it, unknown."""


def run(
    basis: list[float], *, pieces: tuple[int, ...] = (), life: int = 3, **changes: object
) -> tuple[list[int], list[Position], EmitState]:
    """The rows at which C1 fires on a perp at ``basis`` over spot, one value a grid time; ``life`` in grid times."""
    registered = params(rules=rules(life_ns=life * STEP_NS), exit_share=-100.0, stop_multiple=100.0, **changes)
    table = instruments(spot(SPOT), perp(PERP))
    state, signals, positions = START, [], []
    bounds = [0, *pieces, len(basis)]
    for a, b in itertools.pairwise(bounds):
        price = 100_000.0 * (1.0 + np.array(basis[a:b]))
        age = np.where(np.isnan(price), NS_PER_DAY, 0)
        block = panel(
            table,
            {SPOT: quote([100_000.0] * (b - a)), PERP: quote(price, rate=0.0, age_ns=age)},
            times_ns=T0_NS + STEP_NS * np.arange(a, b, dtype=np.int64),
        )
        view = prepare(block, registered, curves())
        state, decision = process_block(state, view, detect(view, None, codes=("C1",)), registered, 0, identify)
        signals += decision.signals
        positions += decision.positions
    return [(s.t_ns - T0_NS) // STEP_NS for s in signals], positions, state


def test_a_violation_fires_when_it_has_stood_for_m_grid_times() -> None:
    """Registered: two."""
    assert run([UNDER, OVER, OVER, OVER])[0] == [2]
    assert run([UNDER, OVER, OVER, OVER], persistence=3)[0] == [3]
    assert run([OVER], persistence=1)[0] == [0]


@pytest.mark.parametrize("break_", [UNDER, BETWEEN, GONE])
def test_anything_but_a_fire_starts_persistence_again(break_: float) -> None:
    """Lower net or a missing quote: the count begins anew."""
    assert run([OVER, break_, OVER, break_, OVER, OVER])[0] == [5]


def test_one_persistent_violation_is_one_signal() -> None:
    """However long it lasts, and although its position ended long ago."""
    assert run([OVER] * 30)[0] == [1]


def test_a_key_fires_again_after_its_net_has_fallen_and_its_signal_is_resolved() -> None:
    """Fires at 1, falls at 5 (after the horizon at 4), stands again at 6 and 7."""
    assert run([OVER] * 5 + [UNDER] + [OVER] * 5)[0] == [1, 7]


def test_a_net_between_the_levels_does_not_arm_again() -> None:
    """Under the threshold is not under half of it."""
    assert run([OVER] * 5 + [BETWEEN] * 3 + [OVER] * 5)[0] == [1]


def test_a_missing_quote_does_not_arm_again() -> None:
    """Not evaluated is not fallen."""
    assert run([OVER] * 5 + [GONE] * 3 + [OVER] * 5)[0] == [1]


def test_a_silent_venue_has_not_converged() -> None:
    """C6 judges three corners without the dear one; its key does not fall until that corner is quoted again."""
    dex = "hyperliquid:BTC-PERP"
    life = {"rules": rules(life_ns=3 * STEP_NS), "exit_share": -100.0, "stop_multiple": 100.0}

    def fired(**changes: object) -> list[int]:
        market = Market(mids={dex: 1.015 * S}, changes={dex: changes})
        view = prepare(market.block(rows=12), params(**life), curves())
        found = detect(view, None, codes=("C6",))
        _, decision = process_block(START, view, found, view.params, 0, identify)
        return [(s.t_ns - T0_NS) // STEP_NS for s in decision.signals]

    assert fired(age_ns=[0] * 5 + [NS_PER_DAY] * 2 + [0] * 5) == [1]
    fair, dear = S * (1 - 1e-4), 1.015 * S
    low, high = [dear] * 5 + [fair] * 2 + [dear] * 5, [dear + 1] * 5 + [fair + 1] * 2 + [dear + 1] * 5
    assert fired(bid=low, ask=high, mark=low) == [1, 8]


def test_a_fall_while_the_position_is_open_counts_but_the_exit_is_waited_for() -> None:
    """Fallen at 2, standing again from 3 on: free at the horizon of the first signal, 1 + 6."""
    assert run([OVER, OVER, UNDER] + [OVER] * 9, life=6)[0] == [1, 7]


def test_where_the_data_are_cut_changes_nothing() -> None:
    """Runs, falls and open positions are carried from block to block."""
    basis = [OVER] * 5 + [UNDER] + [OVER] * 5 + [UNDER, OVER, OVER] + [OVER] * 5
    whole = run(basis)
    for at in range(1, len(basis)):
        assert run(basis, pieces=(at,))[:2] == whole[:2]


def test_a_hole_in_a_regular_grid_breaks_persistence() -> None:
    """Consecutive means one registered step apart."""
    registered = params()
    table = instruments(spot(SPOT), perp(PERP))
    times = T0_NS + STEP_NS * np.array([0, 2, 3], dtype=np.int64)
    block = panel(table, {SPOT: quote(1e5), PERP: quote(1.01e5, rate=0.0)}, times_ns=times)
    view = prepare(block, registered, curves())
    _, decision = process_block(START, view, detect(view, None, codes=("C1",)), registered, 0, identify)

    assert [s.t_ns for s in decision.signals] == [times[2]]


def test_the_state_forgets_keys_that_have_nothing_to_say() -> None:
    """A key that has fallen and is resolved is like one that never fired."""
    assert run([OVER] * 5 + [UNDER] * 3)[2].episodes == {}
    assert len(run([OVER] * 5)[2].episodes) == 1


def crowd(size: float) -> tuple[list[Signal], dict[str, int]]:
    """C1 and C2 sell the same USDT perp; both lean on its bid."""
    tether = "binance:BTCUSDT-PERP"
    table = instruments(spot(SPOT), perp(PERP), perp(tether, quote="USDT"), fx())
    registered = params(rules=rules(life_ns=NS_PER_HOUR))
    pair = replace(registered.underlyings["BTC"].cash_carry[0], perp=tether)
    market = replace(registered.underlyings["BTC"], cash_carry=(pair,))
    registered = replace(registered, underlyings={"BTC": market})
    quotes = {
        SPOT: quote([1e5] * 3),
        PERP: quote([0.999e5] * 3, rate=0.0),
        tether: quote([1.015e5] * 3, rate=0.0, bid_size=size),
        "binance:USDCUSDT": quote([1.0] * 3, bid_size=1e6, ask_size=1e6),
    }
    view = prepare(panel(table, quotes, rows=3), registered, curves())
    found = detect(view, None, codes=("C1", "C2"))
    _, decision = process_block(START, view, found, registered, 0, identify)
    return list(decision.signals), dict(decision.no_depth_left)


def test_signals_of_one_time_share_a_quantity_in_order_of_net() -> None:
    """0.6 coin displayed, half may be taken: 0.25 coin for the larger net, 0.05 for the other."""
    signals, crowded = crowd(0.6)

    assert crowded == {}
    assert signals[0].net_bps > signals[1].net_bps
    assert [s.size_usd for s in signals] == pytest.approx([25_000.0, 5_000.0])


def test_a_reduced_size_has_the_cost_of_that_size() -> None:
    """Less impact than at the full size, so a net that is not smaller.  [S3.7]"""
    full = {s.constraint: s for s in crowd(100.0)[0]}
    reduced = crowd(0.6)[0][1]

    assert reduced.cost_bps == pytest.approx(reduced.gross_bps + reduced.carry_bps - reduced.net_bps)
    assert reduced.size_usd < full[reduced.constraint].size_usd


def test_a_signal_that_finds_nothing_left_is_counted_and_not_emitted() -> None:
    """The first takes all that may be taken; the second is crowded out at that time, and may fire at the next."""
    signals, crowded = crowd(0.5)

    assert sum(crowded.values()) == 1
    assert [s.t_ns for s in signals] == [T0_NS + STEP_NS, T0_NS + 2 * STEP_NS]
