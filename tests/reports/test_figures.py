"""Figures draw what there is, and draw nothing without a warning where there is nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from reports.figures import capacity, costs, coverage, equity, folds, forest, funnel, null
from reports.figures.style import canvas
from reports.words import CODES, NAMES

DAY = 86_400 * 10**9
DAYS = np.arange(20_000, 20_010)
NOTHING = np.zeros(10, dtype=np.int64)
STAGES = ("examined", "violations", "traded")


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(svg).iter() if e.tag.endswith("}text")]


EMPTY = {
    "equity": lambda: equity.draw(DAYS, NOTHING, NOTHING, [20_000]),
    "null": lambda: null.draw([0, 0, 0], 0),
    "capacity": lambda: capacity.draw(DAYS, [0] * 10, [0] * 10, 50_000),
    "costs": lambda: costs.draw(CODES, {code: {} for code in CODES}, dict.fromkeys(CODES, 0.0)),
    "coverage": lambda: coverage.draw(DAYS, CODES, np.full((7, 10), np.nan)),
    "forest": lambda: forest.draw(["a"], [None], [None], ["not enough data"], 0.0),
    "funnel": lambda: funnel.draw(CODES, NAMES, STAGES, {code: dict.fromkeys(STAGES, 0) for code in CODES}),
    "folds": lambda: folds.draw(0, [DAY], [2 * DAY], DAY // 2, ["0 train, 0 test"]),
    "one day": lambda: equity.draw(DAYS[:1], NOTHING[:1], NOTHING[:1], []),
    "one day of coverage": lambda: coverage.draw(DAYS[:1], CODES, np.ones((7, 1))),
}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_is_drawn_without_a_warning(name: str) -> None:
    """Zeros, undefined values and single days give a figure; warnings are errors here."""
    assert ET.fromstring(EMPTY[name]()).tag.endswith("svg")


@pytest.mark.parametrize("name", EMPTY)
def test_a_figure_is_the_same_bytes_each_time(name: str) -> None:
    """No date, no random id."""
    assert EMPTY[name]() == EMPTY[name]()


def test_the_funnel_writes_each_count() -> None:
    """The number stands at every stage, a zero too; only counts above zero have a bar."""
    counts = {code: {"examined": 1000 * n, "violations": n, "traded": 0} for n, code in enumerate(CODES, 1)}
    found = texts(funnel.draw(CODES, NAMES, STAGES, counts))

    assert found.count("0") == 7
    for n in range(1, 8):
        assert f"{1000 * n:,}" in found
        assert str(n) in found


def test_the_forest_says_what_is_undefined() -> None:
    """A row without a point says so in words, and each row carries its status."""
    found = texts(forest.draw(["a", "b"], [1.0, None], [(0.5, 1.5), None], ["retained", "not enough data"], 0.0))

    assert "undefined" in [text.strip() for text in found]
    assert {"a  (retained)", "b  (not enough data)"} <= set(found)


def test_the_costs_add_up_to_the_net() -> None:
    """Earned upwards, paid downwards: all terms are in the legend."""
    terms = {code: {"gross": 5_000_000, "fees": 1_000_000, "capital": 1} for code in CODES}
    found = texts(costs.draw(CODES, terms, dict.fromkeys(CODES, 25_000.0)))

    assert {"gross", "funding", "fees", "slippage", "borrow", "capital", "net"} <= set(found)


def test_ids_carry_the_name_of_their_figure() -> None:
    """Two figures on one page share no id."""
    svgs = []
    for name in ("one", "two"):
        with canvas(name) as sheet:
            sheet.ax.plot([1, 2], [3, 4], label="x")
            sheet.ax.bar([1], [2], hatch="///")
            sheet.ax.legend()
        svgs.append(sheet.svg)
    first, second = ({e.attrib["id"] for e in ET.fromstring(svg).iter() if "id" in e.attrib} for svg in svgs)

    assert first
    assert not first & second
