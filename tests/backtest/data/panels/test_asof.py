"""The as-of join against a plain search, however the rows are cut into chunks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from backtest.data.panels.asof import QUOTE_COLUMNS, last_known, quotes_at, values_at
from backtest.data.panels.rows import Rows
from engine.units import NEVER_NS

COLUMNS = 5
COLUMN = np.array([3, -1, 0, 4, 1, -1])  # of six codes, two of which are no column; no code is column 2


def rows_of(t_ns, code, draw, names=QUOTE_COLUMNS, lost=0.2):
    values = {name: np.where(draw.random(len(t_ns)) < lost, np.nan, draw.random(len(t_ns))) for name in names}
    return Rows(np.asarray(t_ns, np.int64), np.asarray(code, np.int32), values)


def drawn(draw, low, high, count, codes):
    """Return rows in the order of (time, code), no two alike."""
    keys = sorted(
        {(int(t), int(c)) for t, c in zip(draw.integers(low, high, count), draw.choice(codes, count), strict=True)}
    )
    return rows_of([t for t, _ in keys], [c for _, c in keys], draw)


def part(rows, own):
    return rows.where(np.arange(len(rows))[own])


def slow(parts, column, t_ns):
    """Return the last row of ``column`` at ``t_ns``, as (part, number), None where there is none."""
    found = [
        (p, n)
        for p, rows in enumerate(parts)
        for n in range(len(rows))
        if COLUMN[rows.code[n]] == column and rows.t_ns[n] <= t_ns
    ]
    return max(found, key=lambda at: (parts[at[0]].t_ns[at[1]], at), default=None)


@pytest.mark.parametrize("times", [np.arange(1000, 2000, 50), np.array([1000, 1001, 1300, 1999]), np.array([1500])])
@pytest.mark.parametrize("cuts", [[], [40], [1, 2, 70]])
def test_every_quote_is_the_last_one_known_however_the_rows_are_cut(times, cuts):
    """Ages and all values, carried in and of the day, on regular and other times; the file may be cut anywhere."""
    draw = np.random.Generator(np.random.PCG64(len(times) + len(cuts)))
    before = [drawn(draw, 0, 500, 4, range(6)), drawn(draw, 500, 1000, 3, range(6))]
    day = drawn(draw, 1000, 2100, 90, [0, 2, 4])
    bounds = [0, *cuts, len(day)]
    chunks = [part(day, slice(low, high)) for low, high in pairwise(bounds)]

    found = quotes_at(before, chunks, COLUMN, times, COLUMNS)

    for column in range(COLUMNS):
        for row, t_ns in enumerate(times.tolist()):
            at = slow([*before, day], column, t_ns)
            if at is None:
                assert found.age_ns[column, row] == NEVER_NS
                assert all(np.isnan(found.value[name][column, row]) for name in QUOTE_COLUMNS)
                continue
            rows = [*before, day][at[0]]
            assert found.age_ns[column, row] == t_ns - rows.t_ns[at[1]]
            for name in QUOTE_COLUMNS:
                np.testing.assert_equal(found.value[name][column, row], rows.value[name][at[1]])


def test_without_rows_what_is_carried_stands():
    """No chunk at all: the last row of before, growing older."""
    draw = np.random.Generator(np.random.PCG64(1))
    found = quotes_at([rows_of([7], [2], draw, lost=0.0)], [], COLUMN, np.array([10, 20]), COLUMNS)

    assert found.age_ns.tolist() == [[3, 13], *[[NEVER_NS, NEVER_NS]] * 4]
    assert np.isfinite(found.value["bid"][0]).all()


def test_quotes_of_a_second_file_are_put_beside_the_first():
    """The columns named take the other's, the rest stay."""
    draw = np.random.Generator(np.random.PCG64(2))
    first = quotes_at([], [rows_of([1], [2], draw)], COLUMN, np.array([5]), COLUMNS)
    bid = first.value["bid"].copy()
    second = quotes_at([], [rows_of([3], [0], draw, lost=0.0)], np.array([0]), np.array([5]), 1)

    first.put(second, np.array([3]))

    assert first.age_ns.ravel().tolist() == [4, NEVER_NS, NEVER_NS, 2, NEVER_NS]
    assert first.value["bid"][3] == second.value["bid"][0]
    np.testing.assert_array_equal(first.value["bid"][[0, 1, 2, 4]], bid[[0, 1, 2, 4]])


def test_a_value_that_a_row_lacks_leaves_the_one_before():
    """Of a mark or a rate the last one that was given counts; a column that never had one is NaN."""
    rows = Rows(np.array([1, 2, 3]), np.array([0, 2, 0], np.int32), {"mark": np.array([5.0, np.nan, np.nan])})
    found = values_at(rows, "mark", COLUMN, np.array([0, 2, 4]), COLUMNS)

    np.testing.assert_array_equal(found[3], [np.nan, 5.0, 5.0])
    assert np.isnan(np.delete(found, 3, axis=0)).all()
    assert np.isnan(values_at(rows.where(np.array([1])), "mark", COLUMN, np.array([2]), COLUMNS)).all()


def test_of_rows_that_enter_together_the_last_one_stays():
    """Two rows of one column between two grid times."""
    times = np.array([10, 20, 30])
    assert last_known(np.array([11, 12, 31]), np.array([0, 0, 0]), times, 2).tolist() == [[-1, 1, 1], [-1, -1, -1]]
