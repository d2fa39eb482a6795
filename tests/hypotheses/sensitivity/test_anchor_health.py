"""Twin of anchor_health.py: breaks, hours and corners counted by hand and by a slow loop; a planted market."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from backtest.data.format.dataset import Dataset
from backtest.registration.load import load_registration
from engine.units import NS_PER_HOUR
from hypotheses.sensitivity import anchor_health
from hypotheses.sensitivity.base import JudgedRun
from tests.leakage import small_study

NAN = float("nan")


def test_breaks_end_with_an_unknown_quote() -> None:
    """Two hours broken, one unknown, one broken: the longest is two; shares are of the known hours."""
    times = np.arange(6) * NS_PER_HOUR
    gap = np.array([9.0, 9.0, NAN, 9.0, 1.0, 5.0])

    found = anchor_health.health(times, gap, np.full(6, 5.0))

    assert (found.known_h, found.longest_h, found.broken) == (5.0, 2.0, pytest.approx(3 / 5))
    assert found.by_hour[:6] == (1.0, 1.0, pytest.approx(NAN, nan_ok=True), 1.0, 0.0, 0.0)
    assert (found.gap_bps, found.limit_bps) == (9.0, 5.0)


def test_random_gaps_are_those_of_a_slow_loop() -> None:
    """Uneven grid times over three days, each standing for the time to the next."""
    draw = np.random.default_rng(4)
    times = np.cumsum(draw.integers(60, 7_200, 300)).astype(np.int64) * 1_000_000_000
    gap = np.where(draw.random(300) < 0.1, np.nan, draw.random(300))
    limit = np.full(300, 0.6)

    found = anchor_health.health(times, gap, limit)

    hours = [(times[min(i, 298) + 1] - times[min(i, 298)]) / NS_PER_HOUR for i in range(300)]
    known = [i for i in range(300) if not math.isnan(gap[i])]
    assert found.known_h == pytest.approx(sum(hours[i] for i in known))
    assert found.broken == pytest.approx(sum(hours[i] for i in known if gap[i] > 0.6) / found.known_h)
    at_three = [i for i in known if times[i] // NS_PER_HOUR % 24 == 3]
    assert found.by_hour[3] == pytest.approx(
        sum(hours[i] for i in at_three if gap[i] > 0.6) / sum(hours[i] for i in at_three)
    )


def test_nothing_known_is_no_number() -> None:
    """A pair without a quote has no share and no gap."""
    found = anchor_health.health(np.arange(3) * NS_PER_HOUR, np.full(3, NAN), np.full(3, 5.0))

    assert found.known_h == found.longest_h == 0.0
    assert np.isnan([found.broken, found.gap_bps, *found.by_hour]).all()


def test_the_corner_that_is_off_is_named() -> None:
    """Two corners are not enough; of four the one furthest from their median, beyond the threshold or not."""
    prices = np.array([[0.0, 0, 0, 100.0], [0, 10, 0, 0], [0, NAN, 0, 70.0], [0, NAN, NAN, 500.0]])

    rows = {row["corner"]: row for row in anchor_health.corner_rows("BTC", prices, 60.0)}

    assert rows["spot"]["known"] == 3
    assert (rows["spot"]["furthest"], rows["spot"]["off"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (rows["CEX perp"]["furthest"], rows["CEX perp"]["off"]) == (pytest.approx(1 / 3), 0.0)
    assert anchor_health.corner_rows("BTC", prices[3:], 60.0) == []


def test_a_planted_market_has_a_row_a_pair_and_a_corner(tmp_path: Path) -> None:
    """Every registered pair over the whole window; the fair spread is far under the limit, plants break it at times."""
    dataset: Dataset = small_study.market(tmp_path, small_study.text())
    registration = load_registration(dataset.path / "registration.toml")
    judged = JudgedRun(
        tmp_path, None, registration, registration.plan, None, None, 99, dataset.path  # type: ignore[arg-type]
    )  # fmt: skip

    pairs, hours, off = anchor_health.build(judged).tables

    wanted = registration.params.underlyings["BTC"].cash_carry
    assert {(row["perp"], row["spot"]) for row in pairs.rows} == {(pair.perp, pair.spot) for pair in wanted}
    for row in pairs.rows:
        assert row["known"] == pytest.approx(6 * 24, abs=12)
        assert 0.0 <= row["broken"] < 0.5
        assert row["gap"] < 50.0 < row["limit"]
    assert any(row["broken"] > 0.0 for row in pairs.rows)
    assert len(hours.rows) == len(pairs.rows)
    assert sum(row["furthest"] for row in off.rows) == pytest.approx(1.0)
    assert [row["corner"] for row in off.rows] == ["DEX perp", "CEX perp", "synthetic", "spot"]
