"""The leak battery of the whole flow: nothing told up to a time depends on what follows.  [S8.8]"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.tasks.serialization import encode
from engine.market.multi_day import MultiDayPanel, concatenate_days
from engine.positions.base import Position, Signal
from engine.records import Panel
from engine.replay import Replay, replay, start
from tests.helpers.builders import curves
from tests.helpers.noisy_market import VALUES, panels, registered, rows_of
from tests.helpers.positions import identify

ROWS = 3 * 48
seeds = st.integers(0, 1_000)
cuts = st.integers(1, ROWS - 1)


def run(blocks: Sequence[Panel | MultiDayPanel], end_ns: int | None = None) -> Replay:
    return replay(
        blocks, registered(), start(curves()), lambda _: None, lambda _: 0, identify, lambda _: None, end_ns=end_ns
    )


def told(blocks: Sequence[Panel]) -> tuple[list[str], list[str]]:
    """Everything a replay tells, as text, which compares NaN with NaN: signals, then positions."""
    found = run(blocks)
    return [text(s) for s in found.signals], [text(p) for p in found.positions]


def text(record: Signal | Position) -> str:
    return repr(record)


def upto(blocks: Sequence[Panel], row: int) -> list[Panel]:
    """The first ``row`` grid times of ``blocks``, each block cut in itself."""
    out = []
    for block in blocks:
        here = min(row, len(block.times_ns))
        row -= here
        if here:
            out.append(rows_of(block, 0, here))
    return out


def before(found: Replay, t_ns: int) -> tuple[list[str], list[str]]:
    """What ``found`` had told when ``t_ns`` was the last grid time read."""
    return (
        [text(s) for s in found.signals if s.t_ns <= t_ns],
        sorted(text(p) for p in found.positions if p.exit_ns <= t_ns),
    )


@settings(deadline=None, max_examples=8)
@given(seeds, cuts)
def test_data_cut_at_any_time_gives_a_prefix(seed: int, row: int) -> None:
    """Signals up to the cut are byte-equal and in the same order, and so are the positions ended by then."""
    blocks = panels(seed)
    short = upto(blocks, row)
    last_ns = int(short[-1].times_ns[-1])
    signals, positions = before(run(blocks), last_ns)
    found = run(short)

    assert signals == [text(s) for s in found.signals]
    assert positions == sorted(text(p) for p in found.positions)


@settings(deadline=None, max_examples=6)
@given(seeds, st.lists(st.integers(1, 47), min_size=1, max_size=6, unique=True))
def test_blocks_cut_anywhere_tell_the_same(seed: int, at: list[int]) -> None:
    """The state carries all that is needed: a day in pieces is the day."""
    blocks = panels(seed)
    bounds = [0, *sorted(at), 48]
    pieces = [rows_of(block, a, b) for block in blocks for a, b in itertools.pairwise(bounds)]

    assert told(blocks) == told(pieces)


@settings(deadline=None, max_examples=8)
@given(seeds, st.lists(st.integers(1, 5), max_size=4, unique=True))
def test_days_laid_end_to_end_tell_the_same(seed: int, at: list[int]) -> None:
    """Every block of every day to the bit, wherever the runs of days begin and end."""
    blocks = panels(seed, days=6)
    bounds = [0, *sorted(at), 6]
    runs = [blocks[a:b] for a, b in itertools.pairwise(bounds) if b > a]

    assert encode(run(blocks)) == encode(run([concatenate_days(days) for days in runs]))


def test_one_grid_time_a_block_tells_the_same() -> None:
    """The smallest pieces there are."""
    blocks = panels(5)

    assert told(blocks) == told([rows_of(block, row, row + 1) for block in blocks for row in range(48)])


POISONS: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "nan": lambda values, _: np.full_like(values, np.nan) if values.dtype == np.float64 else values,
    "scaled": lambda values, _: values * 3,
    "shuffled": lambda values, draw: draw.permutation(values, axis=0),
    "late": lambda values, _: np.concatenate([values[:1], values[:-1]]),
}


@pytest.mark.parametrize("poison", POISONS)
@settings(deadline=None, max_examples=4)
@given(seed=seeds, row=cuts)
def test_a_poisoned_future_moves_nothing_before_it(poison: str, seed: int, row: int) -> None:
    """NaN, another unit, another order, a delayed source: what was told up to the time before is byte-equal."""
    blocks = panels(seed)
    draw = np.random.default_rng(seed)
    bad, left = [], row
    for block in blocks:
        keep = min(left, 48)
        left -= keep
        changes = {}
        for name in VALUES:
            values = getattr(block, name).copy()
            if keep < 48:
                values[keep:] = POISONS[poison](values[keep:], draw)
            changes[name] = values
        bad.append(replace(block, **changes))
    last_ns = int(np.concatenate([block.times_ns for block in blocks])[row - 1])

    assert before(run(blocks), last_ns) == before(run(bad), last_ns)


@settings(deadline=None, max_examples=4)
@given(seeds, st.integers(0, 100))
def test_the_order_of_instruments_changes_nothing(seed: int, order: int) -> None:
    """Codes are names of rows: the same trades come out, in the same order, of any table."""

    def named(found: Replay) -> list[Any]:
        table = found.blocks[0].instruments
        out: list[Any] = []
        for s in found.signals:
            legs = [(table.name[leg.code], leg.quantity, leg.mid, leg.spread_bps) for leg in s.legs]
            out.append((s.signal_id, s.t_ns, s.constraint, s.side, s.size_usd, repr(s.net_bps), legs))
        for p in found.positions:
            paid = [(f.t_ns, f.leg, repr(f.rate)) for f in p.funding]
            out.append((p.signal.signal_id, p.entry_ns, p.exit_ns, p.reason, p.exit_price, p.marks, paid))
        return out

    assert named(run(panels(seed))) == named(run(panels(seed, order=order)))
