"""Twin of curvetable.py: the curves a run keeps are those its folds were fitted on.  [R9.1]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from backtest.folds.curve_study import study_curves
from backtest.results.curves import NAME, curves_table, read_curves
from engine.records import CurveHistory
from tests.helpers.builders import params
from tests.helpers.small_run import Tiny


def test_a_run_keeps_the_curves_of_its_study_to_the_last_bit(tiny: Tiny) -> None:
    """Read back they are the study's, day by day and tenor by tenor, history and window."""
    study = study_curves(tiny.dataset, tiny.registration, None, tiny.run.plan, "BTC")
    found = read_curves(tiny.folder)

    assert found is not None
    assert list(found) == ["BTC"]
    np.testing.assert_array_equal(found["BTC"].day, study.curves.day)
    np.testing.assert_array_equal(found["BTC"].curve, study.curves.curve)
    assert len(study.curves.day) > 20


def test_a_coin_without_a_curve_has_no_row_and_a_folder_without_the_file_none(tmp_path: Path) -> None:
    """An empty history is no row; gaps between days stay gaps; an older run keeps no file."""
    empty = CurveHistory(np.empty(0, dtype=np.int64), np.empty((0, 5)))
    some = CurveHistory(np.array([3, 7]), np.arange(10.0).reshape(2, 5))
    assert read_curves(tmp_path) is None
    pq.write_table(curves_table({"BTC": empty, "ETH": some}, params()), tmp_path / NAME)

    found = read_curves(tmp_path)

    assert found is not None
    assert list(found) == ["ETH"]
    assert found["ETH"].day.tolist() == [3, 7]
    np.testing.assert_array_equal(found["ETH"].curve, some.curve)
