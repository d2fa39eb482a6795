"""C5 before the replay: fits and trials on training data only.  [statistics 9, R9.4, R9.7]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtest.data.panels import reader
from backtest.folds.curve_study import CurveStudy, study_curves, study_views
from backtest.leakage.folds import views_of
from engine.units import NS_PER_DAY
from tests.helpers.small_run import FOLDS, Tiny


@pytest.fixture(scope="module")
def study(tiny: Tiny) -> CurveStudy:
    return study_curves(tiny.dataset, tiny.registration, None, tiny.run.plan, "BTC")


def test_a_fit_is_the_mean_of_the_curves_before_its_gap(tiny: Tiny, study: CurveStudy) -> None:
    """The mean curve of fold j is numpy's mean of the days whose 00:00 lies before start - gap, none later."""
    plan = tiny.run.plan
    for fold, fit in enumerate(study.fits):
        cut = plan.t0_ns + fold * plan.fold_ns - plan.gap_ns
        known = study.curves.curve[study.curves.day * NS_PER_DAY < cut]
        np.testing.assert_allclose(fit.mean, known.mean(axis=0), rtol=1e-12)


def test_principal_components_are_those_of_numpy(tiny: Tiny, study: CurveStudy) -> None:
    """Shares and loadings: eigenvalues and eigenvectors of the covariance of daily changes, up to sign.  [R9.2]"""
    known = study.curves.curve[study.curves.day * NS_PER_DAY < tiny.run.plan.t0_ns - tiny.run.plan.gap_ns]
    values, vectors = np.linalg.eigh(np.cov(np.diff(known, axis=0).T))
    fit = study.fits[0]

    np.testing.assert_allclose(fit.shares, values[::-1] / values.sum(), rtol=1e-9)
    np.testing.assert_allclose(np.abs(fit.loadings), np.abs(vectors[:, ::-1].T), rtol=1e-7, atol=1e-9)


def test_every_identified_fold_has_a_trial_of_each_threshold(tiny: Tiny, study: CurveStudy) -> None:
    """Keys are (fold, z); every position decided and ended in training, a lower threshold never trades less."""
    plan, grid = tiny.run.plan, tiny.registration.params.z_grid
    assert set(study.positions) == {(fold, z) for fold in range(FOLDS) for z in grid}
    for (fold, _), positions in study.positions.items():
        cut = plan.t0_ns + fold * plan.fold_ns - plan.gap_ns
        assert all(p.signal.constraint == "C5" and p.signal.t_ns < cut and p.exit_ns <= cut for p in positions)
    assert sum(map(len, study.positions.values())) > 0


def test_the_future_of_a_fold_changes_none_of_its_trials(tiny: Tiny, study: CurveStudy) -> None:
    """Days at or after the cut may be missing altogether: fit and trials are the same.  [S8.8]"""
    plan, registration = tiny.run.plan, tiny.registration
    average_ns = registration.params.underlyings["BTC"].curve.perp_average_ns
    panels = reader.panels(tiny.dataset, "BTC", plan.history_ns, plan.t1_ns, funding_average_ns=average_ns)
    views, history = views_of(panels, registration.params, "BTC")
    fold = 4
    cut = plan.t0_ns + fold * plan.fold_ns - plan.gap_ns
    past = [view for view in views if int(view.panel.times_ns[0]) < cut]
    known = history.day * NS_PER_DAY < cut
    short = replace(history, day=history.day[known], curve=history.curve[known])
    again = study_views("BTC", past, short, registration, plan, [fold])

    assert len(past) < len(views)
    assert again.fits[fold] == study.fits[fold]
    for z in registration.params.z_grid:
        found, expected = again.positions[fold, z], study.positions[fold, z]
        assert [(p.signal.t_ns, p.exit_ns, p.exit_price) for p in found] == [
            (p.signal.t_ns, p.exit_ns, p.exit_price) for p in expected
        ]


def test_no_study_where_the_rule_is_switched_off(tiny: Tiny) -> None:
    """Without the rule, or a registered curve, nothing is read and nothing fitted."""
    params = tiny.registration.params
    off = replace(params, rules={**params.rules, "C5": replace(params.rules["C5"], enabled=False)})
    none = replace(params, underlyings={"BTC": replace(params.underlyings["BTC"], curve=None)})
    for changed in (off, none):
        found = study_curves(tiny.dataset, replace(tiny.registration, params=changed), None, tiny.run.plan, "BTC")
        assert (found.fits, found.positions, len(found.curves.day)) == ((), {}, 0)
