"""Static checks of real option snapshots: quotes a second, against a constraint matrix written the usual way.

``CME_TEST_DATA=DIR python benchmarks/static_options.py`` reads stored Deribit snapshots below DIR (all currencies).
Ours are the engine's array functions at the touch: every butterfly, both vertical bounds of every pair, parity at every
strike.  The peer looks at neighbours only, as such detectors do: for each expiry a matrix with one row a relation and
one column a quoted option, times the prices.  Ours starts from
arrays, the peer from the sorted table of the same quotes; reading the file and laying it out are not measured.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import Row, against, machine, table
from engine.constraints.c4_butterfly import butterfly_excess, low_weight
from engine.constraints.c7_vertical import lower_excess
from engine.constraints.options.convex_hull import best_wings
from engine.constraints.options.put_call_pairs import parity_gap
from engine.records import FloatArray

PATTERN = "deribit-options-6h/deribit_options_snapshot_202601*.csv.gz"
CRUMB = 1e-10
"""Coin: a millionth of a bps; what is less is rounding."""
EXPIRY = ["timestamp", "currency", "expiry_datetime"]
CHAIN = [*EXPIRY, "option_type"]
MANY = 40


def snapshots(files: list[Path]) -> pd.DataFrame:
    """Return the rows of snapshots by chain and strike."""
    frame = pd.concat([pd.read_csv(file) for file in files])
    return frame.sort_values([*CHAIN, "strike"], ignore_index=True)


@dataclass(frozen=True, slots=True)
class Side:
    """All chains of one right side by side, ``[n, chains]``; NaN beyond a chain's last strike."""

    call: bool
    strike: FloatArray
    bid: FloatArray
    ask: FloatArray
    forward: FloatArray


def sides_of(frame: pd.DataFrame) -> tuple[Side, Side]:
    """Return calls and puts."""
    chain = frame.groupby(EXPIRY, sort=True).ngroup().to_numpy()
    place = frame.groupby(CHAIN).cumcount().to_numpy()
    calls = (frame["option_type"] == "call").to_numpy()
    shape = int(place.max()) + 1, int(chain.max()) + 1
    found = []
    for call in (True, False):
        mine = np.flatnonzero(calls == call)
        at = place[mine], chain[mine]
        arrays = []
        for name in ("strike", "bid_price", "ask_price", "underlying"):
            dense = np.full(shape, np.nan)
            dense[at] = frame[name].to_numpy()[mine]
            arrays.append(dense)
        found.append(Side(call, *arrays))
    return found[0], found[1]


def cheapest(price: FloatArray, above: bool) -> FloatArray:
    """Return the lowest price of the strikes above (below) each one; inf where there is none."""
    walked = price[::-1] if above else price
    low = np.vstack([np.full(price.shape[1], np.inf), np.fmin.accumulate(walked, axis=0)[:-1]])
    return low[::-1] if above else low


def ours(calls: Side, puts: Side) -> int:
    """Return how many bellies, short legs and strikes have a profit at the touch, over all triples and pairs."""
    strike, bid, ask = (np.hstack([getattr(side, name) for side in (calls, puts)]) for name in ("strike", "bid", "ask"))
    # A vertex of the hull loses whatever its wings: no bridge is wanted.
    low, high = best_wings(ask, strike, np.zeros(ask.shape, dtype=np.bool_))
    pick = [np.take_along_axis(array, at, axis=0) for array in (strike, ask) for at in (low, high)]
    with np.errstate(divide="ignore", invalid="ignore"):
        profit = butterfly_excess(pick[2], bid, pick[3], low_weight(pick[0], strike, pick[1]))
    found = int(np.count_nonzero((profit > CRUMB) & (low >= 0)))
    for side in (calls, puts):
        for lower in (True, False):
            above = side.call != lower
            drift = 0.0 if lower else side.strike / side.forward * (1.0 if above else -1.0)
            profit = lower_excess(side.bid + drift, cheapest(side.ask + drift, above))
            found += int(np.count_nonzero(profit > CRUMB))
    gaps = parity_gap(calls.ask, calls.bid, puts.ask, puts.bid, calls.strike, calls.forward, calls.forward, coin=True)
    return found + int(np.count_nonzero((np.maximum(*gaps) > CRUMB) & (calls.strike == puts.strike)))


