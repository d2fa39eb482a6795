"""The refill windows of H2: which books signals share, and what they could earn there together.  [statistics 7.1, 7.2]

A signal's edge is what its fold captures of the modelled net before impact; impact is charged in full, for it is that
of the notional that the programme chooses.  Read upwards, the capture is 1 and each book as deep as the 99.9% point of
its usable touches over the window.  [spec README "H2 read upwards"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from typing import Any, Final

import numpy as np
import pandas as pd

from engine.errors import DataError
from engine.exact.decimals import exact, of_float
from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses.base import RunData, TableRow, rows_of
from hypotheses.statistics.capacity import PER_BPS, Book, Demand, greedy, naive
from hypotheses.statistics.joint_capacity import joint

EPISODE: Final = ["constraint", "underlying", "venue", "expiry_ns", "side", "short"]
"""The columns that identify a violation: its emissions in one refill window are one signal.  [S4.2, statistics 7.2]"""

Depths = Mapping[str, float]
"""USD at the touch of each book, by name."""


@dataclass(frozen=True, slots=True)
class CapacityWindow:
    """One refill window: its signals with known depth, their books, and the EV of the signals without."""

    demands: tuple[Demand, ...]
    books: tuple[Book, ...]
    fixed_usd: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Daily:
    """E_d in micro-USD, shape (n,): the joint optimum, the naive sum, the greedy one; and the worst KKT residual."""

    joint: IntArray
    naive: IntArray
    greedy: IntArray
    residual: Decimal


def daily(run: RunData, target_usd: Decimal, refill_ns: int, upwards: Depths | None = None) -> Daily:
    """Return E_d of every day of the window for refill windows of ``refill_ns``, which divide a day.

    ``upwards`` are the depths of the books for the reading upwards, with a capture of 1; None: as registered.
    """
    sums = {day: [Decimal(0)] * 3 for day in run.day.tolist()}
    residual = Decimal(0)
    for number, group in by_window(run.signals, refill_ns):
        day = number * refill_ns // NS_PER_DAY
        # a signal outside the window belongs to no day of the claim
        if day not in sums:
            continue
        window = window_of(group, target_usd, upwards)
        best = joint(window.demands, window.books)
        residual = max(residual, best.residual)
        with exact():
            fixed = sum(window.fixed_usd, start=Decimal(0))
            values = (best.ev_usd, naive(window.demands, window.books), greedy(window.demands, window.books))
            sums[day] = [old + value + fixed for old, value in zip(sums[day], values, strict=True)]
    columns = np.array([[_micro(v) for v in sums[day]] for day in run.day.tolist()], dtype=np.int64).reshape(-1, 3)
    return Daily(columns[:, 0], columns[:, 1], columns[:, 2], residual)


def by_window(signals: pd.DataFrame, refill_ns: int) -> list[tuple[int, list[TableRow]]]:
    """Return each refill window that has signals, by number, with its signals in the order (t0, id)."""
    rows = rows_of(signals.sort_values(["t_ns", "signal_id"], kind="stable"))
    return [(number, list(group)) for number, group in groupby(rows, key=lambda row: int(row["t_ns"]) // refill_ns)]


def window_of(group: Sequence[TableRow], target_usd: Decimal, upwards: Depths | None = None) -> CapacityWindow:
    """Return the programme of one window; ``group`` is in the order (t0, id), and the first of an episode stays.

    A book has one spread and one depth in a window, those of the first signal that hits it [spec README], and the
    depth of ``upwards`` where that is given.  Raises ``DataError`` if it lacks a book.
    """
    books: list[Book] = []
    number: dict[str, int] = {}
    demands, fixed = [], []
    seen: set[tuple[Any, ...]] = set()
    for row in group:
        episode = tuple(None if pd.isna(row[name]) else row[name] for name in EPISODE)
        # a violation that is emitted twice in one refill window is one signal: its depth is not there twice
        if episode in seen:
            continue
        seen.add(episode)
        legs, capture = row["legs"], of_float(row["capture"]) if upwards is None else Decimal(1)
        if not knows_depth(legs):
            fixed.append(fixed_ev(row, target_usd, capture))
            continue
        # The first signal that hits a book fixes its spread and depth in the window.  [spec README]
        for leg in legs:
            if leg["book"] not in number:
                number[leg["book"]] = len(books)
                depth = leg["depth_usd"] if upwards is None else _depth(upwards, leg["book"])
                books.append(Book(of_float(leg["spread_bps"]), of_float(depth)))
        demands.append(_demand(row, number, books, capture))
    return CapacityWindow(tuple(demands), tuple(books), tuple(fixed))


def knows_depth(legs: Any) -> bool:
    """Whether every leg shows a spread and a depth, so that the cost depends on the notional.  [S3.3]"""
    return all(np.isfinite(leg["spread_bps"]) and np.isfinite(leg["depth_usd"]) for leg in legs)


def _depth(depths: Depths, book: str) -> float:
    if book not in depths:
        raise DataError(f"touch.parquet: expected the book {book}, was none: run the window again")
    return depths[book]


def fixed_ev(row: TableRow, target_usd: Decimal, capture: Decimal) -> Decimal:
    """Return the EV of a signal without depth at the registered notional, USD; 0 where trading it would lose.

    It is the captured net of the row before capital, because the returns charge capital already.
    """
    with exact():
        net_bps = of_float(row["net_bps"]) + of_float(row["capital_bps"])
        return max(Decimal(0), PER_BPS * target_usd * capture * net_bps)


def _demand(row: TableRow, number: Mapping[str, int], books: list[Book], capture: Decimal) -> Demand:
    """Return a_i = c (v - k - sum_l w_l (entry fee + exit fee + s_l)) and the weights by book; k = borrow - carry."""
    weight: dict[int, Decimal] = {}
    with exact():
        edge = of_float(row["gross_bps"]) + of_float(row["carry_bps"]) - of_float(row["borrow_bps"])
        for leg in row["legs"]:
            b, share = number[leg["book"]], of_float(leg["weight"])
            edge -= share * (of_float(leg["fee_bps"]) + of_float(leg["exit_fee_bps"]) + books[b].spread_bps)
            # Two legs of one signal may hit the same side of the same book.
            weight[b] = weight.get(b, Decimal(0)) + share
        return Demand(capture * edge, {b: share for b, share in weight.items() if share > 0})


def _micro(usd: Decimal) -> int:
    with exact():
        return int((usd * MICRO).to_integral_value(rounding=ROUND_HALF_EVEN))
