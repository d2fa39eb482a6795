"""Twins of thresholds.py and labels.py: what is read back of a run is what the run wrote."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from backtest.folds.walk_forward import UNRESOLVED_NS
from engine.errors import MissingError
from engine.params import CurveFit
from hypotheses.sensitivity import thresholds
from hypotheses.sensitivity.labels import all_labels
from tests.helpers.builders import params
from tests.hypotheses.sensitivity.window import PLAN, busy, judged, trade

FIT = CurveFit(0, True, "", (7.0, 30.0), (0.1, 0.2), ((0.5, 0.5), (-0.5, 0.5), (0.1, 0.2)), (0.9, 0.1), 2.0, 0.0, 0.01)


def write_folds(folder: Path, *fits: CurveFit) -> None:
    folds = [{"fold": n, "curve": {"BTC": asdict(fit)}} for n, fit in enumerate(fits)]
    text = json.dumps({"folds": folds}).replace("NaN", "null")  # as the run writes it
    (folder / "folds.json").write_text(text)


def test_fits_come_back_as_they_were(tmp_path: Path) -> None:
    """Lists become tuples again, null becomes NaN; equal to the last bit otherwise."""
    blind = replace(FIT, identified=False, reason="short", train_sd=float("nan"))
    write_folds(tmp_path, FIT, blind)

    found = thresholds.fits_of(tmp_path)

    assert found[0] == {"BTC": FIT}
    assert repr(found[1]["BTC"]) == repr(blind)


def test_without_an_identified_curve_no_market_is_read(tmp_path: Path) -> None:
    """No threshold was ever chosen, so there is nothing to cross; the data set is not even opened."""
    write_folds(tmp_path, replace(FIT, identified=False))

    assert thresholds.at_thresholds(tmp_path / "nowhere", tmp_path, params(), PLAN) == ()


def test_the_data_set_beside_the_run_is_known_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names do not matter: the one whose hash the run's manifest holds, or a message that says what to do."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text('{"dataset_hash": "bb"}')
    for name in ("one", "two"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "manifest.json").write_text("{}")
    hashes = {"one": "aa", "two": "bb"}
    monkeypatch.setattr(thresholds, "open_dataset", lambda path: SimpleNamespace(dataset_hash=hashes[path.name]))

    assert thresholds.find_dataset(run) == tmp_path / "data" / "two"
    hashes["two"] = "cc"
    with pytest.raises(MissingError, match="--data DIR"):
        thresholds.find_dataset(run)


def test_labels_are_history_and_window_and_an_open_one_never_ends(tmp_path: Path) -> None:
    """Every trade once, before and within the window; forced closures train nothing."""
    rows = [*busy(start=-3), trade("open", "C1", 50.0, 1.0, forced=True)]
    run = judged(tmp_path, rows)

    labels = all_labels(tmp_path, run.run.trades)

    assert sorted(labels["signal_id"]) == sorted(row["signal_id"] for row in rows)
    assert labels.set_index("signal_id")["t1"]["open"] == UNRESOLVED_NS
    assert np.array_equal(labels["t0"], labels["t_ns"])
    (tmp_path / "folds" / "history" / "trades.parquet").unlink()
    with pytest.raises(MissingError, match="history"):
        all_labels(tmp_path, pd.DataFrame())
