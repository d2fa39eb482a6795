"""Placebos, claims, learners and the event on a small synthetic study.  [covenants 4, 9.3, 10]"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.simulation import covenant_call, covenant_claims, covenant_event, covenant_learners
from backtest.simulation.covenant_accounts import run_accounts
from backtest.simulation.covenant_config import load_study
from backtest.simulation.covenant_data import load_bars
from backtest.simulation.covenant_parts import StudyParts
from backtest.simulation.covenant_placebo import matched, moved_episodes
from backtest.simulation.covenant_records import Track
from backtest.simulation.covenant_signals import Episode, episodes, signals
from backtest.simulation.covenant_study import three_way
from backtest.simulation.covenant_variants import SIDES, Static, Variant, configurations, orders_of, plain_orders
from engine.covenants.base import Mode
from tests.helpers.covenant_plan import DRAWN, plan_text

PLAN = plan_text(
    "synthetic", "2024-05-10", "2024-09-10", DRAWN,
    'beta_rule = "regime"\n[inference]\nplacebo_draws = 6\nplain_draws = 3\n',
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    path: Path = tmp_path_factory.mktemp("plan") / "tiny.toml"
    path.write_text(PLAN)
    study = load_study(path)
    bars = load_bars(study, None)
    first = bars.index_at(study.start_ns)
    return study, bars, first, signals(bars, study.parameters, first)


def test_moved_breaches_keep_their_count_size_and_length() -> None:
    found = [Episode(100, 106, (1, 2, 4), True), Episode(120, 121, (0,), False), Episode(300, 340, (), True)]
    executes, reduces = moved_episodes(found, 100, 1000, 200, "root")

    assert executes.shape == (900, 200)
    assert (executes.sum(axis=0) == 4).all()
    assert (reduces.sum(axis=0) == 47).all()
    assert not (executes & ~reduces).any()
    edges = np.diff(reduces.astype(int), axis=0, prepend=0, append=0)
    assert ((edges == 1).sum(axis=0) <= 3).all()
    assert reduces.mean(axis=1).std() < 0.05  # no time is preferred
    assert len({column.tobytes() for column in executes.T}) > 150


def test_episodes_hold_every_reallocation(made: tuple) -> None:
    _, _, first, s = made
    found = episodes(s)

    assert sum(len(e.executions) for e in found) == np.count_nonzero(s.machine.executes[first:])
    assert sum(e.end - e.begin for e in found) == np.count_nonzero((s.restricted | s.machine.executes)[first:])
    assert [e.manual for e in found] == [bool((s.machine.mode[e.begin : e.end] == Mode.MANUAL).any()) for e in found]


def test_a_placebo_has_the_leverage_of_its_account(made: tuple) -> None:
    study, bars, first, s = made
    track = Track.of(bars, s.measures.spread, first, bars.t_ns.size)
    days = track.days
    wanted = np.array([0.63, 1.7])
    _, result = matched(
        np.ones((days, 2)), wanted, plain_orders(np.ones((days, 2)), np.array([-1.0, 1.0])),
        lambda orders: run_accounts(track, orders, study.accounts, s.p),
    )  # fmt: skip

    assert result.leverage == pytest.approx(wanted, rel=1e-4)


def test_fits_see_nothing_of_their_block(made: tuple) -> None:
    study, bars, first, _ = made
    p = replace(study.parameters, reading="principled")
    whole = signals(bars, p, first)
    cut = first + 7 * 24 * 5
    short = replace(
        bars, **{n: getattr(bars, n)[:cut] for n in bars.__dataclass_fields__ if n not in ("synthetic", "sources")}
    )
    part = signals(short, p, first)

    assert [f for _, f in part.fits] == [f for _, f in whole.fits][: len(part.fits)]
    assert np.array_equal(part.machine.mode, whole.machine.mode[:cut])
    assert np.array_equal(part.machine.band_pp, whole.machine.band_pp[:cut])


def test_the_study_has_every_account(made: tuple) -> None:
    study, bars, first, s = made
    done = three_way(study, bars, first, StudyParts())

    assert {"a_mean", "b_mean", "p1_of_b_mean", "p2_mean", "b0_mean", "a_long", "b_long", "c"} <= set(
        done.equity.columns
    )
    facts = done.facts.set_index("account")
    assert facts.loc["p1_of_b_short_a", "leverage"] == pytest.approx(facts.loc["b_short_a", "leverage"], rel=1e-4)
    assert facts.loc["p2_long_a", "leverage"] == pytest.approx(facts.loc["b_long_a", "leverage"], rel=1e-4)
    assert facts.loc["b_short_a", "reallocations"] == np.count_nonzero(s.machine.executes[first:])
    assert len(done.placebo) == 6
    listed = [variant.name for variant in configurations(study.parameters, study.accounts.leverage)]
    assert len(set(listed)) == len(listed)
    assert sorted(zip(done.curve["side"], done.curve["configuration"], strict=True)) == sorted(product(SIDES, listed))
    both = 0.5 * (done.equity["a_short_a"].pct_change() + done.equity["a_long_a"].pct_change()).iloc[1:]
    assert done.equity["a_mean"].iloc[-1] == pytest.approx(np.prod(1 + both))


def test_a_static_covenant_never_changes(made: tuple) -> None:
    study, bars, first, _ = made
    s = signals(bars, study.parameters, first, engine=Static(study.parameters))
    assert set(s.machine.band_pp.tolist()) == {2.5}
    assert set(s.caps.tolist()) == {10.0}


def test_claims_are_numbers(made: tuple) -> None:
    study, bars, _, s = made
    found = covenant_claims.measure_claims(study, bars, s)

    assert found["spread_control"]["exposure_share_a"] == pytest.approx(found["spread_control"]["time_share"], abs=0.01)
    assert 0 <= found["automation"]["share_without_manual"] <= 1
    assert found["breach_prediction"]["brier"] < 0.25
    assert len(found["tightening"]["u_shaped"]["by_quintile"]) == 5
    assert found["depth"]["0.001"]["transfers"] <= found["depth"]["1.0"]["transfers"]


def test_ahead_leaves_its_own_bar_out() -> None:
    found = covenant_claims.ahead_max(np.array([9.0, 1.0, 5.0, 2.0]), 2)
    assert found[:2].tolist() == [5.0, 5.0]
    assert np.isnan(found[2:]).all()


def test_learners_compete_and_the_rule_decides(made: tuple) -> None:
    *_, s = made
    losses = covenant_learners.compete(s, 9)
    assert list(losses.columns[1:]) == [
        "closed_form", "principled", "ewma", "garch", "linear_quantile", "gradient_boosting",
    ]  # fmt: skip
    assert len(losses) == 2
    made_up = pd.DataFrame({"block_ns": [0, 1, 2, 3], "closed_form": [1.0] * 4, "x": [0.5] * 4, "y": [0.1, 2, 2, 2]})
    table = covenant_learners.replaces(made_up, np.arange(4)[None, :].repeat(10, axis=0)).set_index("engine")
    assert table["replaces"].to_dict() == {"closed_form": False, "x": True, "y": False}


def test_pinball() -> None:
    assert covenant_learners.pinball(np.array([1.0, 0.0]), np.array([0.0, 1.0])).tolist() == pytest.approx([0.99, 0.01])


def test_the_event_needs_its_days(made: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty entry days are the law's; the nearest ten do here."""
    study, bars, _, s = made
    assert covenant_event.ENTRIES == 30
    monkeypatch.setattr(covenant_event, "ENTRIES", 10)
    table = covenant_event.august_2024(study, bars, s).set_index(["account", "leverage", "side"])
    assert len(table) == 5 * 4 * 2
    assert (table["entries"] == 10).all()
    early = replace(bars, t_ns=bars.t_ns - 10**17)
    assert covenant_event.august_2024(study, early, s).empty


