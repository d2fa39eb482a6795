"""Twin of rare_loss_cells.py: the law of a day in closed form, and that the joint loss is what decides."""

from __future__ import annotations

from math import exp
from pathlib import Path

import numpy as np
import pytest

from backtest.seeds import streams
from hypotheses.calibration import rare_loss_cells as rare
from hypotheses.calibration.base import Context
from hypotheses.calibration.distributions import DAYS, drift, money
from hypotheses.calibration.draws import Draw, Replayed
from hypotheses.calibration.plan import load_plan

ROOT = Path(__file__).resolve().parents[3]
SEEDS = streams.load(ROOT / "seeds.lock")


@pytest.fixture(scope="module")
def context() -> Context:
    plan = load_plan(ROOT / "configs" / "calibration" / "registered.toml", quick=True)
    return Context(plan.study, plan.stats, {}, SEEDS, Replayed(SEEDS), lambda _: {}, ROOT, None)


@pytest.mark.parametrize("multiple", rare.MULTIPLES)
def test_the_least_favourable_rate_earns_just_over_three_losses_where_none_is_seen(multiple: float) -> None:
    """90 q m = 3.15, and what stays unseen has probability (1 - q)^90."""
    q = rare.rate(multiple, rare.RATES[1])

    assert DAYS * q * multiple == pytest.approx(3.15)
    assert (1 - q) ** DAYS == pytest.approx(exp(-3.15 / multiple), rel=0.25)
    assert rare.rate(multiple, rare.RATES[0]) == 1 / 150


@pytest.mark.parametrize("name", rare.RATES)
def test_a_day_has_mean_zero_and_the_variance_of_its_law(name: str) -> None:
    """Var = (q m)^2 + m^2 q (1 - q); over 400 windows."""
    q = rare.rate(1.0, name)
    days = np.concatenate([rare.rare_losses(Draw(SEEDS, rare.STREAM, rare.FIRST + r), 1.0, q) for r in range(400)])
    sd = np.sqrt(q**2 + q * (1 - q))

    assert abs(days.mean()) < 4 * sd / np.sqrt(len(days))
    assert days.std() == pytest.approx(sd, rel=0.1)
    assert np.mean(days < -0.5) == pytest.approx(q, abs=4 * np.sqrt(q / len(days)))


def test_an_edge_is_robust_until_the_joint_loss_is_too_large_for_its_window(context: Context) -> None:
    """The same days: robust with a small L, supported and not robust with a large one."""
    x = money(Draw(SEEDS, rare.STREAM, 1).normals(DAYS) + drift(12))
    result = int(x.sum())

    small, large = rare.judge(context, x, result // 40), rare.judge(context, x, result // 3)

    assert (small["supported"], small["robust"]) == (True, True)
    assert (large["supported"], large["robust"]) == (True, False)


def test_cells_draw_from_replicates_of_their_own_and_only_losses_up_to_l_have_a_limit() -> None:
    """No two cells share a word, and the cell of skewness comes before them."""
    cells = [cell for cell in rare.CELLS if cell.name != "rare/price"]
    starts = sorted(cell.start for cell in cells)

    assert len(cells) == 8
    assert starts[0] >= 2_000
    assert min(np.diff(starts)) >= 2_000
    for cell in cells:
        multiple = float(cell.name.split("/")[1])
        assert (cell.rows[0].limit == "rare_loss") is (multiple <= 1)
        assert ("ninety days cannot see it" in cell.rows[0].name) is (multiple > 1)
