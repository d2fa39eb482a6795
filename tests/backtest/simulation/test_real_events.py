"""E4 to E8 on small hand-made files, each figure computed by hand."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest.simulation.events.published_rank import contradicts
from backtest.simulation.populations import leverages, long_liquidation_prices
from backtest.simulation.scenario import read_scenario
from backtest.simulation.scenario_run import compute
from engine.errors import DataError
from tests.backtest.simulation import adl_files

HEAD = 'schema = "scenario/1"\nname = "made"\ntitle = "Made"\nseed = 1\nkind = "KIND"\n[KIND]\n'
MARK = HEAD.replace("KIND", "mark_against_last") + (
    'mark_file = "a/mark.zip"\nlast_file = "a/last.feather"\nfirst_utc = "2025-01-01T10:00Z"\n'
    'last_utc = "2025-01-01T11:00Z"\naccounts = 1000\nmaintenance = "0.01"\nmost_leverage = 50\n'
)
BOOK = HEAD.replace("KIND", "broken_book") + 'file = "a/depth.csv"\nmax_spread = "0.03"\n'
PRINT = HEAD.replace("KIND", "collateral_print") + (
    'book_file = "a/book.csv"\npool_file = "a/pool.parquet"\nday_utc = "2025-01-02"\naccounts = 50000\n'
    'liquidation_ltv = "0.9"\nalarm_below = "0.99"\n'
)
BRACKETS = HEAD.replace("KIND", "bracket_tables") + 'file = "a/tiers.csv"\naccounts = 100\n'
RANK = HEAD.replace("KIND", "published_rank") + 'folder = "made-adl"\n'
TEN = 1_735_725_600_000  # 2025-01-01T10:00Z in ms


def figures(plan: str, root: Path) -> dict[str, Any]:
    return compute(read_scenario(plan, "made").plan, root).figures


def mark_files(root: Path, times: tuple[int, ...] = (TEN - 300_000, TEN, TEN + 300_000)) -> Path:
    (root / "a").mkdir()
    rows = ["open_time,open,low,close", *(f"{t},{o},{lo},{c}" for t, (o, lo, c) in zip(times, BARS, strict=True))]
    with zipfile.ZipFile(root / "a" / "mark.zip", "w") as archive:
        archive.writestr("mark.csv", "\n".join(rows) + "\n")
    dates = pd.to_datetime(["2025-01-01T09:00Z", "2025-01-01T10:00Z"], utc=True)
    pd.DataFrame({"date": dates, "low": [10.0, 70.0]}).to_feather(root / "a" / "last.feather")
    return root


BARS = ((101.0, 20.0, 100.0), (100.0, 80.0, 95.0), (95.0, 85.0, 90.0))


def test_e4_sets_follow_the_lows(tmp_path: Path) -> None:
    """The bar and the hour before the window, with lower lows, take no part."""
    found = figures(MARK, mark_files(tmp_path))

    assert [found[f"{name}_low_usd"] for name in ("last", "mark", "delayed_mark")] == [70.0, 80.0, 90.0]
    prices = long_liquidation_prices(100.0, leverages(1, "venue/e4/leverage", 1000, 50.0), 0.01)
    wanted = [np.count_nonzero(prices >= low) / 1000 for low in (70.0, 80.0, 90.0)]
    assert [found[f"liquidated_under_{n}"] for n in ("last", "mark", "delayed_mark")] == wanted
    assert found["spared_by_mark"] == pytest.approx(wanted[0] - wanted[1])
    assert found["missed_by_delay"] == pytest.approx(wanted[1] - wanted[2])


def test_e4_prices_that_go_back_in_time_are_refused(tmp_path: Path) -> None:
    mark_files(tmp_path, (TEN, TEN + 300_000, TEN))

    with pytest.raises(DataError, match="prices must not go back in time") as refused:
        figures(MARK, tmp_path)
    assert refused.value.exit_code == 4


def test_a_liquidation_price_has_no_value_left_above_maintenance() -> None:
    """V = W + (p - E) s equals m p s there, for W = E s / L.  [risk.md 7.2]"""
    entry, leverage, m = 100.0, 20.0, 0.01
    price = float(long_liquidation_prices(entry, np.array([leverage]), m)[0])

    assert entry / leverage + price - entry == pytest.approx(m * price)


def test_leverages_are_uniform_in_the_room() -> None:
    drawn = 1.0 / leverages(3, "venue/market/leverage", 20_000, 10.0)

    assert drawn.min() >= 0.1
    assert np.histogram(drawn, 9, (0.1, 1.0))[0] == pytest.approx(20_000 / 9, rel=0.08)


def depth(root: Path, snapshots: list[tuple[str, float, float, float, float]]) -> Path:
    (root / "a").mkdir()
    rows = ["timestamp,percentage,depth,notional,weighted_avg_price"]
    for time, bid, ask, bid_usd, ask_usd in snapshots:
        rows += [f"{time},-1,1,{bid_usd},{bid}", f"{time},1,1,{ask_usd},{ask}"]
    (root / "a" / "depth.csv").write_text("\n".join(rows) + "\n")
    return root


def test_e5_a_stale_bid_is_rejected_and_the_ask_side_is_kept(tmp_path: Path) -> None:
    """From the second snapshot on the bid side repeats itself while the ask side falls through it."""
    snapshots = [
        ("2025-01-01 10:00:00", 99.0, 101.0, 500.0, 300.0),
        ("2025-01-01 10:00:30", 98.0, 101.0, 20.0, 200.0),
        (" 2025-01-01 10:02:00", 98.0, 100.0, 20.0, 100.0),
        ("2025-01-01 10:03:00", 98.0, 97.0, 20.0, 50.0),
    ]
    found = figures(BOOK, depth(tmp_path, snapshots))

    assert {name: found[name] for name in ("snapshots", "crossed", "crossed_and_included")} == {
        "snapshots": 4, "crossed": 1, "crossed_and_included": 0,
    }  # fmt: skip
    # 98 to 101 is a spread over 3%.
    assert found["rejected_by_inclusion"] == 2
    assert found["rejected_as_frozen"] == 2
    assert found["rejected_by_either"] == 3
    assert found["ask_depth_fall"] == pytest.approx(1 - 50 / 150)


def test_e5_snapshots_out_of_order_or_of_one_side_are_refused(tmp_path: Path) -> None:
    rows = [("2025-01-01 10:01:00", 99.0, 101.0, 1.0, 1.0), ("2025-01-01 10:00:00", 99.0, 101.0, 1.0, 1.0)]
    path = depth(tmp_path, rows) / "a" / "depth.csv"
    with pytest.raises(DataError, match="go back in time"):
        figures(BOOK, tmp_path)
    path.write_text("\n".join(path.read_text().splitlines()[:2]) + "\n")
    with pytest.raises(DataError, match="expected both sides in every snapshot, was 1"):
        figures(BOOK, tmp_path)


def test_e6_the_own_book_liquidates_and_redemption_does_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "book.csv").write_text(
        "open_time,low,close\n2025-01-01 10:00:00,0.98,1\n2025-01-01 10:01:00,0.995,1\n"
        "2025-01-02 10:00:00,0.999,1\n2025-01-02 10:01:00,0.6,0.7\n"
    )
    second = 1_735_812_000  # 2025-01-02T10:00Z
    pd.DataFrame({
        "timestamp": [second + 10, second + 70], "token0Price": ["1.0", "0.98"], "token1Price": ["1.0", "1.02"],
    }).to_parquet(tmp_path / "a" / "pool.parquet")  # fmt: skip
    found = figures(PRINT, tmp_path)

    assert (found["own_low"], found["pool_low"]) == (0.6, 0.98)
    assert (found["minutes_below_alarm"], found["quiet_minutes_below_alarm"]) == (1, 1)
    oracles = found["oracles"]
    assert [oracles[n]["low"] for n in ("own_book", "median_of_two", "redemption")] == [0.6, 0.79, 1.0]
    # Loans are uniform on 0.45 to 0.9: over 0.54 of them, and over 0.711.
    assert oracles["own_book"]["liquidated"] == pytest.approx(0.8, abs=0.01)
    assert oracles["median_of_two"]["liquidated"] == pytest.approx(0.42, abs=0.01)
    assert oracles["redemption"]["liquidated"] == 0.0
    assert [oracles[n]["quiet_alarm_minutes"] for n in oracles] == [1, 0, 0]


def test_e7_deductions_changes_and_broken_tables(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    head = "announced_utc,effective_utc,symbol,side,rank,leverage,lower_usdt,upper_usdt,mmr_pct,contiguous\n"
    rows = [
        "1,1,X,before,1,21-50,0,1000,1.00,1", "1,1,X,before,2,1-20,1000,5000,2.50,1",
        "1,1,X,after,1,21-25,0,1000,2.00,1", "1,1,X,after,2,1-20,1000,5000,5.00,1",
        "1,1,Y,before,1,75,0,1000,1.00,0", "1,1,Y,before,2,20,900,5000,2.50,0",
    ]  # fmt: skip
    (tmp_path / "a" / "tiers.csv").write_text(head + "\n".join(rows) + "\n")
    found = figures(BRACKETS, tmp_path)

    assert (found["rows"], found["rows_product_half"], found["rows_product_three_quarters"]) == (6, 4, 1)
    assert (found["tables"], found["tables_contiguous"], found["tables_convex"]) == (3, 2, 2)
    assert (found["changes"], found["changes_first_rate_raised"]) == (1, 1)
    # Every rate doubles: only equity of exactly twice the old maintenance would survive.
    assert found["liquidated_by_a_raise"] == 1.0
    (tmp_path / "a" / "tiers.csv").write_text(head + rows[0].replace("1.00", "one") + "\n")
    with pytest.raises(DataError, match="line 2: expected bounds, a rate and a leverage"):
        figures(BRACKETS, tmp_path)


def test_e8_a_rank_is_contradicted_by_a_partial_closing_before_another() -> None:
    """Two shorts: the first has twice the profit of the second at equal equity, so each rank takes it first."""
    batch = pd.DataFrame({
        "adl_size": [1.0, 2.0], "position_size": [-2.0, -2.0], "entry_price": [120.0, 110.0],
        "adl_price": [90.0, 90.0], "total_equity": [100.0, 100.0],
    })  # fmt: skip

    assert contradicts(batch, "profit_leverage")
    assert not contradicts(batch.assign(adl_size=[2.0, 1.0]), "profit_leverage")


def test_e8_on_files(tmp_path: Path) -> None:
    """AAA: one closed whole, one not at all; BBB is a batch of one."""
    found = figures(RANK, adl_files.write(tmp_path))

    assert (found["events"], found["batches_of_several"], found["batches_that_tell"]) == (3, 1, 1)
    assert found["contradicted"]["profit_leverage"] == 1
