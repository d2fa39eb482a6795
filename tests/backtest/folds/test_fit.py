"""A fold is fitted on what was known before it, and falls back to what is registered."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from backtest.folds.fit import capture_factors, choose_z, curve_fits, modelled_ev_usd
from backtest.records import Plan
from engine.params import CurveFit
from engine.records import CurveHistory
from engine.units import NS_PER_DAY
from tests.helpers.builders import params

DAY = NS_PER_DAY
PLAN = Plan(
    t0_ns=100 * DAY, t1_ns=190 * DAY, history_ns=10 * DAY, folds=10, fold_ns=9 * DAY, gap_ns=DAY, embargo_ns=DAY
)
CUT_NS = PLAN.t0_ns - PLAN.gap_ns


def trades(*rows: tuple[str, int, int, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["constraint", "net_usd_micro", "modelled_usd_micro", "status"])
    return frame.assign(t_ns=50 * DAY, exit_ns=51 * DAY)


def curves(days: int = 100, seed: int = 1) -> CurveHistory:
    rng = np.random.Generator(np.random.PCG64(seed))
    x = np.linspace(-1.0, 1.0, 5)
    moves = rng.normal(size=(days, 3)) @ np.stack([np.ones(5) * 0.02, x * 0.01, (x * x - 0.5) * 0.004])
    return CurveHistory(np.arange(10, 10 + days), 0.1 + np.cumsum(moves, axis=0) + rng.normal(size=(days, 5)) * 1e-5)


def found(z: float = 2.0, identified: bool = True) -> CurveFit:
    return CurveFit(0, identified, "", (7.0,), (0.0,), ((1.0,),) * 3, (1.0,), z, 0.0, 1.0)


def never(fits: object) -> tuple[Decimal | None, int]:
    raise AssertionError("nothing to evaluate")


def test_capture_is_the_realised_share_drawn_to_the_pool():
    """The formula by hand, with n0 = 30: C1 made 40 of 100 in two trades, C2 20 of 20 in one."""
    table = trades(("C1", 10, 50, "traded"), ("C1", 30, 50, "traded"), ("C2", 20, 20, "traded"))
    factors = capture_factors(table, params())
    vbar, cbar = 120 / 3, 60 / 120
    assert factors["C1"] == pytest.approx((40 + 30 * cbar * vbar) / (100 + 30 * vbar), rel=1e-15)
    assert factors["C2"] == pytest.approx((20 + 30 * cbar * vbar) / (20 + 30 * vbar), rel=1e-15)
    assert factors["C7"] == pytest.approx(cbar, rel=1e-15)


def test_capture_stays_between_nothing_and_all_and_only_trades_count():
    """Losses give 0, windfalls 1, and what was rejected or void teaches nothing."""
    lost = trades(("C1", -500, 50, "traded"), ("C2", 900, 50, "rejected"))
    assert capture_factors(lost, params())["C1"] == 0.0
    assert capture_factors(trades(("C1", 500, 50, "traded")), params())["C1"] == 1.0
    only_void = trades(("C1", 500, 50, "void"))
    assert set(capture_factors(only_void, params()).values()) == {1.0}


def test_the_threshold_with_the_highest_training_sharpe_wins_and_ties_go_to_the_larger():
    """R9.7: values with fewer than ten trades or no ratio do not compete."""
    results = {1.5: ("1", 40), 2.0: ("3", 20), 2.5: ("3", 12), 3.0: ("9", 9)}

    def evaluate(fits):
        ratio, count = results[fits["BTC"].z_threshold]
        return Decimal(ratio), count

    assert choose_z({"BTC": found()}, evaluate, params()) == 2.5
    assert choose_z({"BTC": found()}, lambda fits: (None, 99), params()) == 2.0
    assert choose_z({"BTC": found(identified=False)}, never, params()) == 2.0


def test_an_empty_training_set_yields_the_registered_defaults():
    """2.6 invariant 10: no curve, no trade, no exception."""
    empty = CurveHistory(np.array([], dtype=np.int64), np.empty((0, 5)))
    fits = curve_fits(0, PLAN, params(), {"BTC": empty, "ETH": empty}, CUT_NS)
    assert not fits["BTC"].identified
    assert fits["BTC"].z_threshold == choose_z(fits, never, params()) == 2.0
    assert set(capture_factors(trades(), params()).values()) == {1.0}


def test_nothing_at_or_after_the_gap_moves_a_fitted_number():
    """2.6 invariant 8: curves from the cut on are poisoned; the fit is equal, bit for bit."""
    clean = curves()
    late = clean.day * DAY >= CUT_NS
    assert late.any()
    poisoned = CurveHistory(clean.day, np.where(late[:, None], 1e9, clean.curve))
    plain = curve_fits(0, PLAN, params(), {"BTC": clean}, CUT_NS)
    assert plain == curve_fits(0, PLAN, params(), {"BTC": poisoned}, CUT_NS)
    assert plain["BTC"].identified, plain["BTC"].reason


def test_a_curve_trains_from_the_first_day_of_history_to_the_day_before_the_gap():
    """Days 10 to 98: midnight of day 99 is start - gap itself, and strictness leaves it out."""
    registered = params()
    short = replace(PLAN, history_ns=10 * DAY + 1)
    whole = curve_fits(0, PLAN, registered, {"BTC": curves()}, CUT_NS)["BTC"]
    by_hand = CurveHistory(curves().day[:89], curves().curve[:89])
    assert curve_fits(0, PLAN, registered, {"BTC": by_hand}, CUT_NS)["BTC"] == whole
    assert curve_fits(0, short, registered, {"BTC": by_hand}, CUT_NS)["BTC"] != whole
    assert curve_fits(0, PLAN, registered, {}, CUT_NS) == {}


def test_capture_scales_the_net_that_it_was_fitted_on():
    """25,000 USD at 63 bps net, half captured: 78.75 USD."""
    assert modelled_ev_usd(63.0, 25_000.0, 0.5) == pytest.approx(78.75)
