"""Measures of an account against the vector and closed forms.  [covenants 9.4]"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backtest.simulation import covenant_metrics as metrics

VECTORS = Path(__file__).parents[2] / "vectors" / "risk" / "covenants.json"


def test_the_vector() -> None:
    case = {v["id"]: v for v in json.loads(VECTORS.read_text())["vectors"]}["scpc-metrics"]
    standard, scpc = (np.array(case["inputs"][name], float) for name in ("equity_standard", "equity_scpc"))
    a, b = metrics.summary(standard), metrics.summary(scpc)
    found = {
        "mdd_standard": a["mdd"],
        "mdd_scpc": b["mdd"],
        "mdd_reduction": metrics.drawdown_reduction(a["mdd"], b["mdd"]),
        "sharpe_standard": a["sharpe"],
        "sharpe_scpc": b["sharpe"],
    }

    assert found == pytest.approx(case["expected"], rel=1e-6, abs=1e-6)


def test_a_ruin_is_minus_one_and_stays() -> None:
    equity = np.array([1.0, 0.5, -0.2, 0.0])
    assert metrics.returns_of(equity).tolist() == [-0.5, -1.0, 0.0]
    assert metrics.drawdown(equity) == 1.0


def test_drawdown_of_returns_is_that_of_equity() -> None:
    r = np.random.Generator(np.random.PCG64(2)).normal(size=(5, 300)) * 0.03
    equity = np.concatenate((np.ones((5, 1)), np.cumprod(1 + r, axis=1)), axis=1)
    assert metrics.drawdown_of(r) == pytest.approx(metrics.drawdown(equity))
    assert metrics.drawdown_of(np.array([0.1, 0.1])) == 0.0


def test_a_ratio_needs_a_sharpe_above_a_tenth() -> None:
    assert np.isnan(metrics.sharpe_gain(0.1, 0.5))
    assert metrics.sharpe_gain(1.0, 1.06) == pytest.approx(0.06)
    assert metrics.tail_loss(np.array([-0.5, -0.3] + [0.0] * 38)) == pytest.approx(0.4)
