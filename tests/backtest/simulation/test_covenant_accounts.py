"""Accounts in one batch: the same bits as the plain loop, and what must be true of money.  [covenants 6, 9]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtest.simulation.covenant_accounts import run_accounts
from backtest.simulation.covenant_plain import run_plain
from backtest.simulation.covenant_records import Orders, last_other_sign
from tests.backtest.simulation.market import HOURLY, TERMS, orders, track


@pytest.mark.parametrize("leverage", [1.0, 4.0, 15.0])
def test_a_batch_is_its_plain_loops_bit_by_bit(leverage: float) -> None:
    path = track()
    batch = orders(path, leverage=leverage)
    result = run_accounts(path, batch, TERMS, HOURLY)

    for number in range(batch.side_a.size):
        assert result.equity[:, number].tolist() == run_plain(path, batch, number, TERMS, HOURLY)
    assert result.reallocations.sum() > 50
    if leverage == 15.0:
        assert result.liquidations.sum() > 5


def test_a_pair_without_costs_earns_the_difference_of_returns() -> None:
    path = track()
    free = replace(TERMS, taker_fee=0.0, half_spread=0.0)
    quiet = replace(path, funding=(np.zeros(path.new_day.size), np.zeros(path.new_day.size)))
    days = int(path.new_day.sum()) + 1
    short = Orders(np.array([-1.0]), np.array([1.0]), np.ones((days, 1)))
    equity = run_accounts(quiet, short, free, HOURLY).equity[:, 0] / free.capital_usd

    at = np.append(0, np.flatnonzero(path.new_day))
    a, b = path.price[0][at], path.price[1][at]
    expected = np.cumprod(1 + b[1:] / b[:-1] - a[1:] / a[:-1])
    assert equity[1:] == pytest.approx(expected, rel=1e-12)


def test_costs_are_the_difference_at_unchanged_prices() -> None:
    path = track(days=5)
    flat = replace(
        path, price=(np.full(120, 60000.0), np.full(120, 3000.0)), since=(np.full(120, 60000.0), np.full(120, 3000.0)),
        funding=(np.zeros(120), np.zeros(120)), volume=(np.full(120, 1e12), np.full(120, 1e12)),
    )  # fmt: skip
    executes = np.zeros((120, 1), bool)
    executes[30] = True
    plan = Orders(np.array([-1.0]), np.array([1.0]), np.ones((6, 1)), executes)
    result = run_accounts(flat, plan, TERMS, HOURLY)

    assert result.equity[-1, 0] == pytest.approx(TERMS.capital_usd - result.fees_usd[0] - 0.15 * 1e6 * 2e-4, rel=1e-4)
    assert result.transfers_usd[0] == pytest.approx(0.15 * 5e5, rel=1e-2)
    assert result.reallocations[0] == 1


def test_a_reducing_path_never_adds() -> None:
    path = track()
    batch = orders(path)
    bars = path.new_day.size
    held = replace(batch, reduces=np.ones((bars, 12), bool), closes=None, executes=None, caps=None, group=None)
    result = run_accounts(path, held, TERMS, HOURLY)
    free = run_accounts(path, replace(held, reduces=None), TERMS, HOURLY)

    assert (result.turnover_usd < free.turnover_usd).all()
    assert (result.leverage <= free.leverage + 1e-9).all()


def test_funding_is_a_transfer_of_the_settled_rate() -> None:
    path = track()
    rate = np.where(np.arange(path.new_day.size) == 100, 0.01, 0.0)
    one = replace(path, funding=(rate, np.zeros(rate.size)))
    none = replace(path, funding=(np.zeros(rate.size), np.zeros(rate.size)))
    days = int(path.new_day.sum()) + 1
    plan = Orders(np.array([-1.0, 1.0]), np.array([1.0, -1.0]), np.ones((days, 2)))
    paid = run_accounts(one, plan, TERMS, HOURLY)

    assert paid.funding_usd[0] < 0 < paid.funding_usd[1]
    assert paid.equity[-1, 0] > run_accounts(none, plan, TERMS, HOURLY).equity[-1, 0]


def test_the_last_bar_of_the_other_sign() -> None:
    spread = np.array([0.0, 1.0, 2.0, np.nan, -1.0, -2.0, 0.0, 3.0])
    assert last_other_sign(spread).tolist() == [0, 0, 0, 0, 2, 2, 2, 5]


def test_hedged_and_stopped_paths_are_their_plain_loops() -> None:
    path = track()
    plan = orders(path, leverage=2.0)
    rng = np.random.Generator(np.random.PCG64(8))
    stops = np.where(np.arange(12) % 3 == 0, np.inf, rng.uniform(0.005, 0.05, 12))
    batch = replace(plan, hedge=rng.uniform(0.3, 2.5, plan.target.shape), stop=stops)
    result = run_accounts(path, batch, TERMS, HOURLY)

    for number in range(12):
        assert result.equity[:, number].tolist() == run_plain(path, batch, number, TERMS, HOURLY)
    ends = (np.diff(result.equity, axis=0)[-5:] == 0).all(axis=0)
    assert ends.any()
    assert not ends[::3].any()


def test_a_stop_closes_at_the_first_close_at_or_below_it_and_for_good() -> None:
    path = track()
    free = replace(TERMS, taker_fee=0.0, half_spread=0.0)
    short = Orders(np.array([-1.0]), np.array([1.0]), np.ones((int(path.new_day.sum()) + 1, 1)))
    record: list[np.ndarray] = []
    result = run_accounts(path, replace(short, stop=np.array([0.02])), free, HOURLY, record=record)
    equity = result.equity[:, 0] / free.capital_usd
    flat = int(np.flatnonzero(np.array(record)[:, 0] == 0)[0])

    assert equity[-1] <= 0.98
    assert (np.array(record)[flat:, 0] == 0).all()
    assert (np.array(record)[:flat, 0] > 0).all()
    assert equity[-1] == pytest.approx(0.98, abs=0.02)
    without = run_accounts(path, short, free, HOURLY).equity[:, 0] / free.capital_usd
    day = int(np.searchsorted(np.append(0, np.flatnonzero(path.new_day)), flat)) - 1
    assert equity[:day].tolist() == without[:day].tolist()


def test_a_hedged_pair_has_the_exposure_of_two_equal_legs() -> None:
    """At h = 3 a target of 1 is 1.5 of A and 0.5 of B: the day's return is 1.5 r_A - 0.5 r_B."""
    path = track()
    free = replace(TERMS, taker_fee=0.0, half_spread=0.0)
    quiet = replace(path, funding=(np.zeros(path.new_day.size), np.zeros(path.new_day.size)))
    days = int(path.new_day.sum()) + 1
    plan = Orders(np.array([1.0]), np.array([-1.0]), np.ones((days, 1)), hedge=np.full((days, 1), 3.0))
    equity = run_accounts(quiet, plan, free, HOURLY).equity[:, 0] / free.capital_usd

    at = np.append(0, np.flatnonzero(path.new_day))
    a, b = (price[at][1:] / price[at][:-1] - 1 for price in path.price)
    assert equity[1:] == pytest.approx(np.cumprod(1 + 1.5 * a - 0.5 * b), rel=1e-12)
