"""E1 to E3 on hand-made files whose figures are computed by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.simulation.events.deleveraging_book import (
    Book,
    Cells,
    draw_book,
    read_accounts,
    read_cells,
    read_coin_profits,
)
from backtest.simulation.events.deleveraging_policies import best_share, policies, run_policy
from backtest.simulation.result import SimulationResult
from backtest.simulation.scenario import read_scenario
from backtest.simulation.scenario_run import compute
from backtest.simulation.source_files import SourceFiles
from engine.errors import DataError
from engine.venue.haircuts import best_largest_share
from tests.backtest.simulation import adl_files


@pytest.fixture
def files(tmp_path: Path) -> SourceFiles:
    return SourceFiles(adl_files.write(tmp_path), adl_files.FOLDER)


def measured(root: Path, plan: str = adl_files.ADL) -> SimulationResult:
    return compute(read_scenario(plan, "made").plan, root)


def test_the_figures_of_both_published_layers(tmp_path: Path) -> None:
    result = measured(adl_files.write(tmp_path))
    figures, policies_of = result.figures, result.figures["policies"]

    assert {name: figures[name] for name in ("needed_usd", "taken_usd", "overshoot_net_usd")} == {
        "needed_usd": 60.0, "taken_usd": 60.0, "overshoot_net_usd": 0.0,
    }  # fmt: skip
    assert figures["overshoot_positive_usd"] == 10.0
    # The account of 90.125 stands in both waves; 10.125 are others of the first.
    assert (figures["deficit_published_usd"], figures["deficit_once_usd"]) == (190.38, 100.25)
    assert (figures["accounts_closed_at_a_loss"], figures["loss_of_those_usd"]) == (1, -10.0)
    # 100% less 50 of 400; 50% less 10 of 200.
    assert policies_of["production"]["regret"] == pytest.approx(0.875)
    assert policies_of["pro_rata"]["regret"] == 0.0
    assert policies_of["equity_pro_rata"]["regret"] is None
    assert policies_of["equity_pro_rata"]["waves_not_comparable"] == 2
    assert policies_of["pro_rata_recomputed"]["largest_share"] == 0.1
    assert result.layers["needed_usd"] == result.layers["deficit_once_usd"] == "recomputed"
    assert result.layers["deficit_published_usd"] == "read"
    assert result.layers["taken_usd"] == result.layers["overshoot_net_usd"] == "read"
    assert {row["layer"] for name, row in policies_of.items() if name.startswith("ours_")} == {"ours"}


def test_single_events_are_divided_anew(tmp_path: Path) -> None:
    """One of two equal shorts was closed whole: pro-rata halves both; the rank by profit takes the other one."""
    found = measured(adl_files.write(tmp_path)).figures["single_events"]

    assert found["events"] == 3
    assert found["policies"]["production"]["largest_share"] == 1.0
    assert found["policies"]["integer_pro_rata"]["largest_share"] == 0.5
    assert found["policies"]["production"]["regret"] == pytest.approx(0.5)


def test_a_book_has_both_published_margins(files: SourceFiles) -> None:
    cells, names, _ = read_cells(files)
    accounts, coins = read_accounts(files), read_coin_profits(files, names)
    seen = set()
    for replicate in range(20):
        book = draw_book(accounts, coins, "seed", replicate)
        by_account, by_coin = Counter(), Counter()
        for account, coin, profit in zip(*(x.tolist() for x in (book.account, book.coin, book.profit)), strict=True):
            by_account[account] += profit
            by_coin[coin] += profit
        assert by_account == {0: 200_000_000, 1: 100_000_000, 2: 60_000_000}
        # 350 of coins' profits carry 360 of accounts': in proportion, the rest to the largest.
        assert by_coin == {0: 205_714_287, 1: 102_857_142, 2: 51_428_571}
        seen.add(tuple(book.account.tolist()))
    assert len(seen) > 1
    assert cells.lots.tolist() == [15, 25, 4]


def test_policies_take_what_is_needed_and_queues_touch_fewer(files: SourceFiles) -> None:
    cells, names, _ = read_cells(files)
    book = draw_book(read_accounts(files), read_coin_profits(files, names), "seed", 0)
    outcomes = {p.name: run_policy(p, book, cells, 10_000) for p in policies(500_000)}

    for name, outcome in outcomes.items():
        assert outcome["taken_usd"].sum() == pytest.approx(60, abs=3), name
        assert (outcome["regret"] >= -1e-12).all()
    pro_rata = outcomes["ours_pro_rata"]
    # Whatever the book: 30 of coin AAA's profit in the first wave, 10 of BBB's.
    assert pro_rata["largest_share"].iloc[0] == pytest.approx(30 / 205.714286, abs=1e-6)
    assert pro_rata["regret"].max() < 1e-6
    for name, outcome in outcomes.items():
        if "queue" in name:
            assert outcome["touched"].sum() <= pro_rata["touched"].sum()
            assert outcome["largest_share"].max() >= pro_rata["largest_share"].max()


def test_a_profit_taken_in_one_wave_is_gone_in_the_next() -> None:
    """Two waves ask one winner of 10 USD for 8 each."""
    whole = np.array([10_000_000], dtype=np.int64)
    book = Book(np.array([0]), np.array([0]), whole, 10 * whole, 5 * whole)
    needed = np.array([8_000_000, 8_000_000], dtype=np.int64)
    cells = Cells(np.array([1, 2]), np.array([0, 0]), needed, np.array([8, 8]), np.array([1e6, 1e6]))
    for policy in policies(1_000_000):
        assert run_policy(policy, book, cells, 10_000)["taken_usd"].tolist() == [8.0, 2.0], policy.name


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_the_best_share_by_bisection_is_the_exact_one(gains: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(1, sum(gains)))
    exact = best_largest_share(total, np.array(gains, dtype=np.int64))

    assert best_share(total, np.array(gains, dtype=np.int64)) == pytest.approx(float(exact), abs=1e-12)


def test_a_ledger_pays_a_deficit_once(tmp_path: Path) -> None:
    result = measured(adl_files.write(tmp_path), adl_files.LEDGER)

    assert result.figures == {
        "deficit_published_usd": 190.38, "deficit_once_usd": 100.25, "listings_of_one_account": 2, "waves": 2,
    }  # fmt: skip
    assert result.tables["waves"]["paid_usd"].tolist() == [100.25, 0.0]


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("bad_debt_loser_waves.csv", "3,90.125,90.125", "3,90.125,91", "expected max_loss_usd <= deficit_usd"),
        (
            "bad_debt_loser_waves.csv",
            "3,90.125,90.125",
            "3,nan,90.125",
            "line 3, deficit_usd: expected a finite number",
        ),
        ("bad_debt_loser_waves.csv", "deficit_usd", "shortfall", r"expected the columns \['deficit_usd'\]"),
        ("h0_two_pass_wave_coin_gap_per_contract.csv", "3,AAA", "4,AAA", "expected the waves"),
        ("h0_two_pass_wave_coin_gap_per_contract.csv", "1,BBB,10", "1,BBB,-10", "expected amounts >= 0, was -10"),
        ("h0_two_pass_wave_coin_gap_per_contract.csv", "BBB", "DDD", r"was none of \['DDD'\]"),
        ("policy_per_wave_metrics.csv", "3,20,200", "3,20,0", "expected capacities > 0"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, name: str, old: str, new: str, words: str) -> None:
    path = adl_files.write(tmp_path) / adl_files.FOLDER / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(DataError, match=words):
        measured(tmp_path)
