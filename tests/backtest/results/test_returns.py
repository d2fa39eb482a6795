"""Money is integer, the parts are the whole, and no day is left out.

Rules: [R1.1, R1.2, R1.6, R1.9].
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.records import Plan
from backtest.results.metrics import describe, describe_series, sharpe
from backtest.results.returns import (
    daily_charge,
    daily_table,
    days_of,
    largest_remainder,
    open_at_day_ends,
    portfolio_returns,
    sleeve_capital,
    sleeve_returns,
    units_as_series,
)
from engine.constraints.codes import CODES
from engine.errors import DataError
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import params

T0 = 20_000
PLAN = Plan(T0 * NS_PER_DAY, (T0 + 90) * NS_PER_DAY, (T0 - 90) * NS_PER_DAY, 10, 9 * NS_PER_DAY, NS_PER_DAY, NS_PER_DAY)
REGISTERED = params()

accrual = st.tuples(st.sampled_from(CODES), st.integers(T0, T0 + 89), st.integers(-(10**10), 10**10))
quick = settings(deadline=None, max_examples=30)


def frame(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["constraint", "day", "usd_micro"])


def table(rows=()) -> pd.DataFrame:
    return daily_table(frame(rows), days_of(PLAN), REGISTERED, range(T0, T0 + 90), {}, {})


def trades(*rows) -> pd.DataFrame:
    held = pd.DataFrame(rows, columns=["constraint", "status", "entry_ns", "exit_ns", "net_usd_micro", "forced"])
    money = {f"{term}_usd_micro": 0 for term in ("gross", "fees", "slippage", "funding", "borrow")}
    return held.assign(exit_reason="converged", modelled_usd_micro=100, **money)


@quick
@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 50), min_size=1, max_size=7))
def test_largest_remainder_gives_every_unit_away_fairly(total, parts):
    """The shares sum to the total, and each is within one of its exact share."""
    if sum(parts) == 0:
        parts[0] = 1
    named = {str(at): part for at, part in enumerate(parts)}
    shares = largest_remainder(total, named)
    assert sum(shares.values()) == total
    for key, part in named.items():
        assert abs(shares[key] - Fraction(total * part, sum(parts))) < 1


def test_the_unit_that_is_left_goes_to_the_largest_remainder():
    """Quotas 9.061, 7.179, 5.259, 3.319 and 1.182 leave one unit; the fourth has the largest remainder."""
    population = {"a": 9061, "b": 7179, "c": 5259, "d": 3319, "e": 1182}
    assert largest_remainder(26, population) == {"a": 9, "b": 7, "c": 5, "d": 4, "e": 1}


def test_the_charge_of_a_day_is_the_rate_on_the_capital_to_the_micro_dollar():
    """1,000,000 USD at 5% over 365 days is 136.986301 USD a day; the sevenths sum to it and to the capital."""
    assert sum(daily_charge(REGISTERED).values()) == 136_986_301
    assert sum(sleeve_capital(REGISTERED).values()) == 10**12
    assert max(daily_charge(REGISTERED).values()) - min(daily_charge(REGISTERED).values()) <= 1


@quick
@given(st.lists(accrual, max_size=60))
def test_the_portfolio_is_the_sum_of_its_sleeves_on_every_day(rows):
    """R1.5 and 8.1: in profit, after the charge, and against a slow sum over the accruals."""
    found = table(rows)
    assert found["day"].tolist() == list(range(T0, T0 + 90))
    for prefix in ("pnl", "x"):
        assert (found[[f"{prefix}_{code}" for code in CODES]].sum(axis=1) == found[prefix]).all()
    assert (found["pnl"] - found["x"] == 136_986_301).all()
    assert int(found["pnl"].sum()) == sum(amount for _, _, amount in rows)
    for code, day, _ in rows:
        by_hand = sum(amount for c, d, amount in rows if (c, d) == (code, day))
        assert found.loc[found["day"] == day, f"pnl_{code}"].item() == by_hand


def test_idle_days_and_days_without_data_stay_and_cost_capital():
    """R1.7: the charge falls on them too; has_data says which had any."""
    found = daily_table(frame([]), days_of(PLAN), REGISTERED, {T0, T0 + 3}, {T0: 2}, {T0 + 1: 5})
    assert (found["x"] == -136_986_301).all()
    assert found["has_data"].sum() == 2
    assert found["open_positions"].tolist()[:2] == [2, 0]
    assert found["stale_leg_days"].tolist()[:2] == [0, 5]


@pytest.mark.parametrize("row", [("C1", T0 - 1, 1), ("C1", T0 + 90, 1), ("C8", T0, 1)])
def test_an_accrual_outside_the_window_or_of_no_constraint_is_refused(row):
    """Money that belongs to no day of the series would vanish from it."""
    with pytest.raises(DataError, match="accruals"):
        table([row])


@quick
@given(st.lists(accrual, min_size=1, max_size=60))
def test_returns_are_profit_over_capital_to_a_billionth(rows):
    """Against exact fractions, portfolio and sleeve; and the sleeves weigh back to the portfolio."""
    found = table(rows)
    whole = portfolio_returns(found, REGISTERED)
    exact = [Fraction(int(x) * 10**9, 10**12) for x in found["x"]]
    assert all(abs(int(r) - e) <= Fraction(1, 2) for r, e in zip(whole, exact, strict=True))
    capital = sleeve_capital(REGISTERED)
    parts = sum(capital[code] * sleeve_returns(found, REGISTERED, code).astype(object) for code in CODES)
    assert max(abs(part / 10**12 - int(r)) for part, r in zip(parts, whole, strict=True)) <= 1.01


@quick
@given(st.lists(st.integers(-(10**7), 10**7), min_size=2, max_size=90))
def test_the_sharpe_ratio_is_that_of_numpy_and_of_no_order(values):
    """sqrt(365) mean / sd, divisor n - 1; any order of days gives the same nine places."""
    r = np.array(values, dtype=np.int64)
    found = sharpe(r)
    if len(set(values)) == 1:
        assert found is None
        return
    expected = np.sqrt(365) * np.mean(r / 1e9) / np.std(r / 1e9, ddof=1)
    assert float(found) == pytest.approx(expected, rel=1e-9, abs=2e-9)
    assert sharpe(r[::-1].copy()) == found


def test_a_series_without_spread_has_no_sharpe_ratio():
    """One day, or the same return every day: undefined, not infinite."""
    assert sharpe(np.array([5])) is None
    assert sharpe(np.full(90, -137)) is None


def test_drawdown_moments_and_concentration_agree_with_pandas():
    """A slow second computation of each description."""
    r = np.random.Generator(np.random.PCG64(5)).normal(2e5, 3e6, size=90).round().astype(np.int64)
    found, series = describe_series(r), pd.Series(r / 1e9)
    wealth = pd.concat([pd.Series([0.0]), series.cumsum()])
    assert found["max_drawdown"] == pytest.approx((wealth.cummax() - wealth).max())
    assert found["skewness"] == pytest.approx(((series - series.mean()) ** 3).mean() / series.std(ddof=0) ** 3)
    assert found["kurtosis"] == pytest.approx(((series - series.mean()) ** 4).mean() / series.std(ddof=0) ** 4)
    assert found["best_days_share"] == pytest.approx(series.nlargest(5).sum() / series[series > 0].sum())
    assert found["positive_days"] == int((series > 0).sum())


def test_a_drawdown_counts_from_the_start_and_lasts_until_it_is_made_good():
    """Losses of 3, a gain of 1, then 5: 3 under water for three days."""
    found = describe_series(np.array([-2, -1, 1, 5]) * 10**7)
    assert found["max_drawdown"] == pytest.approx(0.03)
    assert found["days_under_water"] == 3
    assert describe_series(np.array([], dtype=np.int64))["mean"] is None


def test_positions_are_counted_where_they_are_open_at_midnight():
    """In at noon, out two days later: two midnights; rejected ones never."""
    noon = T0 * NS_PER_DAY + 12 * NS_PER_HOUR
    held = trades(
        ("C1", "traded", noon, noon + 2 * NS_PER_DAY, 1, False),
        ("C1", "rejected", noon, noon + 9 * NS_PER_DAY, 1, False),
    )
    assert [day - T0 for day, n in open_at_day_ends(held, PLAN).items() if n] == [0, 1]


def test_the_description_counts_trades_by_what_became_of_them():
    """Hit rate of the traded only; forced closures with their share of the profit."""
    t = T0 * NS_PER_DAY
    held = trades(
        ("C1", "traded", t, t + 2 * NS_PER_HOUR, 300, False),
        ("C1", "traded", t, t + 4 * NS_PER_HOUR, -100, True),
        ("C2", "void", t, t, 0, False),
    )
    found = describe(table([("C1", T0, 200)]), held, REGISTERED)
    assert (found["portfolio"]["traded"], found["portfolio"]["void"]) == (2, 1)
    assert found["C1"]["hit_rate"] == 0.5
    assert found["C1"]["mean_hours"] == 3.0
    assert found["C1"]["forced_net_share"] == -0.5
    assert found["C1"]["realised_over_modelled"] == 1.0
    assert found["C1"]["active_days"] == 1
    assert found["C2"]["hit_rate"] is None


def test_a_series_for_notebooks_is_on_utc_days():
    """A DatetimeIndex in UTC, floats, the name given."""
    found = table()
    series = units_as_series(found, portfolio_returns(found, REGISTERED), "portfolio")
    assert str(series.index.tz) == "UTC"
    assert series.index[0] == pd.Timestamp(T0, unit="D", tz="UTC")
    assert series.iloc[0] == pytest.approx(-136.986301 / 1e6, abs=1e-9)


def test_a_window_that_begins_within_a_day_has_that_day():
    """Days are calendar days of UTC."""
    late = replace(PLAN, t0_ns=PLAN.t0_ns + NS_PER_HOUR, t1_ns=PLAN.t1_ns + NS_PER_HOUR)
    assert len(days_of(late)) == 91
