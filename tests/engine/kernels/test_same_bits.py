"""The compiled kernels against the NumPy path, bit for bit: a full day, drawn panels, days laid end to end, joins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtest.data.format.schema import CHANNEL_COLUMNS, Channel
from backtest.data.panels.asof import Quotes, quotes_at, values_at
from backtest.data.panels.rows import Rows
from engine.constraints.detect import detect
from engine.constraints.detect_days import DetectedDays, detect_days
from engine.constraints.registry import CONSTRAINTS
from engine.constraints.scan_cells import Scan
from engine.kernels.choose import KernelPath
from engine.market.multi_day import concatenate_days
from engine.market.view import PreparedPanel, prepare
from engine.params import Params
from engine.records import FloatArray, Panel
from tests.engine.constraints.test_detect_days import same
from tests.engine.kernels.drawn import SETTINGS, drawn_days, drawn_panel
from tests.helpers.kernels import both
from tests.helpers.markets import flat_history

VIEW = ("spot_usd", "usd", "money", "usable", "quality", "mid", "half_spread", "charge")
COMPILED = ("C3", "C4", "C7")
EXAMPLES = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


def same_view(one: PreparedPanel, other: PreparedPanel) -> None:
    for name in VIEW:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name, strict=True)
    assert (one.coin_usd is None) == (other.coin_usd is None)
    if one.coin_usd is not None and other.coin_usd is not None:
        np.testing.assert_array_equal(one.coin_usd, other.coin_usd, strict=True)


def scans(view: PreparedPanel) -> dict[tuple[str, float], Scan]:
    """The scans of C3, C4 and C7 with every cell, with those of a gross, and with those that emission needs."""
    rules = {constraint.code: constraint for constraint in CONSTRAINTS}
    floors = {c: (-np.inf, 0.0, view.params.rearm_share * view.params.rules[c].threshold_bps) for c in COMPILED}
    return {(c, floor): rules[c].scan(view, None, floor) for c in COMPILED for floor in floors[c]}


def check(panel: Panel, params: Params, kernels: KernelPath, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Compare views, scans and violations of both paths; return how many cells each constraint had."""

    def compute() -> tuple[PreparedPanel, dict[tuple[str, float], Scan]]:
        view = prepare(panel, params, flat_history())
        return view, scans(view)

    (view, found), (other, expected) = both(kernels, monkeypatch, compute)
    same_view(view, other)
    for key, scan in expected.items():
        same(found[key], scan)
    for one, alike in zip(*both(kernels, monkeypatch, lambda: detect(view, None)), strict=True):
        same(one, alike)
    return {code: len(expected[code, -np.inf].row) for code in COMPILED}


