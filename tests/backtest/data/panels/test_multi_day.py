"""Neighbouring panels as one: what is joined, and where a join must stop."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from backtest.data.panels import multi_day as module
from backtest.data.panels import reader
from backtest.data.panels.multi_day import merged_panels, multi_day_panels
from engine.market.multi_day import MultiDayPanel
from engine.records import Kind, Panel
from engine.units import NS_PER_DAY
from tests.helpers.small_run import Tiny


def panels(tiny: Tiny, days: int) -> list[Panel]:
    plan = tiny.run.plan
    return list(reader.panels(tiny.dataset, "BTC", plan.t0_ns, plan.t0_ns + days * NS_PER_DAY))


def runs(every: list[Panel]) -> list[list[Panel]]:
    """Split by a slow loop wherever the instruments change."""
    found: list[list[Panel]] = []
    for panel in every:
        if found and found[-1][0].code.tolist() == panel.code.tolist():
            found[-1].append(panel)
        else:
            found.append([panel])
    return found


def test_neighbours_of_the_same_instruments_are_one_panel(tiny: Tiny) -> None:
    """Each array is the days' own, end to end; a day with another instrument begins another panel."""
    every = panels(tiny, 20)
    expected = runs(every)
    got = list(merged_panels(every, lambda _: 0))

    assert 1 < len(expected) < len(every)
    assert len(got) == len(expected)
    for one, parts in zip(got, expected, strict=True):
        assert one.code.tolist() == parts[0].code.tolist()
        for field in fields(Panel):
            value = getattr(one, field.name)
            if isinstance(value, np.ndarray) and field.name != "code":
                np.testing.assert_array_equal(value, np.concatenate([getattr(part, field.name) for part in parts]))


def test_a_join_ends_where_panels_are_not_alike_or_too_long(tiny: Tiny, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A key of the caller's, and the most rows; one panel above that stays whole."""
    lasting = np.flatnonzero(tiny.dataset.instruments.kind <= Kind.PERP).tolist()
    plan = tiny.run.plan
    every = list(reader.panels(tiny.dataset, "BTC", plan.t0_ns, plan.t0_ns + 6 * NS_PER_DAY, codes=lasting))
    rows = len(every[0].times_ns)
    third = int(every[2].times_ns[0])
    assert [len(one.times_ns) // rows for one in merged_panels(every, lambda p: int(p.times_ns[0]) >= third)] == [2, 4]
    for most, expected in ((2 * rows, [2, 2, 2]), (2 * rows + 1, [2, 2, 2]), (rows - 1, [1] * 6)):
        monkeypatch.setattr(module, "ROWS", most)
        assert [len(one.times_ns) // rows for one in merged_panels(every, lambda _: 0)] == expected
    assert list(merged_panels([], lambda _: 0)) == []


def test_days_are_laid_together_up_to_the_rows_and_quotes_of_a_full_one(tiny: Tiny, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Whatever they hold; quotes are counted over the instruments of all, and one panel above a limit stays whole."""
    every = panels(tiny, 6)
    rows = len(every[0].times_ns)

    def runs() -> list[int]:
        grouped = multi_day_panels(every, lambda _: 0)
        return [len(group.panels) if isinstance(group, MultiDayPanel) else 1 for group in grouped]

    assert runs() == [6]
    first = len({*every[0].code.tolist(), *every[1].code.tolist()})
    monkeypatch.setattr(module, "CELLS", 2 * rows * first - 1)
    assert runs()[0] == 1
    monkeypatch.setattr(module, "CELLS", 1)
    assert runs() == [1] * 6
    monkeypatch.undo()
    monkeypatch.setattr(module, "ROWS", 4 * rows)
    assert runs() == [4, 2]
    arrays = {field.name: getattr(every[0], field.name) for field in fields(Panel)}
    by_row = {name: array[:0] for name, array in arrays.items() if isinstance(array, np.ndarray) and name != "code"}
    empty = replace(every[0], **by_row)
    assert list(multi_day_panels([empty, every[1], empty], lambda _: 0)) == [every[1]]
