"""E6: a collateral that one venue's own book prints far below its pool and its redemption.  [risk.md 21, 1, 14.3]

Three oracles over the same minutes: the venue's own book, the median of book and pool (of two: their mean), and the
redemption value of 1.  Borrowers against the collateral are liquidated where their loan exceeds the limit of its value;
who is, while the pool never was under water, is wronged by the oracle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.populations import shares
from backtest.simulation.result import OURS, RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import CollateralPrint, table_of
from backtest.simulation.source_files import in_order, of_file
from engine.errors import DataError

CANNOT_SAY = (
    "The low is a trade print, not the venue's index: the index of that hour is not in the file.",
    "Borrowers are synthetic: loans uniform from half of the liquidation limit to the limit.",
    "Redemption at 1 is the issuer's promise, not a price anybody paid that hour.",
)


def measure(task: SimulationTask) -> SimulationResult:
    """Return lows, liquidated shares and deficits under each oracle, and alarms on the other days.

    Errors as `SourceFiles.table`; raises `DataError` (4) for rows that go back in time or a day without rows.
    """
    given = table_of(task.plan, CollateralPrint)
    books, book_name = of_file(task.data_root, given.book_file)
    pools, pool_name = of_file(task.data_root, given.pool_file)
    book = books.table(book_name, ("low", "close"), ("open_time",))
    book["time"] = pd.to_datetime(book["open_time"], utc=True)
    in_order(book["time"], book_name)
    pool = pools.table(pool_name, ("timestamp", "token0Price", "token1Price"))
    in_order(pool["timestamp"], pool_name)
    day = book["time"].dt.strftime("%Y-%m-%d") == given.day_utc
    if not day.any() or pool.empty:
        raise DataError(f"{book_name}: expected minutes of {given.day_utc} and blocks of the pool, was none")
    prices = _oracles(book[day], pool)
    quiet = book[~day]
    limit, alarm = float(given.liquidation_ltv), float(given.alarm_below)
    loans = limit * (0.5 + 0.5 * uniforms(f"seed {task.plan.seed}", "venue/e6/loans", given.accounts))
    figures: dict[str, Any] = {
        "own_low": float(book.loc[day, "low"].min()), "pool_low": float(_cheaper(pool).min()),
        "minutes_below_alarm": int((book.loc[day, "low"] < alarm).sum()),
        "quiet_minutes": len(quiet), "quiet_minutes_below_alarm": int((quiet["low"] < alarm).sum()),
    }  # fmt: skip
    layers = dict.fromkeys(figures, RECOMPUTED)
    oracles = {}
    for name in ("own_book", "median_of_two", "redemption"):
        low = float(prices[name].min())
        # Sold at that print, the collateral of a loan over its value leaves a deficit.
        deficit = np.maximum(loans - low, 0.0)
        oracles[name] = {
            "low": low, "liquidated": shares(loans > limit * low),
            "deficit_per_collateral": float(deficit.sum()) / len(loans),
            "quiet_alarm_minutes": _alarms(name, quiet, alarm),
        }  # fmt: skip
    figures["oracles"] = oracles
    layers["oracles"] = OURS
    return SimulationResult(
        figures, {"minutes": prices}, layers, books.digests | pools.digests, CANNOT_SAY
    )  # fmt: skip


def _oracles(book: pd.DataFrame, pool: pd.DataFrame) -> pd.DataFrame:
    """Return a row a minute with a known pool price: own low, the pool's last price, the median of both, redemption."""
    ends = book["time"].astype("int64").to_numpy() // _unit(book["time"]) + 60
    rows = np.searchsorted(pool["timestamp"].to_numpy(), ends, side="left") - 1
    known = rows >= 0
    frame = pd.DataFrame({"time": book["open_time"].to_numpy()[known], "own_book": book["low"].to_numpy()[known]})
    frame["pool"] = _cheaper(pool)[rows[known]]
    frame["median_of_two"] = (frame["own_book"] + frame["pool"]) / 2
    return frame.assign(redemption=1.0)


def _cheaper(pool: pd.DataFrame) -> np.ndarray:
    """Return the lower of the pool's two quotes, by block: which token is which is not in the file."""
    return np.asarray(np.minimum(pool["token0Price"].to_numpy(), pool["token1Price"].to_numpy()))


def _unit(times: pd.Series) -> int:
    """Return how many of a column's units make a second."""
    return {"ns": 10**9, "us": 10**6, "ms": 10**3, "s": 1}[str(times.dt.unit)]


def _alarms(name: str, quiet: pd.DataFrame, alarm: float) -> int:
    """Return minutes of other days under the alarm; the pool of those days is not in the files and taken as 1."""
    low = quiet["low"]
    price = {"own_book": low, "median_of_two": (low + 1.0) / 2, "redemption": low * 0 + 1.0}[name]
    return int((price < alarm).sum())
