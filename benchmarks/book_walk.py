"""How far the registered impact is from a walk down real books: bps of the leg's notional, by venue and size.

``CME_TEST_DATA=DIR python benchmarks/book_walk.py`` reads the stored books below DIR.  One side of a trade pays

    registered   s/2 + s Q / D   s the touch spread in bps, D the notional at the touch of the side hit [S3.1]
    walked       the average price of Q taken level by level, against the mid

The table has, for buying and selling together, the medians of both and the 5%, 50% and 95% points of registered less
walked: above 0 the formula charges more than the book did.  A book that ends before Q is counted and left out.  The
plan never trades more than half of the touch; "inside" is the share of books in which Q is that small.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import machine

LINEAR_USD = (1_000.0, 5_000.0, 25_000.0, 100_000.0, 500_000.0)
PREMIUM_USD = (100.0, 500.0, 2_500.0, 10_000.0)
EVERY_NS = 1_000_000_000
"""Of a stream of changes one book a second is taken."""
BINANCE = ("spot_btcusdt", "spot_ethusdt", "usdm_btcusdt", "usdm_ethusdt", "cm_btcusd_perp", "cm_ethusd_perp")
CONTRACT_USD = {"cm_btcusd_perp": 100.0, "cm_ethusd_perp": 10.0}

Levels = Sequence[tuple[float, float]]
"""Price and notional in USD of each level, best first."""


@dataclass(frozen=True, slots=True)
class Book:
    """Both sides of one book; prices in any one currency, notionals in USD."""

    bids: Levels
    asks: Levels


def walked_bps(book: Book, usd: float, buy: bool) -> float:
    """Return what taking ``usd`` of notional costs against the mid, bps; NaN where the stored side is smaller.

    >>> book = Book([(99.0, 500.0)], [(101.0, 100.0), (102.0, 300.0)])
    >>> round(walked_bps(book, 200.0, buy=True), 6), walked_bps(book, 401.0, buy=True)
    (150.0, nan)
    """
    mid = 0.5 * (book.bids[0][0] + book.asks[0][0])
    left, paid = usd, 0.0
    for price, notional in book.asks if buy else book.bids:
        taken = min(left, notional)
        paid += taken * abs(price - mid) / mid
        left -= taken
        if left <= 0.0:
            return 1e4 * paid / usd
    return float("nan")


def registered_bps(book: Book, usd: float, buy: bool) -> float:
    """Return half the spread and the registered impact of ``usd`` at the touch, bps.  [S3.1]

    >>> registered_bps(Book([(99.0, 500.0)], [(101.0, 100.0)]), 200.0, buy=True)
    500.0
    """
    bid, ask = book.bids[0], book.asks[0]
    spread = 1e4 * (ask[0] - bid[0]) / (0.5 * (ask[0] + bid[0]))
    return spread / 2 + spread * usd / (ask if buy else bid)[1]


def deribit_options(root: Path) -> Iterator[Book]:
    """Yield the two-sided option books of the stored chain of 2020; premiums in coin, sizes in coin."""
    for file in sorted(root.glob("deribit-single-snapshots/*_btc_options_data.csv")):
        with file.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                index = float(row["index_price"])
                sides = [
                    [(p, p * size * index) for p, size in ast.literal_eval(row[name])] for name in ("bids", "asks")
                ]
                if all(sides):
                    yield Book(*sides)


def hyperliquid(root: Path) -> Iterator[Book]:
    """Yield the twenty levels a side of every stored book message."""
    for file in sorted(root.glob("hyperliquid-raw-samples/btcusd_*.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            for line in stream:
                message = json.loads(line.split(" ", 1)[1])
                if message["channel"] == "l2Book":
                    sides = [
                        [(float(x["px"]), float(x["px"]) * float(x["sz"])) for x in side]
                        for side in message["data"]["levels"]
                    ]
                    if all(sides):
                        yield Book(*sides)


def binance(root: Path, name: str) -> Iterator[Book]:
    """Yield one book a second of a stream of changes upon its first snapshot."""
    sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
    begun, last = False, 0
    with gzip.open(root / "binance-l2-20240808" / f"{name}_20240808.gz", "rt", encoding="utf-8") as stream:
        for line in stream:
            stamp, text = line.split(" ", 1)
            message = json.loads(text)
            body = message.get("data", message)
            if "lastUpdateId" in body:
                sides = ({}, {})
                begun = True
            for side, keys in zip(sides, (("b", "bids"), ("a", "asks")), strict=True):
                for price, size in body.get(keys[0], body.get(keys[1], ())) if _is_depth(body) else ():
                    if float(size):
                        side[float(price)] = float(size)
                    else:
                        side.pop(float(price), None)
            if begun and int(stamp) - last >= EVERY_NS and all(sides):
                last = int(stamp)
                unit = CONTRACT_USD.get(name)
                ordered = [sorted(sides[0].items(), reverse=True), sorted(sides[1].items())]
                levels = [[(p, size * (p if unit is None else unit)) for p, size in side[:200]] for side in ordered]
                if levels[0][0][0] < levels[1][0][0]:
                    yield Book(*levels)


def _is_depth(body: dict[str, object]) -> bool:
    return "lastUpdateId" in body or body.get("e") == "depthUpdate"


def report(name: str, books: Sequence[Book], sizes: Sequence[float]) -> None:
    """Print a line a size."""
    for usd in sizes:
        walked, charged, inside = [], [], 0
        for book in books:
            for buy in (True, False):
                walked.append(walked_bps(book, usd, buy))
                charged.append(registered_bps(book, usd, buy))
                inside += usd <= 0.5 * (book.asks if buy else book.bids)[0][1]
        real, ours = np.array(walked), np.array(charged)
        known = ~np.isnan(real)
        cells = "no book is that deep"
        if known.any():
            low, middle, high = np.quantile((ours - real)[known], [0.05, 0.5, 0.95])
            cells = (
                f"{np.median(real[known]):8.2f} {np.median(ours[known]):9.2f} {low:10.2f} {middle:9.2f} {high:10.2f}"
            )
        print(
            f"{name:24}{usd:>9,.0f} {len(real):7,} {int((~known).sum()):6,} {inside / max(len(real), 1):7.0%}  {cells}"
        )


def main() -> None:
    """Print the table of all stored books."""
    root = Path(os.environ.get("CME_TEST_DATA", os.environ.get("CME_DATA", ".")))
    if not (root / "binance-l2-20240808").is_dir():
        print("book_walk: expected binance-l2-20240808 below $CME_TEST_DATA, was none", file=sys.stderr)
        return
    print(f"{'book':24}{'size USD':>9} {'sides':>7} {'short':>6} {'inside':>7}  {'walked':>8} {'formula':>9} "
          f"{'diff 5%':>10} {'50%':>9} {'95%':>10}")  # fmt: skip
    for name in BINANCE:
        report(f"binance {name}", list(binance(root, name)), LINEAR_USD)
    report("hyperliquid BTC", list(hyperliquid(root)), LINEAR_USD)
    report("deribit BTC options", list(deribit_options(root)), PREMIUM_USD)
    print(machine())


if __name__ == "__main__":
    main()
