"""The whole flow: what is observed when, what is counted, what is carried, and the seven trading at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import DataError
from engine.positions.base import Position
from engine.positions.portfolio import settle_portfolio
from engine.records import ExitReason, Panel
from engine.replay import Block, Replay, replay, start
from engine.units import NS_PER_DAY
from tests.contracts.planted import PLANTED
from tests.helpers.builders import STEP_NS, T0_NS, curves, instruments, panel, params, perp, quote, spot
from tests.helpers.markets import fitted, flat_history
from tests.helpers.noisy_market import panels, registered, rows_of
from tests.helpers.positions import identify


def run(blocks: list[Panel], **changes: object) -> Replay:
    settings = {
        "params": registered(),
        "state": start(curves()),
        "fitted_for": lambda _: None,
        "fold_of": lambda _: 3,
        "identify": identify,
        "observer": lambda _: None,
        "end_ns": None,
    }
    return replay(blocks, **(settings | changes))  # type: ignore[arg-type]


def test_each_block_is_observed_before_the_next_is_read() -> None:
    """There the ledger is sealed: no later datum has been touched."""
    told: list[str] = []

    def source() -> Iterator[Panel]:
        for block in panels(1):
            told.append(f"read {block.times_ns[0]}")
            yield block

    run(source(), observer=lambda block: told.append(f"seen {block.first_ns}"))  # type: ignore[arg-type]
    starts = [T0_NS + day * NS_PER_DAY for day in range(3)]

    assert told == [f"{what} {at}" for at in starts for what in ("read", "seen")]


def test_what_a_block_counts_is_what_it_told() -> None:
    """Episodes are its signals; every package that does not fire has a reason; quality adds up to grid times."""
    found = run(panels(2))
    for block in found.blocks:
        assert [r.constraint for r in block.readings] == ["C1", "C2", "C3", "C4", "C5", "C6", "C7"]
        assert block.quality.sum() == 48 * len(block.code)
        for reading in block.readings:
            signals = [s for s in block.signals if s.constraint == reading.constraint]
            assert reading.funnel["episodes"] == len(signals)
            assert reading.funnel["fires"] + reading.funnel["crowded"] >= len(signals)
            assert 0 <= reading.evaluable <= reading.rows == 48
        assert next(r for r in block.readings if r.constraint == "C5").missing is not None
    assert {s.fold for s in found.signals} == {3}
    assert len(found.signals) > 20


def test_every_signal_is_resolved_once_when_the_window_ends() -> None:
    """Silence is not allowed: as many positions as signals, the open ones forced, and a state that holds nothing."""
    end_ns = T0_NS + 3 * NS_PER_DAY
    for seed in range(3):
        found = run(panels(seed), end_ns=end_ns)
        ids = [p.signal.signal_id for p in found.positions]

        assert sorted(ids) == sorted(s.signal_id for s in found.signals)
        assert len(set(ids)) == len(ids)
        assert found.state.decide.open == ()
        assert all(p.signal.t_ns <= p.entry_ns <= p.exit_ns < end_ns for p in found.positions)


def test_a_replay_can_be_continued_from_its_state() -> None:
    """Two runs in a row are one."""
    whole, first = run(panels(4)), run(panels(4)[:1])
    second = run(panels(4)[1:], state=first.state)

    assert repr(whole.signals) == repr(first.signals + second.signals)
    assert repr(whole.positions) == repr(first.positions + second.positions)


def test_blocks_out_of_order_or_over_midnight_are_refused() -> None:
    """Time moves forward, and a block belongs to one UTC day."""
    blocks = panels(0)
    with pytest.raises(DataError, match="expected a block after"):
        run([blocks[1], blocks[0]])
    over = replace(blocks[0], times_ns=blocks[0].times_ns + NS_PER_DAY // 2)
    with pytest.raises(DataError, match="within one UTC day"):
        run([over])


def test_an_empty_block_is_passed_over() -> None:
    """No grid time, nothing seen."""
    block = panels(0)[0]
    assert run([rows_of(block, 0, 0)]).blocks == ()


@pytest.mark.parametrize("code", sorted(PLANTED))
def test_a_planted_violation_is_emitted_entered_and_settled(code: str) -> None:
    """Each of the seven runs the whole way: one episode, filled a grid time later, open until the window ends."""
    case = PLANTED[code]()
    seen: list[Block] = []
    found = replay(
        [case.market.block(rows=6)],
        case.params,
        start(case.curves),
        lambda _: case.fitted,
        lambda _: 0,
        identify,
        seen.append,
        end_ns=T0_NS + NS_PER_DAY,
    )
    mine = [p for p in found.positions if p.signal.constraint == code]
    matching = [p for p in mine if _legs(p) == pytest.approx(dict(case.quantities), abs=1e-4)]

    assert len(matching) == 1
    position = matching[0]
    assert (position.signal.t_ns, position.entry_ns) == (T0_NS + STEP_NS, T0_NS + 2 * STEP_NS)
    assert position.forced
    assert position.entry_gross_bps == pytest.approx(case.gross_bps, abs=0.05)  # tenors are minutes shorter
    trades = settle_portfolio(found.positions, case.market.block().instruments, case.params)
    trade = next(t for t in trades if t.position is position)
    assert trade.gross == 0
    assert trade.net < 0
    assert sum(trade.accruals.values()) == trade.net


def _legs(position: Position) -> dict[str, float]:
    market = PLANTED[position.signal.constraint]().market
    names = market.block().instruments.name
    return {names[leg.code]: leg.quantity for leg in position.signal.legs}


def test_curves_are_carried_once_a_day_whatever_the_blocks() -> None:
    """The 00:00 curve joins the history after its day's first block; later blocks of the day bring none."""
    market = PLANTED["C5"]().market

    def days(pieces: list[tuple[int, int]]) -> Replay:
        whole = market.block(rows=6)
        blocks = [rows_of(whole, a, b) for a, b in pieces]
        return run(blocks, params=params(), state=start(flat_history()), fitted_for=lambda _: fitted())

    one, two = days([(0, 6)]), days([(0, 2), (2, 5), (5, 6)])

    assert len(one.state.curves.day) == 61
    np.testing.assert_array_equal(one.state.curves.curve, two.state.curves.curve)
    assert repr(one.signals) == repr(two.signals)


def test_a_market_without_violations_emits_nothing() -> None:
    """Silence on a quiet market, and full coverage of what can be judged."""
    table = instruments(spot("binance:BTCUSDC"), perp("binance:BTCUSDC-PERP"))
    quotes = {"binance:BTCUSDC": quote(1e5), "binance:BTCUSDC-PERP": quote(1e5, rate=0.0)}
    found = run([panel(table, quotes, rows=100)], params=params())

    assert found.signals == ()
    assert found.blocks[0].readings[0].evaluable == 100


def test_a_forced_close_is_named_as_such() -> None:
    """What was open at the end ended by the horizon of the window, not by the market."""
    found = run([rows_of(panels(6)[0], 0, 20)], end_ns=T0_NS + NS_PER_DAY // 2)
    forced = [p for p in found.positions if p.forced]

    assert forced
    assert {p.reason for p in forced} <= {ExitReason.HORIZON, ExitReason.VOID}
