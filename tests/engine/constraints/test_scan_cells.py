"""Cells by the days of a view: a best score and counts for each day, by slow loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.constraints.scan_cells import CandidateCells
from engine.market.multi_day import concatenate_days
from engine.market.view import prepare
from engine.units import NS_PER_DAY
from tests.helpers.builders import params
from tests.helpers.markets import flat_history
from tests.leakage.test_cuts import lively


def three_days(days: bool) -> CandidateCells:
    """Cells of three days of 2, 5 and 1 rows, or of one of 8."""
    panels = [
        replace(lively(rows, 0), times_ns=lively(rows, 0).times_ns + n * NS_PER_DAY) for n, rows in enumerate((2, 5, 1))
    ]
    laid = concatenate_days(panels)
    view = prepare(laid.whole, params(), flat_history())
    return CandidateCells(replace(view, days=laid) if days else view, 3, 0, 5.0)


def test_crumbs_of_rounding_are_no_violation() -> None:
    """A violation begins at half a micro-bps; NaN is none.  They are counted by day, of cells and of lists."""
    cells = three_days(True)
    gross = np.array([1e-15, 4e-7, 6e-7, np.nan, -1.0, 2.0])
    cells.violated(np.array([0, 1, 2, 3, 4, 7]), gross)
    cells.violated(np.array([1, 2, 7]), np.array([[1.0, 0.0, 1.0], [1.0, np.nan, 1.0]]))

    assert cells.violations.tolist() == [2, 1, 3]
    assert cells.by_day(np.arange(8)).tolist() == [1, 20, 7]


def test_each_day_has_its_own_best() -> None:
    """Rows are promising against their own day's best; infinities and NaN are no scores."""
    cells = three_days(True)
    nan, inf = np.nan, np.inf
    cells.note(np.array([0, 3, 6, 7]), np.array([[1.0, nan, 3.0, nan], [2.0, 4.0, inf, -inf]]))
    assert cells.best.tolist() == [2.0, 4.0, -inf]

    most = np.array([1.9, 2.1, 3.9, 4.1, 7.0, nan, -inf, 0.5])
    least = np.array([0.0, 0.0, 0.0, 4.05, nan, nan, -inf, 0.4])
    assert cells.promising(most, least).tolist() == [1, 3, 4, 7]
    one = three_days(False)
    one.note(np.array([0]), np.array([[2.0]]))
    assert one.promising(most, least).tolist() == [3, 4]
    assert one.first.tolist() == [0]
