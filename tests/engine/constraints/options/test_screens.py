"""What a screen leaves out could not have mattered: with a floor and without, the same cells, counts and best score.

Without a floor the option constraints look at every cell with the whole search; with one they look only where a bound
lets them.  Prices on a lattice of ticks are full of ties and of straight lines, on which rounding decides.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.constraints import c3_put_call, c4_butterfly, c7_vertical
from engine.constraints.options.chain import CRUMB_BPS
from engine.constraints.options.convex_hull import best_wings
from engine.constraints.options.convexity_filter import Field, shape_of, wings_of
from engine.constraints.scan_cells import Scan
from engine.market.view import PreparedPanel
from tests.engine.constraints.options.option_market import calls_and_puts, forward, random_chain, view

MEMBERS = (c3_put_call, c4_butterfly, c7_vertical)
FLOORS = (0.0, 0.01, 5.0, 60.0)
Draw = np.random.Generator


def lattice(seed: int, rows: int = 60) -> PreparedPanel:
    """Premiums in whole ticks: straight deep in the money, flat far out of it, noise of a tick between."""
    draw = np.random.Generator(np.random.PCG64(seed))
    strikes = np.cumsum(draw.choice([1_000.0, 2_000.0, 5_000.0], size=int(draw.integers(3, 18)))) + 60_000.0
    level = 90_000.0 + draw.normal(0.0, 30.0, size=rows)
    spread = int(draw.integers(1, 4))

    def ticks(inner: NDArray[np.float64]) -> NDArray[np.float64]:
        value = np.rint(inner * 1e4 / 5.0) * 5.0 + draw.integers(0, spread, size=inner.shape)
        value[draw.random(inner.shape) < 0.1] = np.nan
        return (value + 1.0) * 1e-4

    call = ticks(np.maximum(1.0 - strikes / level[:, None], 0.0))
    put = ticks(np.maximum(strikes / level[:, None] - 1.0, 0.0))
    books = calls_and_puts(strikes.tolist(), call, put, float(draw.choice([0.0, 5e-6, 5e-5])))
    fee = float(draw.choice([0.0, 1e-5]))
    return view([*(replace(book, fee=fee) for book in books), forward(level, 5.0)])


def noisy(seed: int) -> PreparedPanel:
    _, books = random_chain(seed, 40, 3 + seed % 9, coin=bool(seed % 2))
    return view(books)


def cells(scan: Scan, floor: float) -> list[tuple[object, ...]]:
    kept = np.flatnonzero(scan.score >= floor)
    return [
        (scan.row[m], scan.key[m], scan.score[m].hex(), *scan.wings[m].tolist()) for m in kept.tolist()
    ]  # fmt: skip


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("make", [lattice, noisy])
def test_a_floor_changes_no_cell_no_count_and_no_best(make: object, seed: int, floor: float) -> None:
    """Cells over the floor to the last bit, keys evaluated, violations and the best score of the block."""
    block = make(seed)  # type: ignore[operator]
    for member in MEMBERS:
        whole = member.CONSTRAINT.scan(replace(block), None)
        some = member.CONSTRAINT.scan(replace(block), None, floor)

        assert cells(some, floor) == cells(whole, floor)
        assert len(some.row) == len(cells(whole, floor))
        np.testing.assert_array_equal(some.evaluated, whole.evaluated)
        assert some.best_bps.tobytes() == whole.best_bps.tobytes()
        assert (some.examined, some.usable, some.violations) == (whole.examined, whole.usable, whole.violations)


@pytest.mark.parametrize("seed", range(6))
def test_violations_are_the_packages_with_a_gross(seed: int) -> None:
    """Counted from packages written out one by one: the best of each cell, gross above half a micro-bps."""
    for block in (lattice(seed), noisy(seed)):
        for member in MEMBERS:
            scan = member.CONSTRAINT.scan(block, None, 5.0)
            whole = member.CONSTRAINT.scan(block, None)
            built = member.CONSTRAINT.build(block, whole, whole.row, whole.key, None)
            assert scan.violations == np.count_nonzero(built.gross_bps > 2.0 * CRUMB_BPS)


@pytest.mark.parametrize("seed", range(25))
def test_wings_are_those_of_the_whole_hull(seed: int) -> None:
    """Each doubtful belly's wings from its window are those of Andrew's algorithm on its whole chain, ties and all."""
    draw = np.random.Generator(np.random.PCG64(seed))
    n, rows = int(draw.integers(3, 30)), 50
    strike = np.cumsum(draw.integers(1, 4, size=n)) * 1_000.0
    line = np.linspace(0.3, draw.choice([0.05, 0.299]), n)[:, None]
    mid = np.round(line + draw.integers(0, 3, size=(n, rows)) * draw.choice([0.0, 1e-4, 5e-4]), 4)
    mid[draw.random(mid.shape) < 0.1] = np.nan
    buy = mid + 1e-4 * draw.integers(1, 4, size=mid.shape)
    shape = shape_of(mid, buy, strike, np.full(rows, 1e-12))
    cell = np.flatnonzero(shape.evaluated)

    low, high = wings_of(
        cell, Field(buy, shape.live, shape.fixed, strike, np.zeros(n, dtype=np.int64), np.full((1, rows), n))
    )
    whole = best_wings(buy, strike)

    belly, row = np.divmod(cell, rows)
    assert low.tolist() == whole[0][belly, row].tolist()
    assert high.tolist() == whole[1][belly, row].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_a_belly_without_doubt_is_under_every_chord(seed: int) -> None:
    """Every triple by a slow loop: what is not doubtful has no gross above the crumb; what is quoted is evaluated."""
    draw = np.random.Generator(np.random.PCG64(1_000 + seed))
    n, rows, crumb = 7, 30, 1e-9
    strike = np.cumsum(draw.integers(1, 4, size=n)) * 1_000.0
    mid = np.round(np.linspace(0.3, 0.1, n)[:, None] ** 2 + draw.integers(0, 2, size=(n, rows)) * 1e-4, 4)
    mid[draw.random(mid.shape) < 0.15] = np.nan
    shape = shape_of(mid, mid + 1e-4, strike, np.full(rows, crumb))
    for t in range(rows):
        quoted = [j for j in range(n) if not np.isnan(mid[j, t])]
        for j in range(n):
            others = [(a, b) for a in quoted for b in quoted if a < j < b]
            assert shape.evaluated[j, t] == (bool(others) and j in quoted)
            if not shape.evaluated[j, t] or shape.doubtful[j, t]:
                continue
            for a, b in others:
                weight = (strike[b] - strike[j]) / (strike[b] - strike[a])
                assert mid[j, t] - (weight * mid[a, t] + (1.0 - weight) * mid[b, t]) <= crumb + 1e-15
