"""Nested dropping: section 8 applied to the training labels of each fold decides which sleeves that fold keeps.

Exploratory, and secondary: the portfolio of H1 always holds all seven.  [statistics 2.3]

A training series books each training label's net profit on the day it was resolved, from the first day of history to
the day of ``start - gap``, less the day's capital charge: a daily mark of a trade that is still open
would be an outcome the fold may not know.  A sleeve is kept where the floor is met and the lower end of its interval
is above 0, nothing else.  The pruned series then leaves out what the folds' own test trades of dropped sleeves
accrued; capital and its charge stay.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from backtest.folds.walk_forward import walk_forward
from backtest.records import Fold, Plan, Stats
from backtest.results.returns import daily_charge
from backtest.results.tables import read_table
from engine.constraints.codes import COUNT_IN_WORDS
from engine.records import IntArray
from engine.units import NS_PER_DAY
from hypotheses.base import Sleeve
from hypotheses.exposure import dislocations
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.difference import sharpe_difference
from hypotheses.sensitivity.labels import all_labels
from hypotheses.sensitivity.series import annual, series_of
from hypotheses.statistics.bootstrap import blocks_of_words, raw_words
from hypotheses.statistics.studentised import sharpe_t

STREAM = "panel/pruned"
FULL = (f"all {COUNT_IN_WORDS}", "pruned")


def build(judged: JudgedRun) -> Part:
    """Return the sleeves that each fold keeps, and both portfolios with a test of the difference of their ratios."""
    labels = all_labels(judged.folder, judged.run.trades)
    folds = walk_forward(labels["t0"].to_numpy(), labels["t1"].to_numpy(), judged.plan)
    kept = {fold.index: kept_by(judged, fold, labels) for fold in folds}
    codes = [sleeve.code for sleeve in judged.run.sleeves]
    rows = tuple(
        {"fold": index, **{code: statuses[code] for code in codes}, "kept": sum(s == "kept" for s in statuses.values())}
        for index, statuses in kept.items()
    )
    whole = judged.run.portfolio
    lost = _dropped_profit(judged, kept)
    # Capital and its charge stay: a dropped sleeve frees no committed capital.  [R1.2]
    pruned = replace(whole, profit=whole.profit - lost, x=whole.x - lost)
    series = [series_of(sleeve) for sleeve in (whole, pruned)]
    compared = tuple(
        {
            "series": name,
            "sharpe": annual(compared_series.point),
            "trading": float(compared_series.sleeve.profit.sum()) / 1e6,
            "net": float(compared_series.sleeve.x.sum()) / 1e6,
        }
        for name, compared_series in zip(FULL, series, strict=True)
    )
    return Part(
        (
            SensitivityTable(
                "Portfolios: trading profit, and what is left after the capital charge", PORTFOLIOS, compared
            ),
            SensitivityTable(
                "What each fold keeps of its training span",
                (
                    Column("fold", "fold", "count"),
                    *(Column(code, code, "text") for code in codes),
                    Column("kept", "kept", "count"),
                ),
                rows,
                folded=True,
            ),
        ),
        (_difference(series[1].values, series[0].values),),
    )


PORTFOLIOS = (
    Column("series", "portfolio", "text"),
    Column("sharpe", "Sharpe, after capital", "ratio"),
    Column("trading", "trading profit before capital, USD", "usd"),
    Column("net", "net after capital, USD", "usd"),
)


def kept_by(judged: JudgedRun, fold: Fold, labels: pd.DataFrame) -> dict[str, str]:
    """Return, by code, ``kept``, ``out`` or ``too little`` from the training labels of ``fold`` alone."""
    train = labels.iloc[fold.train]
    train = train[train["status"] == "traded"]
    plan, stats = judged.plan, judged.registration.stats
    first = plan.history_ns // NS_PER_DAY
    # Rounded up: a label may end within the day of start - gap.  Without history that lies before the first day.
    last = max(first, -((plan.gap_ns - fold.start_ns) // NS_PER_DAY))
    charge = daily_charge(judged.registration.params)
    words = None
    statuses = {}
    for sleeve in judged.run.sleeves:
        trades = train[train["constraint"] == sleeve.code]
        profit = _booked(trades, first, last)
        if not _enough(profit, dislocations(trades).get(sleeve.code, 0), plan, stats):
            statuses[sleeve.code] = "too little"
            continue
        # One set of words for all sleeves of a fold: they differ by their days and not by chance.
        if words is None:
            words = raw_words(len(profit), judged.draws, judged.streams(STREAM))
        series = series_of(Sleeve(sleeve.code, profit - charge[sleeve.code], profit, sleeve.capital_micro))
        drawn = sharpe_t(series.returns, blocks_of_words(words, series.length)) if series.length is not None else None
        interval = series.interval(drawn, Decimal(stats.level)) if drawn is not None else None
        statuses[sleeve.code] = "kept" if interval is not None and interval[0] > 0 else "out"
    return statuses


def _booked(trades: pd.DataFrame, first: int, last: int) -> IntArray:
    """Return the net profit resolved on each day ``first <= day < last``, micro-USD."""
    profit = np.zeros(last - first, dtype=np.int64)
    np.add.at(profit, trades["t1"].to_numpy() // NS_PER_DAY - first, trades["net_usd_micro"].to_numpy(dtype=np.int64))
    return profit


def _enough(profit: IntArray, count: int, plan: Plan, stats: Stats) -> bool:
    """Return whether a series with ``count`` dislocations meets the floor; its blocks are as long as a fold."""
    active = np.flatnonzero(profit)
    blocks = len(set((active * NS_PER_DAY // plan.fold_ns).tolist()))
    return len(active) >= stats.floor_days and count >= stats.floor_trades and blocks >= stats.floor_blocks


def _dropped_profit(judged: JudgedRun, kept: dict[int, dict[str, str]]) -> IntArray:
    """Return the accruals by day of test trades whose fold does not keep their sleeve, micro-USD.  [statistics R2.3]"""
    run = judged.run
    accruals = read_table(judged.folder / "accruals.parquet")
    joined = accruals.merge(run.trades[["signal_id", "fold"]], on="signal_id", how="inner", validate="m:1")
    # By the fold of the decision: its trades keep accruing in the next one.  [R2.3]
    out = [kept[fold][code] != "kept" for fold, code in zip(joined["fold"], joined["constraint"], strict=True)]
    gone = joined[np.array(out, dtype=np.bool_)]
    lost = np.zeros(run.n, dtype=np.int64)
    np.add.at(lost, gone["day"].to_numpy(dtype=np.int64) - run.day[0], gone["usd_micro"].to_numpy(dtype=np.int64))
    return lost


def _difference(pruned: Any, whole: Any) -> str:
    difference = sharpe_difference(pruned, whole, hac=True)
    if difference is None:
        return "The two portfolios cannot be compared: one of them has no variance, or they are the same."
    return (
        f"Difference of the annual ratios, pruned less all {COUNT_IN_WORDS}: {annual(difference.value):.2f}, "
        f"t {difference.t:.2f}, two-sided p {difference.p:.3f} (Ledoit and Wolf 2008, dependent days)."
    )
