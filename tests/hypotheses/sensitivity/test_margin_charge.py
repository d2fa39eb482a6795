"""Twin of margin_charge.py: the charge moves with the margin, and nothing else moves.  [R1.6]"""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.constraints.codes import CODES
from engine.units import MICRO
from hypotheses.sensitivity import margin_charge
from hypotheses.sensitivity.base import JudgedRun, Part
from tests.hypotheses.sensitivity.window import busy, judged, trade


def with_margin(run: JudgedRun, margin_usd: dict[str, np.ndarray]) -> Part:
    """Write margin in use by day into the run's table, zero where not given, and return what is made of it."""
    path = run.folder / "returns.parquet"
    columns = {f"margin_{code}": np.rint(margin_usd.get(code, np.zeros(90)) * MICRO).astype(np.int64) for code in CODES}
    pd.read_parquet(path).assign(**columns).sample(frac=1.0, random_state=1).to_parquet(path)  # order means nothing
    return margin_charge.build(run)


def test_each_row_is_the_loop_over_days(tmp_path: Path) -> None:
    """Profit less margin times h over 365, day by day in floats; the Sharpe ratio of that series."""
    run = judged(tmp_path, busy(start=0))
    margin = {code: np.random.default_rng(k).uniform(0, 140_000, 90) for k, code in enumerate(CODES)}
    rows = {row["series"]: row for row in with_margin(run, margin).tables[0].rows}

    for sleeve in (run.run.portfolio, *run.run.sleeves):
        held = margin[sleeve.code] if sleeve.code else sum(margin.values())
        daily = [micro / MICRO - usd * 0.05 / 365 for micro, usd in zip(sleeve.profit.tolist(), held, strict=True)]
        row = rows[sleeve.code or "all"]
        assert row["sharpe"] == pytest.approx(np.mean(daily) / np.std(daily, ddof=1) * sqrt(365), rel=1e-6)
        assert row["sharpe"] > row["registered"]
        assert row["charged_on_margin"] == pytest.approx(held.sum() * 0.05 / 365, abs=1e-3)
        assert row["charged_on_margin"] < row["charged"]
        assert row["share"] == pytest.approx(held.mean() / (sleeve.capital_micro / MICRO), rel=1e-9)
        assert row["highest"] == pytest.approx(held.max())


def test_all_capital_in_use_every_day_is_the_registered_charge(tmp_path: Path) -> None:
    """Margin equal to each sleeve's capital gives the registered ratios back, to the micro-dollar a day."""
    run = judged(tmp_path, busy(start=0))
    capital = {sleeve.code: np.full(90, sleeve.capital_micro / MICRO) for sleeve in run.run.sleeves}

    for row in with_margin(run, capital).tables[0].rows:
        assert row["sharpe"] == pytest.approx(row["registered"], rel=1e-6)
        assert row["share"] == pytest.approx(1.0)


def test_an_idle_sleeve_has_no_ratio_and_an_old_run_says_so(tmp_path: Path) -> None:
    """A sleeve without profit has none under either charge; a run without the columns is no error."""
    run = judged(tmp_path, [trade(f"a{day}", "C1", day, 10.0 + day % 3) for day in range(90)])
    assert margin_charge.build(run).tables == ()

    rows = {row["series"]: row for row in with_margin(run, {"C2": np.eye(90)[4] * 50.0}).tables[0].rows}

    assert rows["C2"]["sharpe"] is None
    assert rows["C2"]["registered"] is None
    assert rows["C1"]["charged_on_margin"] == 0.0
