"""Twin of n2_size.py: the law against its other writing, placements against a loop, the rule by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import binom

from hypotheses.calibration import n2_size
from hypotheses.calibration.distributions import money
from hypotheses.calibration.n2_size import CELLS, Choice, choice, law_earned, most, placed

ROOT = Path(__file__).resolve().parents[3]


def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("n2_exit_rule", ROOT / "docs" / "simulations" / "n2_exit_rule.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Numbers:
    """The same numbers for both writings: as a `Draw`, and as a NumPy generator that is asked in the other's order."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self._normal, self._happens, self._side = draw.normal(size=(90, 7)), draw.random(90), draw.random(90)

    def normals(self, *size: int) -> np.ndarray:
        assert size == self._normal.shape
        return self._normal

    def uniforms(self, *size: int) -> np.ndarray:
        assert size == (2, 90)
        return np.stack([self._happens, self._side])

    def normal(self, mean: float, deviation: float, size: tuple[int, int]) -> np.ndarray:
        assert (mean, size) == (0.0, self._normal.shape)
        return deviation * self._normal

    def random(self, size: int) -> np.ndarray:
        assert size == 90
        return self._happens

    def choice(self, of: list[float], size: int) -> np.ndarray:
        assert (of, size) == ([-1.0, 1.0], 90)
        return np.where(self._side < 0.5, 1.0, -1.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_law_without_a_wait_is_the_simulation_of_decision_0273(seed: int) -> None:
    """Written out twice: what the signal of day i earns on day j."""
    assert np.allclose(law_earned(Numbers(seed), wait_h=0), simulation().earned(Numbers(seed), rule=True))  # type: ignore[arg-type]


def test_with_the_wait_a_signal_earns_what_the_walk_is_an_hour_after_its_trigger() -> None:
    """One (signal, day) after the other, by a loop over hours."""
    numbers = Numbers(7)
    found = law_earned(numbers)  # type: ignore[arg-type]
    walk = np.cumsum(5.0 * numbers.normals(90, 7), axis=1)
    side = np.where(numbers.random(90) < 0.8, numbers.choice([-1.0, 1.0], 90), 0.0)
    waited = 0
    for i in range(90):
        gross = abs(walk[i, 0] + 250.0 * side[i])
        for j in range(90):
            entry = walk[j, 1]
            left = gross - side[i] * (walk[j, 0] + 250.0 * side[j] - entry)
            end = 6
            for hour in range(1, 7):
                if left - side[i] * (entry - walk[j, hour]) <= 0.25 * left:
                    end = min(hour + 1, 6)
                    waited += 1
                    break
            assert found[i, j] == pytest.approx(side[i] * (entry - walk[j, end]))
    assert waited > 500


def test_a_signal_earns_on_the_day_of_its_fold_that_it_is_placed_on() -> None:
    """And its own place is the observed one."""
    earned = np.random.default_rng(2).normal(size=(90, 90))
    moves, micro = placed(earned), money(earned)

    assert moves.observed.tolist() == np.diagonal(micro).tolist()
    for source in range(90):
        for place in range(9):
            expected = np.zeros(90, dtype=np.int64)
            expected[source // 9 * 9 + place] = micro[source, source // 9 * 9 + place]
            assert np.array_equal(moves.batch[source, place], expected)


def measured(**rejected: tuple[int, int, int]) -> dict[str, dict[str, np.ndarray]]:
    """Columns of every cell with 100 rejections of 2,000, or (ratio, mean, larger) of those named."""
    return {
        cell.name: {
            name: np.arange(2_000) < count
            for name, count in zip(
                ("ratio", "mean", "larger"),
                rejected.get(cell.name.removeprefix("n2-size/"), (100, 100, 100)),
                strict=True,
            )
        }
        for cell in CELLS
    }


@pytest.mark.parametrize(
    ("rejected", "statistic", "words"),
    [
        ({"free": (126, 500, 126)}, "sharpe", "is the Sharpe ratio"),
        ({"law": (127, 126, 90)}, "mean", "is the mean of a day"),
        ({"law": (127, 90, 80), "btc": (60, 127, 60)}, "larger", "is the larger p-value:"),
        ({"carry": (300, 300, 130)}, "larger", "is the larger p-value, 4 above the limit"),
    ],
)
def test_the_rule_takes_the_ratio_then_the_mean_then_the_larger(
    rejected: dict[str, tuple[int, int, int]], statistic: str, words: str
) -> None:
    """126 of 2,000 in every cell qualifies, 127 in one does not."""
    found = choice(measured(**rejected))

    assert found.statistic == statistic
    assert words in found.sentence


def test_without_two_thousand_replications_of_every_cell_nothing_is_chosen() -> None:
    """One cell lacking, or one replication."""
    whole = measured()
    short = {name: {key: column[1:] for key, column in columns.items()} for name, columns in whole.items()}

    assert choice({**whole, "n2-size/law": short["n2-size/law"]}).statistic == ""
    assert "n2-size/btc" in choice({name: whole[name] for name in whole if name != "n2-size/btc"}).sentence
    assert isinstance(choice({}), Choice)


@pytest.mark.parametrize("replications", [20, 200, 2_000])
def test_the_limit_is_the_smallest_count_with_995_of_a_thousand_below_or_at_it(replications: int) -> None:
    """126 of 2,000."""
    limit = most(replications)

    assert binom.cdf(limit, replications, 0.05) >= 0.995 > binom.cdf(limit - 1, replications, 0.05)
    assert n2_size.REPLICATIONS == 2_000
    assert most(2_000) == 126
