"""A synthetic book for the waves of a deleveraging: the published totals and profits, coins drawn.  [risk.md 21, E1]

Each published account keeps its profit, equity and closed notional; which coins it holds is not published.  Accounts
stand in a random order and coins one after another, each as wide as its published profit, so that both margins, profit
by account and profit by coin, equal the published ones to the micro-dollar.  A position has the account's notional,
equity and requirement in proportion to its profit.  Accounts closed at a loss have no profit to take: they are in the
table of accounts, not in the book.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import words
from backtest.simulation.source_files import SourceFiles
from engine.errors import DataError
from engine.venue.auto_deleveraging import Winners
from engine.venue.integers import Ints, exact_sum

MICRO = 1_000_000
"""Micro-USD a USD: the quantum of the book."""
ACCOUNTS, COINS, CELLS = (
    "adl_by_user_REALTIME.csv.gz", "adl_by_coin_REALTIME.csv", "h0_two_pass_wave_coin_gap_per_contract.csv",
)  # fmt: skip
QUANTITY_DIGITS = 12
"""Beyond these a published quantity is a float's rounding."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Waves x coins that need money, arrays [cells]: micro-USD needed, contracts in lots, micro-USD a lot (a float)."""

    wave: Ints
    coin: Ints
    needed: Ints
    lots: Ints
    lot_value: np.ndarray


@dataclass(frozen=True, slots=True)
class PublishedAccounts:
    """Published accounts, arrays [accounts] in micro-USD: profit closed, closed notional, equity."""

    profit: Ints
    notional: Ints
    equity: Ints


@dataclass(frozen=True, slots=True)
class Book:
    """Positions, arrays [positions]: account, coin, profit > 0 in micro-USD, columns of the ranks."""

    account: Ints
    coin: Ints
    profit: Ints
    notional: Ints
    equity: Ints

    def winners(self, rows: Ints, left: Ints, maintenance_ppm: int) -> Winners:
        """Return the ranks' columns of positions ``rows`` of which ``left`` micro-USD of profit are left.

        Winners of that day were short: what they entered at is their notional plus their profit.
        """
        notional = np.maximum(self.notional[rows], 1)
        maintenance = np.maximum(notional // MICRO * maintenance_ppm, 1)
        equity = self.equity[rows]
        return Winners(left, equity - self.profit[rows], equity, notional, notional + self.profit[rows], maintenance)


def read_cells(files: SourceFiles) -> tuple[Cells, list[str], pd.DataFrame]:
    """Return the cells, the coins' names in the order of their rows, and the table as read.

    Raises as `SourceFiles.table`, and `DataError` (4) for a negative amount.
    """
    table = files.table(CELLS, ("wave", "gap_usd_x_qty", "qty_contracts"), ("coin",))
    for column in ("gap_usd_x_qty", "qty_contracts"):
        if (table[column] < 0).any():
            raise DataError(f"{CELLS}: {column}: expected amounts >= 0, was {table[column].min()}")
    names = sorted(set(table["coin"]))
    coin = np.array([names.index(name) for name in table["coin"]], dtype=np.int64)
    scale = {name: _lots_a_unit(table.loc[table["coin"] == name, "qty_contracts"].tolist()) for name in names}
    needed = [round(x * MICRO) for x in table["gap_usd_x_qty"]]
    counted = zip(table["qty_contracts"], table["coin"], needed, strict=True)
    # A lot is worth a quantum at least: smaller ones could not be told apart.
    lots = [max(1, min(round(q * scale[c]), n)) if q > 0 else 0 for q, c, n in counted]
    values = [n / k if k else 0.0 for n, k in zip(needed, lots, strict=True)]
    cells = Cells(
        table["wave"].to_numpy(np.int64), coin, np.array(needed, np.int64), np.array(lots, np.int64), np.array(values)
    )
    return cells, names, table


def _lots_a_unit(quantities: list[float]) -> int:
    """Return lots a unit: the smallest power of ten that makes every published quantity whole."""
    exponents = [Decimal(f"{q:.{QUANTITY_DIGITS}g}").normalize().as_tuple().exponent for q in quantities]
    return int(10 ** max(0, *(-int(e) for e in exponents), 0))


def read_accounts(files: SourceFiles) -> PublishedAccounts:
    """Return the published accounts.  Errors as `SourceFiles.table`."""
    table = files.table(ACCOUNTS, ("closed_pnl", "adl_notional", "account_value_realtime"))
    columns = [np.array([round(x * MICRO) for x in table[c]], dtype=np.int64) for c in table.columns]
    return PublishedAccounts(*columns)


def read_coin_profits(files: SourceFiles, names: list[str]) -> Ints:
    """Return the published profit of each coin [coins] in micro-USD, at least what its row says and 0.

    Raises as `SourceFiles.table`, and `DataError` (4) for a coin without a row.
    """
    table = files.table(COINS, ("closed_pnl",), ("coin",))
    by_name = dict(zip(table["coin"], table["closed_pnl"], strict=True))
    missing = [name for name in names if name not in by_name]
    if missing:
        raise DataError(f"{COINS}: expected a row of every coin that needs money, was none of {missing}")
    # Coins without a need take their share of the profits too.
    order = [*names, *sorted(set(by_name) - set(names))]
    return np.array([max(0, round(by_name[name] * MICRO)) for name in order], dtype=np.int64)


def draw_book(accounts: PublishedAccounts, coins: Ints, seed_text: str, replicate: int) -> Book:
    """Return a book whose profits by account and by coin are the given ones.

    What coins lack of the accounts' profits, the profits that losses of other accounts had netted, is added in
    proportion to the coins.  Raises `DataError` for coins without any profit.
    """
    rows = np.flatnonzero(accounts.profit > 0)
    order = rows[np.argsort(words(seed_text, "venue/adl/book", len(rows), replicate), kind="stable")]
    profit = accounts.profit[order]
    ends = np.cumsum(_stretched(coins, exact_sum(profit)))
    account_ends = np.cumsum(profit)
    # Every end of an account or of a coin ends a position.
    cuts = np.unique(np.concatenate([account_ends, ends]))
    cuts = cuts[cuts > 0]
    part = np.diff(cuts, prepend=0)
    owner = np.searchsorted(account_ends, cuts, side="left")
    coin = np.searchsorted(ends, cuts, side="left")
    share = part / profit[owner]
    account = order[owner]
    notional = (accounts.notional[account] * share).astype(np.int64)
    equity = np.floor(accounts.equity[account] * share).astype(np.int64)
    return Book(account.astype(np.int64), coin.astype(np.int64), part, notional, equity)


def _stretched(coins: Ints, wanted: int) -> Ints:
    """Return the coins' profits made to add up to ``wanted``: floors, and what is left to the largest coin."""
    whole = exact_sum(coins)
    if whole <= 0:
        raise DataError(f"{COINS}: expected a coin with a profit, was none")
    scaled = np.array([int(c) * wanted // whole for c in coins.tolist()], dtype=np.int64)
    scaled[int(np.argmax(scaled))] += wanted - exact_sum(scaled)
    return scaled
