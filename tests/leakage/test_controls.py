"""The battery finds what leaks, says which check found it, and finds nothing else.  [S8.8]"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from backtest.data.format.dataset import Dataset
from backtest.leakage.alter import altered
from backtest.leakage.battery import FUTURE, Read, Result, check_cells
from backtest.leakage.folds import FitFold, check_folds, fit_fold
from backtest.leakage.observables import Observe
from backtest.leakage.survey import other_training
from engine.constraints.codes import CODES
from tests.leakage import controls
from tests.leakage.conftest import World


def checked(
    world: World, tell: Observe | None = None, read: Read | None = None, count: int = 2, dataset: Dataset | None = None
) -> Result:
    """What the battery says of the tiny market, with one part of the pipeline replaced."""
    result, draw = Result(), np.random.default_rng(7)
    parts = [(lambda _cell: tell) if tell else part for part in (world.carried, world.flat, world.short)]
    look = world.read if read is None else read
    check_cells(result, dataset or world.dataset, world.cells(count, 11), *parts, draw, look)
    return result


def caught(result: Result) -> dict[str, set[str]]:
    """Subjects by the check that found a leak in them."""
    found: dict[str, set[str]] = {}
    for leak in result.leaks:
        found.setdefault(leak.check, set()).add(leak.subject)
    return found


def test_the_honest_pipeline_leaks_nowhere(world: World) -> None:
    """Every subject under every check, and not one leak."""
    result = checked(world, count=2)

    assert result.leaks == []
    assert {check for _, check in result.cases} == {*FUTURE, "start", "rows", "codes"}
    assert {subject for subject, _ in result.cases} == {"quotes", "costs", "whole", *CODES}


@pytest.mark.parametrize("name", ["bar at its open", "back-filled quotes"])
def test_a_reader_that_looks_ahead_is_caught_by_the_cut(world: World, name: str) -> None:
    """(a), (d): quotes, and with them costs, move when what follows is cut or poisoned; order has no part in it."""
    found = caught(checked(world, read=controls.READERS[name](world.read)))

    for check in ("cut", "nan", "scaled", "shuffled"):
        assert "quotes" in found[check]
    assert "costs" in found["cut"]
    assert not {"rows", "codes"} & found.keys()


def test_the_nearest_candle_is_caught_by_the_cut(world: World) -> None:
    """(f): where candles are stamped after their label, the nearest one is often not closed yet; the last closed is."""
    dataset = altered(world.dataset, controls.stamped_late)
    found = caught(checked(world, read=controls.nearest_candle(world.read), count=1, dataset=dataset))

    for check in ("cut", "nan", "scaled", "shuffled"):
        assert "quotes" in found[check]
    assert checked(world, count=1, dataset=dataset).leaks == []


def test_depth_of_the_whole_day_is_caught_in_the_costs(world: World) -> None:
    """(c): costs move and quotes do not."""
    cell = world.cells(2, 11)[0]
    found = caught(checked(world, tell=controls.depth_of_the_day(world.flat(cell)), count=1))

    assert "costs" in found["cut"] & found["scaled"] & found["shuffled"]
    assert not {"rows", "codes"} & found.keys()


def test_a_score_normalised_with_its_whole_day_is_caught(world: World) -> None:
    """(g): every check of the future sees it, those of order do not."""
    found = caught(checked(world, tell=controls.z_of_the_day(world.registration.params)))

    assert {"cut", "nan", "scaled", "shuffled"} <= found.keys()
    assert not {"start", "rows", "codes"} & found.keys()


def test_a_choice_by_row_number_is_caught_by_other_codes_alone(world: World) -> None:
    """(h): it sees no future, and depends on the order of the table."""
    params = world.registration.params
    leaky = caught(checked(world, tell=controls.first_in_the_table(params)))
    honest = caught(checked(world, tell=controls.first_in_the_table(params, honest=True)))

    assert leaky.keys() == {"codes"}
    assert honest == {}


def gap(world: World, fit: FitFold, seed: int = 3) -> Result:
    """What the mutation test of the gap says of ``fit``."""
    result, plan = Result(), world.registration.plan
    draw = np.random.default_rng(seed)
    other = partial(other_training, world.dataset, world.registration, plan, world.run.training, draw)
    check_folds(result, fit, world.run.training, other, plan, range(plan.folds))
    return result


def test_the_honest_fit_of_a_fold_ignores_all_from_the_gap_on(world: World) -> None:
    """Mutation test: curves, trials of z and labels from ``start - gap`` on change, no bit of a fit does.  [2.6]"""
    plan = world.registration.plan
    fit = fit_fold(world.registration, plan, world.dataset.instruments)

    assert all(fitted.curve["BTC"].identified for fitted in world.run.fitted)
    for seed in range(5):
        assert gap(world, fit, seed).leaks == []


def test_components_of_the_full_sample_are_caught_in_the_gap(world: World) -> None:
    """(b): the fits of every fold move, capture does not."""
    plan = world.registration.plan
    fit = controls.pca_of_the_sample(fit_fold(world.registration, plan, world.dataset.instruments), world.registration)
    found = gap(world, fit)

    assert caught(found) == {"gap": {"fits"}}
    assert found.count("fits", "gap") == plan.folds


def test_capture_fitted_on_test_labels_is_caught_in_the_gap(world: World) -> None:
    """(e): capture moves, the curves do not."""
    plan = world.registration.plan
    honest = fit_fold(world.registration, plan, world.dataset.instruments)
    found = gap(world, controls.capture_on_the_test(honest, world.registration, plan))

    assert caught(found) == {"gap": {"capture"}}
