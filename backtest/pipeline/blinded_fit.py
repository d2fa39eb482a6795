"""Chooses the thresholds of C5 without reading an outcome: on what training trades earn on other days.  [live L0.7]

For a blinded run without an emitted ledger.  The candidate of a threshold is judged as a fit judges it, but each
training trade has the amounts of one placement on another day of its stretch of as many days as a fold has.  Training
trades that margin would refuse are not left out, since that needs the settlement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.format.dataset import Dataset
from backtest.folds.curve_study import CurveStudy, Trial
from backtest.folds.fit import choose_z
from backtest.pipeline.emission import ChooseZ
from backtest.pipeline.placements import PIECE_NS, place_piece
from backtest.pipeline.signal_ranks import anchor_signals
from backtest.pipeline.touch_depths import BookSide
from backtest.records import Plan, Registration
from backtest.results.metrics import sharpe
from backtest.results.returns import daily_table, sleeve_returns, utc_days
from backtest.seeds.streams import Seeds, index_below
from backtest.tasks.scheduler import Task, Workers, market_of, pool_of
from backtest.tasks.serialization import encode
from engine.params import CurveFit
from engine.positions.base import Position
from engine.records import ExitReason, IntArray
from engine.repricing.base import PlaceboEarnings
from engine.units import NS_PER_DAY

STREAM: Final = "blinded"
TRAINING: Final = 1
"""The replicate of `STREAM` that draws for training trades."""
Outcome = tuple[Mapping[int, int], bool]
"""What replaces the outcome of a training trade, micro-USD by UTC day; whether the trade is a resolved one."""
NO_BOOKS: Final[tuple[tuple[BookSide, ...], int]] = ((), 0)
"""Training trades are no signals of the window: no touch is read for them."""


def drawn_one(word: int, of: Sequence[int]) -> int:
    """Return the member of ``of`` that a raw 64-bit ``word`` draws, all equally likely; ``of`` has at least one."""
    return of[int(index_below(np.array([word], dtype=np.uint64), len(of))[0])]


def thresholds_of_placements(dataset: Dataset, plan: Plan, seeds: Seeds, workers: Workers) -> ChooseZ:
    """Return the function that chooses the threshold of a fold of ``plan`` on outcomes of placements."""
    known: dict[str, dict[tuple[str, Trial], list[Outcome]]] = {}

    def z_of(fold: int, studies: Sequence[CurveStudy], registration: Registration) -> float:
        name = registration.config_hash
        if name not in known:
            known[name] = _outcomes(dataset, registration, plan, studies, seeds, workers)
        outcomes = known[name]
        fits = {study.underlying: study.fits[fold] for study in studies if study.fits}

        def evaluate(trial: Mapping[str, CurveFit]) -> tuple[Decimal | None, int]:
            of_trial = [one for coin, fit in trial.items() for one in outcomes.get((coin, (fold, fit.z_threshold)), ())]
            return _ratio(of_trial, plan.history_ns, plan.cut_ns(fold), registration)

        return choose_z(fits, evaluate, registration.params)

    return z_of


def _ratio(
    outcomes: Sequence[Outcome], from_ns: int, cut_ns: int, registration: Registration
) -> tuple[Decimal | None, int]:
    """Return the net Sharpe ratio of C5's sleeve over [from, cut) under ``outcomes``, and the resolved trades."""
    days = utc_days(from_ns, cut_ns)
    rows = [
        {"constraint": "C5", "day": day, "usd_micro": micro}
        for earned, _ in outcomes
        for day, micro in earned.items()
        if days[0] <= day <= days[-1]
    ]
    accruals = pd.DataFrame(rows, columns=["constraint", "day", "usd_micro"]).astype(
        {"day": np.int64, "usd_micro": np.int64}
    )
    table = daily_table(accruals, days, registration.params, (), {}, {})
    return sharpe(sleeve_returns(table, registration.params, "C5")), sum(resolved for _, resolved in outcomes)


@dataclass(frozen=True, slots=True)
class _Moves:
    """The training trades of one underlying and their entries on other days; arrays of shape (entries,)."""

    underlying: str
    positions: tuple[tuple[Trial, Position], ...]
    position: IntArray  # number of the trade
    t_ns: IntArray  # the time to which it is moved


