"""How many listed packages are whole lots at some size, and do real quotes keep to lots and ticks?  [venues V4]

    python benchmarks/venue_lots.py DATA

DATA is the folder of real data.  Packages are those of all strikes that Deribit listed for BTC in the five stored
workbooks of January 2026 (every parity, every butterfly, both bounds of every vertical), of the same strikes in ETH
lots, and the pairs, triangle and calendar at the workbooks' prices.  Depth is not asked for: what cannot be placed here
cannot be placed at any depth.  Lots and ticks are the registered rows of configs/venues.
"""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.adapters.workbook import read_sheet
from backtest.registration.load import load_registration
from engine.costs.lots import search
from engine.params import Params
from engine.records import FloatArray, Kind

ROOT = Path(__file__).resolve().parents[1]
SIZES_USD = (25_000, 100_000, 1_000_000)
CALENDAR = (-0.44, 0.87, -0.56, 0.13)
"""Near, belly, far and perp of one real fit.  [spec README, C5's trade]"""
ON_TICK = 1e-6
"""How far a quote may be from a whole number of ticks, in ticks: the last bits of a double."""


def main(data: Path) -> None:
    """Print both tables as one line of JSON a row."""
    params = load_registration(ROOT / "configs" / "demo.toml").params
    books = [
        read_sheet(path, "options_raw", path.name) for path in sorted((data / "deribit-btc-daily-xlsx").glob("*.xlsx"))
    ]
    for row in (*obeyed(books, params), *obeyed_snapshots(data, params)):
        print(json.dumps(row))
    for coin, spot in (("BTC", float(books[0]["index_price"].iloc[0])), ("ETH", 3_300.0)):
        for row in placed(books, params, coin, spot):
            print(json.dumps(row))


def lot_of(params: Params, venue: str, kind: Kind, base: str, settle: str = "") -> float:
    """Return the registered lot, the latest."""
    rows = [r for r in params.lots if (r.venue, r.kind) == (venue, kind) and r.base in ("", base)]
    rows = [r for r in rows if r.settle in ("", settle)]
    return max(rows, key=lambda row: (row.settle != "", row.as_of)).lot


def ticks_of(params: Params, coin: str, price: FloatArray) -> FloatArray:
    """Return the registered tick of coin-settled options at each price, ``[N]``."""
    row = next(r for r in params.ticks if (r.venue, r.kind, r.settle) == ("deribit", Kind.OPTION, coin))
    tick = np.full(len(price), row.tick)
    for begins, step in row.above:
        tick = np.where(price >= begins - 1e-12, step, tick)
    return tick


def whole(amount: FloatArray) -> int:
    """Return how many numbers are whole."""
    return int((np.abs(amount - np.rint(amount)) < ON_TICK).sum())


def obeyed(books: list[pd.DataFrame], params: Params) -> list[dict[str, object]]:
    """Return how many touch amounts of the workbooks are whole lots, and how many prices whole ticks."""
    sides = [(book, side) for book in books for side in ("bid", "ask")]
    both = [
        np.concatenate([book[f"best_{side}_{what}"].to_numpy(dtype=float) for book, side in sides])
        for what in ("amount", "price")
    ]
    amount, price = (values[values > 0.0] for values in both)
    lot = lot_of(params, "deribit", Kind.OPTION, "BTC", "BTC")
    return [
        {"data": "workbooks BTC", "touch amounts": len(amount), "whole lots": whole(amount / lot)},
        {"data": "workbooks BTC", "quotes": len(price), "whole ticks": whole(price / ticks_of(params, "BTC", price))},
    ]


def obeyed_snapshots(data: Path, params: Params) -> list[dict[str, object]]:
    """Return how many quotes of the six-hourly snapshots, which have no amounts, are whole ticks."""
    rows = []
    files = sorted((data / "deribit-options-6h").glob("*snapshot*.csv.gz"))
    frames = [pd.read_csv(path, usecols=["bid_price", "ask_price", "currency"]) for path in files]
    for coin in ("BTC", "ETH"):
        quotes = [
            frame.loc[frame["currency"] == coin, ["bid_price", "ask_price"]].to_numpy().ravel() for frame in frames
        ]
        price = np.concatenate(quotes)
        price = price[price > 0.0]
        on_tick = whole(price / ticks_of(params, coin, price))
        rows.append({"data": f"snapshots {coin}", "quotes": len(price), "whole ticks": on_tick})
    return rows