class Relations:
    """Rows of a constraint matrix: weights of asks paid and of bids received, and what is certain."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.buying: list[FloatArray] = []
        self.selling: list[FloatArray] = []
        self.certain: list[float] = []

    def add(self, bought: dict[int, float], sold: dict[int, float], certain: float) -> None:
        for weights, into in ((bought, self.buying), (sold, self.selling)):
            row = np.zeros(self.width)
            row[list(weights)] = list(weights.values())
            into.append(row)
        self.certain.append(certain)


def matrix_detector(frame: pd.DataFrame) -> int:
    """Return how many rows of the constraint matrices are violated: neighbours' butterflies, verticals, parity."""
    found = 0
    for _, expiry in frame.groupby(EXPIRY, sort=False):
        quotes = expiry.reset_index(drop=True)
        rules = Relations(len(quotes))
        for right, listed in quotes.groupby("option_type"):
            chain = listed[listed["ask_price"].notna() & listed["bid_price"].notna()]
            at, k, f = chain.index.tolist(), chain["strike"].tolist(), float(quotes["underlying"].iloc[0])
            for i in range(len(at) - 1):
                dear, cheap = (at[i], at[i + 1]) if right == "call" else (at[i + 1], at[i])
                rules.add({dear: 1.0}, {cheap: 1.0}, 0.0)
                rules.add({cheap: 1.0}, {dear: 1.0}, -(k[i + 1] - k[i]) / f)
            for i in range(1, len(at) - 1):
                weight = (k[i + 1] - k[i]) / (k[i + 1] - k[i - 1])
                rules.add({at[i - 1]: weight, at[i + 1]: 1.0 - weight}, {at[i]: 1.0}, 0.0)
        pairs = (
            quotes[quotes["option_type"] == "call"]
            .reset_index()
            .merge(quotes[quotes["option_type"] == "put"].reset_index(), on="strike", suffixes=("_c", "_p"))
        )
        for pair in pairs.itertuples():
            value = 1.0 - pair.strike / pair.underlying_c
            rules.add({pair.index_p: 1.0}, {pair.index_c: 1.0}, -value)
            rules.add({pair.index_c: 1.0}, {pair.index_p: 1.0}, value)
        profit = (
            pd.DataFrame(rules.selling).dot(quotes["bid_price"].fillna(0.0))
            - pd.DataFrame(rules.buying).dot(quotes["ask_price"].fillna(1e9))
            + rules.certain
        )
        found += int((profit > CRUMB).sum())
    return found


def rows() -> list[Row]:
    """Return the rows of one snapshot and of many at once; none where there is no real data."""
    folder = Path(os.environ.get("CME_TEST_DATA", os.environ.get("CME_DATA", ".")))
    files = sorted(folder.glob(PATTERN))
    if len(files) < MANY:
        print(f"static_options: expected {PATTERN} below $CME_TEST_DATA, found none: left out", file=sys.stderr)
        return []
    one = snapshots(files[:1])
    return [_row(snapshots(files[:count]), count, repeats, one) for count, repeats in ((1, 100), (MANY, 5))]


def _row(frame: pd.DataFrame, count: int, repeats: int, one: pd.DataFrame) -> Row:
    """Return the row of the snapshots ``frame`` against the peer on ``one``; the ratio is of times a quote."""
    calls, puts = sides_of(frame)

    def many() -> None:
        for _ in range(repeats):
            ours(calls, puts)

    found = against(
        f"static checks, {count} real snapshot{'s' * (count > 1)}, all triples", many,
        "constraint matrix, neighbours, pandas", lambda: matrix_detector(one),
        repeats * len(frame), "quotes", turns=5, yardstick_amount=len(one),
    )  # fmt: skip
    share = len(one) / (repeats * len(frame))
    return replace(found, ratio=found.ratio * share, low=found.low * share, high=found.high * share)


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
