"""Combinatorial purged cross-validation: nine paths, and the overfitting of the grid of z.  [statistics 2.5]

It trains on the future, so it is exploratory.  A path varies the one fitted number that changes daily profit: the
threshold of |z| of C5.  Capture enters the modelled EV only, and loadings stay those of the run's own folds.

    split   the threshold with the best Sharpe ratio of C5 over the days of the eight training folds, from the profit
            of the training labels that purge and embargo leave; at least the registered number of trades, ties to the
            larger, else the registered default  [R9.7]
    path    each fold takes the threshold of the path's split that tests it; C5 earns what the fold's trades at that
            threshold accrue; the other six sleeves are the run's own
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Any

import numpy as np

from backtest.folds.walk_forward import UNRESOLVED_NS, CombinatorialSplit, combinatorial, paths
from backtest.records import Plan
from backtest.results.metrics import sharpe
from backtest.results.returns import daily_charge
from engine.exact.sums import returns
from engine.params import Params
from engine.positions.base import Trade
from engine.records import IntArray
from hypotheses.base import RunData, Sleeve
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.overfit import overfitting
from hypotheses.sensitivity.thresholds import SLEEVE, AtThreshold, at_thresholds

PATHS = (
    Column("path", "path", "count"),
    Column("portfolio", "Sharpe, portfolio", "ratio"),
    Column("sleeve", "Sharpe, C5", "ratio"),
    Column("thresholds", "threshold of |z| by fold", "text"),
)
GRID = (
    Column("z", "threshold of |z|", "ratio"),
    Column("trades", "trades of C5", "count"),
    Column("net", "net, USD", "usd"),
    Column("sleeve", "Sharpe, C5", "ratio"),
    Column("chosen", "chosen in splits", "count"),
)


def build(judged: JudgedRun) -> Part:
    """Return the nine paths, the grid of thresholds, and the probability of overfitting."""
    run, plan, params = judged.run, judged.plan, judged.registration.params
    charge = daily_charge(params)[SLEEVE]
    if judged.data is None:
        return Part((), ("not computed: the data set is read again only when asked.",))
    by_threshold = at_thresholds(judged.data, judged.folder, params, plan)
    if not by_threshold:
        return Part((), ("not evaluable: no fold has an identified curve, so no threshold is chosen.",))
    chosen, splits = choices(by_threshold, run, plan, params)
    profit = {trial.z: by_fold(trial, run, plan) for trial in by_threshold}
    rows: list[dict[str, Any]] = []
    for number, path in enumerate(paths(splits, plan.folds)):
        thresholds = [chosen[split] for split in path]
        c5 = np.sum([profit[z][fold] for fold, z in enumerate(thresholds)], axis=0)
        rows.append(
            {
                "path": number,
                # The six other sleeves stay the run's own: only C5's profit is exchanged.
                "portfolio": _ratio(run.portfolio.x - _sleeve(run).profit + c5, run.portfolio.capital_micro),
                "sleeve": _ratio(c5 - charge, _sleeve(run).capital_micro),
                "thresholds": " ".join(f"{z:g}" for z in thresholds),
            }
        )
    grid = tuple(
        {
            "z": trial.z,
            "trades": sum(not trade.rejected for trade in trial.trades),
            "net": float(profit[trial.z].sum()) / 1e6,
            "sleeve": _ratio(profit[trial.z].sum(axis=0) - charge, _sleeve(run).capital_micro),
            "chosen": chosen.count(trial.z),
        }
        for trial in by_threshold
    )
    table = np.stack([profit[trial.z].sum(axis=0) - charge for trial in by_threshold], axis=1).astype(np.float64)
    pbo = overfitting(table, run.block)
    return Part(
        (
            SensitivityTable(f"Nine paths of {len(splits)} splits", PATHS, tuple(rows)),
            SensitivityTable("The grid of thresholds over the whole window", GRID, grid),
        ),
        (
            _spread([row["portfolio"] for row in rows]),
            _said(pbo.probability, pbo.combinations, pbo.undefined),
            "The paths share six sleeves and differ in C5's threshold only; they train on what lies ahead.",
        ),
    )


def choices(
    by_threshold: Sequence[AtThreshold], run: RunData, plan: Plan, params: Params
) -> tuple[list[float], tuple[CombinatorialSplit, ...]]:
    """Return the threshold each split chooses on its training labels, and the splits."""
    cuts = {trial.z: combinatorial(trial.t0_ns, _ends(trial), plan) for trial in by_threshold}
    splits = cuts[by_threshold[0].z]
    chosen = []
    for number, split in enumerate(splits):
        # The threshold is judged on the days that train: those of the test groups are what it is tried on.
        days = ~np.isin(run.block, split.groups)
        competing: list[tuple[Decimal, float]] = []
        for trial in by_threshold:
            train = [trial.trades[row] for row in cuts[trial.z][number].train.tolist()]
            x = accrued(train, run)[days] - daily_charge(params)[SLEEVE]
            ratio = sharpe(returns(x, Fraction(_sleeve(run).capital_micro)))
            if ratio is not None and sum(not trade.rejected for trade in train) >= params.z_min_trades:
                competing.append((ratio, trial.z))
        # Ties go to the larger threshold: pairs compare by ratio, then by z.  [R9.7]
        chosen.append(max(competing)[1] if competing else params.default_z)
    return chosen, splits


def accrued(trades: Sequence[Trade], run: RunData) -> IntArray:
    """Return the accruals of ``trades`` on each day of the window, micro-USD, shape (n,)."""
    out = np.zeros(run.n, dtype=np.int64)
    for trade in trades:
        for day, micro in trade.accruals.items():
            if run.day[0] <= day <= run.day[-1]:
                out[day - run.day[0]] += micro
    return out


def by_fold(trial: AtThreshold, run: RunData, plan: Plan) -> IntArray:
    """Return the accruals by day of the trades begun in each fold, micro-USD, shape (folds, n)."""
    fold = (trial.t0_ns - plan.t0_ns) // plan.fold_ns
    return np.stack(
        [accrued([t for t, f in zip(trial.trades, fold, strict=True) if f == j], run) for j in range(plan.folds)]
    )


def _ends(trial: AtThreshold) -> IntArray:
    ends = (UNRESOLVED_NS if trade.position.forced else trade.position.exit_ns for trade in trial.trades)
    return np.fromiter(ends, dtype=np.int64, count=len(trial.trades))


def _sleeve(run: RunData) -> Sleeve:
    return next(sleeve for sleeve in run.sleeves if sleeve.code == SLEEVE)


def _ratio(x: IntArray, capital_micro: int) -> float | None:
    ratio = sharpe(returns(x, Fraction(capital_micro)))
    return None if ratio is None else float(ratio)


def _spread(ratios: Sequence[float | None]) -> str:
    known = sorted(ratio for ratio in ratios if ratio is not None)
    if not known:
        return "No path has a Sharpe ratio."
    return f"Portfolio: least {known[0]:.2f}, median {median(known):.2f}, greatest {known[-1]:.2f} over the paths."


def _said(probability: float | None, halves: int, undefined: int) -> str:
    if probability is None:
        return (
            f"Probability of overfitting: not computable, each of {halves} halves leaves a threshold without a ratio."
        )
    return (
        f"Probability of backtest overfitting over the grid of |z|: {probability:.3f} "
        f"({halves - undefined} of {halves} halves; {undefined} leave a threshold without a Sharpe ratio)."
    )