@pytest.mark.slow
def test_a_full_day_at_full_size_has_the_same_bits(kernels: KernelPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,440 grid times of 1,072 instruments: the benchmark's day, with ticks, holes, a listing and an expiry."""
    from benchmarks import fullday

    cells = check(fullday.block(), fullday.registered(), kernels, monkeypatch)

    assert min(cells.values()) > 900_000


@pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)
@EXAMPLES
@given(seed=st.integers(0, 2**32))
def test_a_drawn_panel_has_the_same_bits(
    params: Params, kernels: KernelPath, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """NaN, ties, holes, crossed and late quotes, sizes without number, expiries, both kinds of premium, a quanto."""
    check(drawn_panel(seed), params, kernels, monkeypatch)


def test_drawn_panels_hold_what_they_are_drawn_for(kernels: KernelPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every quality and every constraint occurs; premiums share a conversion on some panels and not on others."""
    views = [prepare(drawn_panel(seed), SETTINGS["plain"], flat_history()) for seed in range(12)]
    met = set(np.concatenate([np.unique(view.quality) for view in views]).tolist())

    assert met == {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11}
    assert {view.coin_usd is None for view in views} == {True, False}
    counted = [check(drawn_panel(seed), SETTINGS["plain"], kernels, monkeypatch) for seed in range(3)]
    assert all(sum(one[code] for one in counted) > 100 for code in COMPILED)


@EXAMPLES
@given(seed=st.integers(0, 2**32))
def test_days_laid_end_to_end_have_the_same_bits(
    kernels: KernelPath, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Three days of other listings as one: each day's view and violations, and the whole in one scan."""
    params = SETTINGS["plain"]

    def compute() -> tuple[DetectedDays, dict[tuple[str, float], Scan]]:
        days = concatenate_days(drawn_days(seed))
        whole = replace(prepare(days.whole, params, flat_history()), days=days)
        return detect_days(days, params, flat_history()), scans(whole)

    (found, in_one), (expected, in_one_too) = both(kernels, monkeypatch, compute)
    for view, other in zip(found.views, expected.views, strict=True):
        same_view(view, other)
    for day, other_day in zip(found.found, expected.found, strict=True):
        assert sorted(day) == sorted(other_day)
        for code, violations in other_day.items():
            same(day[code], violations)
    for key, scan in in_one_too.items():
        same(in_one[key], scan)


def drawn_rows(draw: np.random.Generator, channel: Channel, count: int, begin: int) -> Rows:
    t_ns = begin + np.cumsum(draw.integers(0, 3, count))
    values = {name: np.where(draw.random(count) < 0.2, np.nan, draw.random(count)) for name in CHANNEL_COLUMNS[channel]}
    return Rows(t_ns, draw.integers(0, 5, count).astype(np.int32), values)


@EXAMPLES
@given(seed=st.integers(0, 2**32), shuffled=st.booleans())
def test_a_join_has_the_same_bits(
    kernels: KernelPath, monkeypatch: pytest.MonkeyPatch, seed: int, shuffled: bool
) -> None:
    """Rows in parts, on regular and other grids, before, on and after them; also rows that are out of order."""
    draw = np.random.Generator(np.random.PCG64(seed))
    column = np.array([2, -1, 0, 3, 1, 4])
    column[1] = 5
    steps = draw.integers(1, 9, 45) if draw.random() < 0.5 else np.full(45, 4)
    times = 10 + np.cumsum(steps)
    before = [drawn_rows(draw, Channel.QUOTE, 3, 0)]
    parts = [drawn_rows(draw, Channel.QUOTE, int(draw.integers(1, 60)), 12)]
    parts += [drawn_rows(draw, Channel.QUOTE, int(draw.integers(1, 60)), int(parts[0].t_ns[-1]) + 1)]
    marks = drawn_rows(draw, Channel.MARK, 80, 5)
    if shuffled:
        marks, parts = _two_files(marks), [_two_files(part) for part in parts]

    def compute() -> tuple[Quotes, list[FloatArray]]:
        joined = quotes_at(before, parts, column, times, 6)
        return joined, [values_at(marks, name, column, times, 6) for name in ("mark", "index")]

    (quotes, values), (expected, others) = both(kernels, monkeypatch, compute)
    np.testing.assert_array_equal(quotes.age_ns, expected.age_ns, strict=True)
    for name, value in expected.value.items():
        np.testing.assert_array_equal(quotes.value[name], value, err_msg=name, strict=True)
    for value, other in zip(values, others, strict=True):
        np.testing.assert_array_equal(value, other, strict=True)


def _two_files(rows: Rows) -> Rows:
    """The rows of some codes after those of all others: each code in order of time, the whole not."""
    return rows.where(np.argsort(rows.code > 2, kind="stable"))


@pytest.mark.parametrize("change", ["transposed", "read-only", "sliced"])
def test_the_layout_in_memory_does_not_matter(
    change: str, kernels: KernelPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays row by row, read-only ones, and views of a larger block."""
    panel = drawn_panel(7)
    lay: Callable[[np.ndarray], np.ndarray] = {
        "transposed": np.ascontiguousarray,
        "read-only": _frozen,
        "sliced": lambda array: np.asfortranarray(np.concatenate([array, array]))[: len(array)],
    }[change]
    values = {f.name: getattr(panel, f.name) for f in fields(Panel)}
    twisted = {name: lay(value) for name, value in values.items() if getattr(value, "ndim", 0) == 2}

    check(replace(panel, **twisted), SETTINGS["plain"], kernels, monkeypatch)


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.setflags(write=False)
    return copy
