"""The covenants on real minutes and hours: the law's measured figures.  [covenants 14, 15.3]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.simulation.covenant_accounts import run_accounts
from backtest.simulation.covenant_config import Accounts, load_study
from backtest.simulation.covenant_data import load_bars
from backtest.simulation.covenant_figures import headline
from backtest.simulation.covenant_records import Track
from backtest.simulation.covenant_signals import signals
from backtest.simulation.covenant_variants import plain_orders

STUDIES = Path(__file__).parents[2] / "configs" / "studies"

pytestmark = pytest.mark.real


def test_section_14_on_the_minutes_of_may(real_data: Path) -> None:
    study = load_study(STUDIES / "scpc-minutes-2025.toml")
    bars = load_bars(study, real_data)
    found = headline(signals(bars, study.parameters, bars.index_at(study.start_ns)))

    assert found["bars"] == 31_679
    sigma = [found[f"sigma_pp_{name}"] for name in ("min", "median", "max")]
    assert sigma == pytest.approx([0.97, 1.67, 4.25], abs=0.005)
    assert found["breach_share_fixed"] * 31_679 == pytest.approx(4_847, abs=0.1)
    assert found["breach_share_literal_lagged"] == pytest.approx(0.174, abs=0.0005)
    assert found["drift_alarm_share_literal"] == pytest.approx(0.648, abs=0.0005)


def test_the_standard_pair_without_costs(real_data: Path) -> None:
    """Short BTC, long ETH at L_0 1, 2, 3: 0.478, 0.154, 0.034 of capital in the law, on days as it cut them."""
    study = load_study(STUDIES / "scpc-2022-2024.toml")
    bars = load_bars(study, real_data)
    first = bars.index_at(study.start_ns)
    track = Track.of(bars, bars.price_a - bars.price_a, first, bars.t_ns.size)
    free = Accounts(taker_fee=0.0, half_spread=0.0, maintenance_a=0.0, maintenance_b=0.0, liquidation_fee=0.0)
    nothing = (np.zeros(track.new_day.size), np.zeros(track.new_day.size))
    quiet = Track(track.price, track.volume, nothing, track.since, track.new_day)
    days = int(track.new_day.sum())
    target = np.tile(np.array([1.0, 2.0]), (days, 1))
    equity = run_accounts(quiet, plain_orders(target, np.array([-1.0, -1.0])), free, study.parameters).equity

    assert equity[-1] / free.capital_usd == pytest.approx([0.478, 0.154], abs=0.005)
