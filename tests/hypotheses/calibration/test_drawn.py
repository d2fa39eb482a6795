"""What the certificate draws has the moments it claims, from words that seeds.lock names.  [R11.3, S9.1]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import skew

from backtest.seeds import streams
from hypotheses.calibration import signals
from hypotheses.calibration.distributions import DAYS, FAMILIES, SKEWNESS, drift, money
from hypotheses.calibration.draws import Draw, Replayed
from hypotheses.calibration.interval_cells import EV, sparse

SEEDS = streams.load(Path(__file__).resolve().parents[3] / "seeds.lock")
LONG = 200_000


def draw(r: int = 0) -> Draw:
    return Draw(SEEDS, "calibrate/n1/zero", r)


def correlation(x: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(x[lag:], x[:-lag])[0, 1])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_mean_zero_and_deviation_one(family: str) -> None:
    """Over a long stretch, within five standard errors of a dependent mean."""
    x = FAMILIES[family](draw(), LONG)

    assert x.shape == (LONG,)
    assert abs(x.mean()) < 5 * 2 / np.sqrt(LONG)
    assert abs(x.std() - 1) < 0.05


def test_families_have_the_dependence_and_shape_of_their_closed_forms() -> None:
    """AR(1) slopes, thirds of the overlap, clustered squares without correlation, skewness -3.5."""
    slopes = {name: correlation(FAMILIES[name](draw(), LONG), 1) for name in ("normal", "ar1", "negative", "garch")}
    assert abs(slopes["normal"]) < 0.01
    assert abs(slopes["ar1"] - 0.3) < 0.01
    assert abs(slopes["negative"] + 0.2) < 0.01
    assert abs(slopes["garch"]) < 0.02
    assert correlation(FAMILIES["garch"](draw(), LONG) ** 2, 1) > 0.1
    held = FAMILIES["overlap"](draw(), LONG)
    assert [round(correlation(held, lag), 1) for lag in (1, 2, 3)] == [0.7, 0.3, 0.0]
    assert abs(skew(FAMILIES["skew"](draw(), LONG)) - SKEWNESS) < 0.2
    assert FAMILIES["skew"](draw(), LONG).max() < 0.58  # bounded gains: sqrt of the gamma's shape


def test_a_planted_ratio_is_mean_over_deviation() -> None:
    """SR 3 a year is 3 / sqrt(365) a day, in integer micro-USD too."""
    x = money(FAMILIES["normal"](draw(), LONG) + drift(3))
    assert x.dtype == np.int64
    assert abs(x.mean() / x.std() * np.sqrt(365) - 3) < 0.15


@pytest.mark.parametrize("family", EV)
def test_daily_ev_has_mean_one(family: str) -> None:
    """The four families of H2: 400 windows of 90 days."""
    means = [EV[family](draw(r)).mean() for r in range(400)]
    assert abs(np.mean(means) - 1) < 5 * np.std(means) / 20


def test_a_sparse_sleeve_is_active_on_the_days_it_says() -> None:
    """Twenty days of ninety; the others exactly nothing."""
    assert np.count_nonzero(sparse(draw(), 20)) == 20


def test_replayed_streams_give_the_registered_words() -> None:
    """The same words as the lock's own generator; more than were kept is an error, not other words."""
    replayed = Replayed(SEEDS)
    assert replayed("h1/bootstrap") is replayed("h1/bootstrap")
    for r in (0, 7):
        want = SEEDS.generator("h1/bootstrap", r).random_raw(180)
        assert np.array_equal(replayed("h1/bootstrap")(r).random_raw(180), want)
    with pytest.raises(ValueError, match="at most 192"):
        replayed("h1/bootstrap")(0).random_raw(193)


def test_placements_equal_moving_each_slot_of_signals_by_hand() -> None:
    """`placements_of` against loops: own place, every place of the fold, shifts around the circle."""
    earned = draw().normals(3 * DAYS, 3 * DAYS)
    found, micro = signals.placements_of(earned), money(earned)

    for day in range(DAYS):
        assert found.observed[day] == sum(micro[3 * day + h, 3 * day + h] for h in range(3))
        for place in range(9):
            target = day // 9 * 9 + place
            expected = np.zeros(DAYS, dtype=np.int64)
            expected[target] = sum(micro[3 * day + h, 3 * target + h] for h in range(3))
            assert np.array_equal(found.batch[day, place], expected)
    for number, shift in ((0, 12), (100, 112), (246, 258)):
        expected = np.zeros(DAYS, dtype=np.int64)
        for slot in range(3 * DAYS):
            to = (slot + shift) % (3 * DAYS)
            expected[to // 3] += micro[slot, to]
        assert np.array_equal(found.shifted[number], expected)
        assert found.shift_ns[number] == shift * 8 * 3_600 * 10**9


def test_an_edge_is_earned_where_signals_stand_and_nowhere_else() -> None:
    """Edge 1 against edge 0 on the same words: only the own place moves, by one cost a signal, to a mean of zero."""
    with_edge, without = (signals.draw_signals(draw(), edge) for edge in (1.0, 0.0))
    own = np.arange(DAYS)
    gained = with_edge.observed - without.observed
    assert (gained >= 0).all()
    assert gained.sum() > 0
    moved = (with_edge.batch - without.batch).sum(axis=2)
    assert np.array_equal(moved[own, own % 9], gained)
    moved[own, own % 9] = 0
    assert not moved.any()
    means = [signals.draw_signals(draw(r), 1.0).observed.mean() / 5e9 for r in range(200)]
    assert abs(np.mean(means)) < 4 * np.std(means) / np.sqrt(200)
