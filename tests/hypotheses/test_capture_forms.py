"""`benchmarks/capture_forms.py`: both forms of the capture factor in closed form, its dislocations those of H3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from backtest.records import Plan
from benchmarks import capture_forms
from engine.errors import UsageError
from engine.units import MICRO, NS_PER_DAY
from hypotheses.exposure import dislocations
from tests.helpers import builders
from tests.helpers.small_run import Tiny

DAY = NS_PER_DAY
PLAN = Plan(0, 90 * DAY, -90 * DAY, 10, 9 * DAY, DAY, DAY)


def trade(day: float, net_usd: int, gross_usd: int, **changed: object) -> dict[str, object]:
    """A signal of 60 bps gross, 2 carry and 22 cost on 10,000 USD: 60 USD gross and 40 net modelled."""
    t_ns = int(day * DAY)
    return {
        "constraint": "C1", "underlying": "BTC", "venue": "x", "expiry_ns": None, "status": "traded", "forced": False,
        "fold": int(day // 9), "t_ns": t_ns, "exit_ns": t_ns + DAY // 2, "notional_usd": 10_000.0, "gross_bps": 60.0,
        "carry_bps": 2.0, "cost_bps": 22.0, "net_bps": 40.0, "net_usd_micro": net_usd * MICRO,
        "modelled_usd_micro": 40 * MICRO, "gross_usd_micro": gross_usd * MICRO, **changed,
    }  # fmt: skip


def test_each_form_is_fitted_on_earlier_trades_by_what_it_multiplies() -> None:
    """Half of the net and three quarters of the gross came: 20 bps, and 45 + 2 - 22 = 25; without training c is 1."""
    rows = [trade(1, 20, 45), trade(2, 20, 45), trade(17.5, -500, -500), trade(20, 0, 0)]
    registration = SimpleNamespace(params=builders.params())

    found = capture_forms.predicted(pd.DataFrame(rows), PLAN, registration)  # type: ignore[arg-type]

    # The third is resolved within the gap of the fold of the fourth, and trains nothing there.
    assert found.tolist() == [[40.0, 40.0], [40.0, 40.0], [20.0, 25.0], [20.0, 25.0]]


def test_trades_are_numbered_by_the_dislocations_that_h3_counts() -> None:
    """Of random times on two keys, one of them perpetual."""
    draw = np.random.default_rng(4)
    rows = [
        trade(d, 1, 1, expiry_ns=9 if e else None) for d, e in zip(draw.random(80), draw.random(80) < 0.5, strict=True)
    ]
    table = pd.DataFrame(rows).sort_values("t_ns").reset_index(drop=True)

    number = capture_forms.numbered(table)

    assert len(set(number.tolist())) == number.max() + 1 == dislocations(table)["C1"]


def test_a_synthetic_run_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    """Its costs are those that its maker chose; the errors themselves can be computed."""
    with pytest.raises(UsageError, match="was synthetic: leave the demonstration out"):
        capture_forms.studies_of([tiny.folder])
    errors, trades = capture_forms.errors_of(tiny.folder, replace(tiny.registration, synthetic=False))
    assert errors.shape[1] == 2
    assert trades >= len(errors) > 0
    assert capture_forms.main([tmp_path]) == 3
    assert capture_forms.main([]) == 2