def test_black_76_by_parity_of_its_delta() -> None:
    strike = covenant_call.strike_of(100.0, 0.6, 7 / 365)
    bump = 1e-4
    delta = (
        covenant_call.call_price(100 + bump, strike, 0.6, 7 / 365)
        - covenant_call.call_price(100 - bump, strike, 0.6, 7 / 365)
    ) / (2 * bump)
    assert delta == pytest.approx(0.25, abs=1e-6)
    assert covenant_call.call_price(100.0, 1e-6, 0.6, 0.1) == pytest.approx(100.0)


def test_a_covered_call_in_a_still_market_earns_its_premium() -> None:
    hours = 24 * 60
    wiggle = 100.0 * np.exp(0.001 * (-1.0) ** np.arange(hours))
    t = np.arange(hours)
    week, new_day = t % 168, t % 24 == 0
    equity = covenant_call.covered_calls((wiggle, wiggle), week, new_day, 24 * 31)
    assert equity[0] == pytest.approx(1.0, abs=0.01)
    assert equity[-1] > equity[0]
    assert math.isfinite(equity[-1])


def test_orders_are_short_a_first(made: tuple) -> None:
    _, bars, first, s = made
    track = Track.of(bars, s.measures.spread, first, bars.t_ns.size)
    orders = orders_of([(Variant("b", s.p), s), (Variant("c", s.p, closes=True), s)], track, first)
    assert orders.side_a.tolist() == [-1, -1, 1, 1]
    assert not orders.closes[:, 0].any()
    assert orders.closes[:, 1].sum() == orders.closes[:, 3].sum() > 0


def test_a_study_may_begin_inside_a_day(tmp_path: Path) -> None:
    """The first bar opens the accounts: every account has a value there, and one at each midnight after it."""
    path = tmp_path / "noon.toml"
    path.write_text(PLAN.replace("2024-05-10T00", "2024-07-10T12").replace("2024-09-10", "2024-07-25"))
    study = load_study(path)
    bars = load_bars(study, None)
    first = bars.index_at(study.start_ns)

    equity = three_way(study, bars, first, StudyParts()).equity

    assert equity["t_ns"].iloc[0] == study.start_ns
    assert len(equity) == 1 + 15
    assert np.isfinite(equity.to_numpy(np.float64)).all()