def placed(books: list[pd.DataFrame], params: Params, coin: str, spot: float) -> list[dict[str, object]]:
    """Return a row a constraint and size: packages, and how many of them are whole lots at some size up to it."""
    option = lot_of(params, "deribit", Kind.OPTION, coin, coin)
    future = lot_of(params, "deribit", Kind.FUTURE, coin, coin) / spot
    perp = lot_of(params, "deribit", Kind.PERP, coin, coin) / spot
    binance, usdt = lot_of(params, "binance", Kind.SPOT, coin), lot_of(params, "binance", Kind.PERP, coin)
    dex, pair = lot_of(params, "hyperliquid", Kind.PERP, coin), lot_of(params, "binance", Kind.SPOT, "USDC")
    packages: dict[str, list[tuple[FloatArray, FloatArray]]] = {
        "C1": [(np.ones((1, 2)), np.array([perp, binance]))],
        "C2": [(np.array([[1.0, 1.0, spot]]), np.array([usdt, usdt, pair]))],
        "C3": [], "C4": [],
        "C5": [(np.abs([CALENDAR]), np.array([future, future, future, perp]))],
        "C6": [(np.ones((1, 2)), np.array([dex, usdt])), (np.ones((1, 3)), np.array([option, option, usdt]))],
        "C7": [],
    }  # fmt: skip
    for book in books:
        # The listed moneyness of BTC stands for ETH's: strikes in units of the spot.
        scale = spot / float(book["index_price"].iloc[0])
        for (_, right), chain in book.groupby(["expiration_timestamp", "option_type"]):
            strike = np.sort(np.unique(chain["strike"].to_numpy(dtype=float))) * scale
            if right == "call":
                units = np.stack([np.ones(len(strike)), np.ones(len(strike)), strike / spot], axis=1)
                packages["C3"].append((units, np.array([option, option, future])))
            low, middle, high = strike[np.array(list(combinations(range(len(strike)), 3))).T]
            weight = (high - middle) / (high - low)
            packages["C4"].append((np.stack([np.ones(len(low)), weight, 1.0 - weight], axis=1), np.full(3, option)))
            first, second = strike[np.array(list(combinations(range(len(strike)), 2))).T]
            packages["C7"].append((np.ones((len(first), 2)), np.full(2, option)))
            locked = np.stack([np.ones(len(first)), np.ones(len(first)), (second - first) / spot], axis=1)
            packages["C7"].append((locked, np.array([option, option, future])))
    rows = []
    for code, groups in packages.items():
        for size_usd in SIZES_USD:
            found = [fitting(weights, lots, size_usd / spot) for weights, lots in groups]
            count, fits, below, exact = (sum(column) for column in zip(*found, strict=True))
            rows.append(
                {
                    "constraint": code, "coin": coin, "spot": round(spot), "size_usd": size_usd, "packages": count,
                    "placed": fits, "share": round(fits / count, 4), "a leg below a lot": round(below / count, 4),
                    "exact": round(exact / count, 4),
                }
            )  # fmt: skip
    return rows


def fitting(weights: FloatArray, lots: FloatArray, units: float) -> tuple[int, int, int, int]:
    """Return of packages ``[M, L]``: all, those placed, those with a leg below a lot, those without any rounding."""
    step = lots / weights
    coarsest = step.max(axis=1)
    multiple, count, fits = search(coarsest[:, None] / step, units / coarsest)
    amount = multiple[:, None] * coarsest[:, None] / step
    exact = fits & (np.abs(amount - count) < ON_TICK).all(axis=1)
    return len(weights), int(fits.sum()), int((coarsest > units).sum()), int(exact.sum())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