def _outcomes(
    dataset: Dataset, registration: Registration, plan: Plan, studies: Sequence[CurveStudy], seeds: Seeds,
    workers: Workers,
) -> dict[tuple[str, Trial], list[Outcome]]:  # fmt: skip
    """Return the outcomes that replace those of the training trades, by underlying and trial."""
    pool, market = pool_of(workers), market_of(dataset, registration)
    moves = [_moves(study, plan) for study in studies if study.positions]
    # the ranks of dated legs are looked up over history and window
    whole = replace(plan, t0_ns=plan.history_ns, folds=1, fold_ns=plan.t1_ns - plan.history_ns)
    anchors = [
        Task(
            anchor_signals,
            (encode(of.underlying), encode(whole), encode(tuple(p.signal for _, p in of.positions))),
            0,
        )
        for of in moves
    ]
    sources = pool.results(market, anchors, None)
    tasks, places = [], []
    for number, (of, source) in enumerate(zip(moves, sources, strict=True)):
        shared = encode((of.underlying, plan.t1_ns, source))
        for from_ns in range(plan.history_ns, plan.t1_ns, PIECE_NS):
            which = np.flatnonzero((of.t_ns >= from_ns) & (of.t_ns < from_ns + PIECE_NS))
            none = np.zeros(len(which), dtype=np.int64)
            entries = (of.position[which], of.t_ns[which], none, none.astype(np.bool_))
            span = (from_ns, min(from_ns + PIECE_NS, plan.t1_ns))
            tasks.append(Task(place_piece, (shared, encode(entries), encode(NO_BOOKS), encode(span)), 0))
            places.append((number, which))
    priced: list[dict[int, dict[int, int]]] = [{} for _ in moves]
    for (number, which), (earnings, _) in zip(places, pool.results(market, tasks, None), strict=True):
        priced[number] |= _by_entry(which, earnings)
    words = iter(seeds.generator(STREAM, TRAINING).random_raw(sum(len(of.positions) for of in moves)).tolist())
    outcomes: dict[tuple[str, Trial], list[Outcome]] = {}
    for of, earned in zip(moves, priced, strict=True):
        for number, (trial, position) in enumerate(of.positions):
            word = next(words)
            days = [entry for entry in np.flatnonzero(of.position == number).tolist() if entry in earned]
            drawn = earned[drawn_one(word, days)] if days else {}
            resolved = position.reason is not ExitReason.VOID and not position.forced
            outcomes.setdefault((of.underlying, trial), []).append((drawn if resolved else {}, resolved))
    return outcomes


def _moves(study: CurveStudy, plan: Plan) -> _Moves:
    positions = tuple((trial, p) for trial in sorted(study.positions) for p in study.positions[trial])
    moved = [list(_other_days(p.signal.t_ns, plan, plan.cut_ns(fold))) for (fold, _), p in positions]
    return _Moves(
        study.underlying,
        positions,
        np.repeat(np.arange(len(positions), dtype=np.int64), [len(days) for days in moved]),
        np.array([t_ns for days in moved for t_ns in days], dtype=np.int64),
    )


def _other_days(t_ns: int, plan: Plan, cut_ns: int) -> Iterator[int]:
    """Yield the same time on the other days of the stretch of ``t_ns`` that lie in training, ascending."""
    into = (t_ns - plan.t0_ns) % plan.fold_ns // NS_PER_DAY
    for day in range(plan.fold_ns // NS_PER_DAY):
        other = t_ns + (day - into) * NS_PER_DAY
        if day != into and plan.history_ns <= other < cut_ns:
            yield other


def _by_entry(which: IntArray, earnings: PlaceboEarnings) -> dict[int, dict[int, int]]:
    """Return what each entry earned by day; one that could not be priced is left out."""
    lost = set(earnings.missing.tolist())
    earned: dict[int, dict[int, int]] = {int(which[n]): {} for n in range(len(which)) if n not in lost}
    for row, day, micro in zip(earnings.row.tolist(), earnings.day.tolist(), earnings.usd_micro.tolist(), strict=True):
        earned[int(which[row])][day] = micro
    return earned
