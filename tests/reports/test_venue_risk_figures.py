"""The pictures of a simulation: what is drawn, by plain lines over the tables they are given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from reports.venue_risk import figures
from tests.reports.drawn import Drawn, catch_axes

PATH = pd.DataFrame(
    {
        "t_s": [0, 10, 20], "outside_usd": [100.0, 90.0, 95.0], "oracle_usd": [100.0, 92.0, 94.0],
        "mark_usd": [101.0, 91.0, 96.0], "liquidated_usd": [0.0, 5.0, 7.0], "deleveraged_usd": [0.0, 1.0, 2.0],
        "fund_usd": [50.0, 45.0, 40.0], "least_margin_ratio": [9.0, 1.5, 0.5],
    }
)  # fmt: skip


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    return catch_axes(monkeypatch)


def line(ax: Axes, number: int) -> list[float]:
    return [float(value) for value in ax.get_lines()[number].get_ydata()]


def waves(caught: Drawn) -> None:
    table = pd.DataFrame({"wave": [1, 2], "needed_usd": [10.0, 20.0], "budget_prod": [15.0, 80.0]})
    figures.waves({}, {"waves": table})
    (ax,) = caught["waves"]
    needed, taken = ax.containers
    assert [bar.get_height() for bar in needed] == [10.0, 20.0]
    assert [bar.get_height() for bar in taken] == [15.0, 80.0]
    assert (ax.get_yscale(), ax.get_ylabel()) == ("log", "USD")


def policy_shares(caught: Drawn) -> None:
    policies = {
        "a": {"layer": "read", "largest_share": 1.0}, "b": {"layer": "ours", "largest_share": 0.25},
        "c": {"layer": "read", "largest_share": 0.5},
    }  # fmt: skip
    figures.policy_shares({"policies": policies}, {})
    (ax,) = caught["policies"]
    drawn = {
        (c.get_label(), round(bar.get_y() + bar.get_height() / 2)): bar.get_width() for c in ax.containers for bar in c
    }
    assert drawn == {("read", 0): 100.0, ("ours", 1): 25.0, ("read", 2): 50.0}
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b", "c"]


def phase(caught: Drawn) -> None:
    table = pd.DataFrame(
        {"gain": [0.5, 0.9], "low": [1.5, 5.0], "high": [2.5, 20.0], "amplification": [2.0, 10.0],
         "closed_form": [2.0, 10.5], "liquidated": [0.2, 1.0]}
    )  # fmt: skip
    figures.phase({}, {"phase": table})
    top, bottom = caught["phase"]
    assert (line(top, 0), line(top, 1)) == ([2.0, 10.0], [2.0, 10.5])
    assert line(bottom, 0) == [20.0, 100.0]
    assert [ax.get_lines()[-1].get_xdata()[0] for ax in (top, bottom)] == [1.0, 1.0]


def contagion(caught: Drawn) -> None:
    edges = pd.DataFrame({"source": [0, 0, 1], "target": [0, 1, 0], "gain": [0.1, 0.5, 0.25]})
    venues = pd.DataFrame(
        {"contagion": ["on", "on", "off", "off"], "venue": [0, 1, 0, 1], "lost": [0.4, 0.1, 0.0, 0.0]}
    )
    figures.contagion({}, {"feedback": edges, "venues": venues})
    (ax,) = caught["contagion"]
    texts = [text.get_text() for text in ax.texts]
    assert [text for text in texts if text] == ["0: 40.0%", "1: 10.0%"]
    widths = sorted(text.arrow_patch.get_linewidth() for text in ax.texts if not text.get_text())
    assert widths == [8 * 0.25, 8 * 0.5]  # a venue passes nothing on to itself


def prices(caught: Drawn) -> None:
    figures.prices({}, {"path": PATH})
    (ax,) = caught["prices"]
    for number, column in enumerate(("outside_usd", "oracle_usd", "mark_usd")):
        assert line(ax, number) == PATH[column].tolist()


def stress(caught: Drawn) -> None:
    figures.stress({}, {"path": PATH})
    top, middle, bottom = caught["stress"]
    liquidated, deleveraged = top.containers
    assert [bar.get_height() for bar in liquidated] == [0.0, 5.0, 7.0]
    assert [(bar.get_y(), bar.get_height()) for bar in deleveraged] == [(0.0, 0.0), (5.0, 1.0), (7.0, 2.0)]
    assert line(middle, 0) == [50.0, 45.0, 40.0]
    assert line(bottom, 0) == [5.0, 1.5, 0.5]  # cut at 5, so that the threshold of 1 is seen


def haircuts(caught: Drawn) -> None:
    figures.haircuts({}, {"haircuts": pd.DataFrame({"share_of_position": np.array([0.5, 1.0])})})
    (ax,) = caught["haircuts"]
    assert [bar.get_height() for bar in ax.containers[0]] == [50.0, 100.0]
    figures.haircuts({}, {"haircuts": pd.DataFrame({"share_of_position": np.zeros(0)})})
    assert caught["haircuts"][0].get_xlabel() == "none was made"


def margins(caught: Drawn) -> None:
    table = pd.DataFrame(
        {"coin": ["BTC", "BTC", "ETH"], "day": [7, 8, 7], "margin": [0.02, 0.03, 0.05], "fixed": [0.025, 0.025, 0.05],
         "unscaled": [0.01, 0.01, 0.04]}
    )  # fmt: skip
    figures.margins({}, {"margins": table})
    btc, eth = caught["margins"]
    for number, (first, second) in enumerate((([2.0, 3.0], [5.0]), ([2.5, 2.5], [5.0]), ([1.0, 1.0], [4.0]))):
        assert (line(btc, number), line(eth, number)) == (first, second)
        assert [list(ax.get_lines()[number].get_xdata()) for ax in (btc, eth)] == [[7, 8], [7]]
    assert [ax.get_ylabel() for ax in (btc, eth)] == ["BTC, % of notional", "ETH, % of notional"]


DRAWN = {
    "waves": waves, "policy_shares": policy_shares, "phase": phase, "contagion": contagion, "prices": prices,
    "stress": stress, "haircuts": haircuts, "margins": margins,
}  # fmt: skip
"""Name of a drawing -> its lines; `test_figures_recomputed` counts them."""


@pytest.mark.parametrize("name", DRAWN)
def test_what_a_picture_shows_is_what_its_tables_hold(name: str, caught: Drawn) -> None:
    """Heights, lines, widths and units."""
    DRAWN[name](caught)


def test_every_picture_of_a_kind_is_drawn_here() -> None:
    """A new picture needs its lines."""
    assert {draw.__name__ for pictures in figures.PICTURES.values() for _, draw in pictures} == set(DRAWN)
