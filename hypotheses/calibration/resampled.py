"""Cells on real market days, resampled, the signals' link to outcomes broken.  [statistics 10, docs/decisions/0233]

    real/NAME        the plan on each window of the real data; what every signal earns on every day of its window
    resampled/NAME   replication r: window r mod W, its days in circular blocks of five, its signals at random days

*Resampled*: whole days, all instruments together, in blocks of five consecutive days of the circle; the position on
which each signal is emitted, independent and uniform.  *Kept*: the real prices, costs and resolutions of every signal
on every day (`backtest.pipeline.placements`), its clock hour, instruments, direction and notional; how many signals
there are. So H0 of N2 and N3 holds but for the dependence of days; a constant charge sets the true Sharpe ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from backtest.pipeline.dataset import prepare_dataset
from backtest.pipeline.placements import Placements, admitted_signals
from backtest.pipeline.window import WindowRun
from backtest.records import Plan
from backtest.rundir.stages import HARNESS, WindowJob, run_stages
from engine.errors import MissingError
from engine.records import IntArray
from engine.units import NS_PER_DAY
from hypotheses import h1 as hypotheses_h1
from hypotheses.base import RunData
from hypotheses.calibration.base import Cell, CellColumns, Columns, Context, RowSpec, replication
from hypotheses.calibration.distributions import DAYS, FOLDS, drift
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.sleeves import window
from hypotheses.permutation_nulls import PlacedSignals
from hypotheses.records import Proportion

BLOCK_DAYS: Final = 5
MOST_SIGNALS: Final = 400
LASTS: Final = 3
"""Days on which a trade of at most 24 hours may accrue."""
LAW_DRAWS: Final = 400
LAW_START: Final = 50_000
RATIOS: Final = (0, 3, 5)
SHIFTS: Final = np.arange(4, 87, dtype=np.int64)
"""Whole days of N3: a resampled market has no price at other shifts."""
NONE: Final = Proportion(0, 1)


def profiles(run: WindowRun, placements: Placements, plan: Plan) -> IntArray:
    """Return what each signal would earn on each day of the window, ``[400, 90, 3]``: signal, day, days later.

    In micro-USD; rows beyond the last signal are zero.
    A placement with a leg without a quote earns nothing.  Raises ``MissingError`` for more than 400 signals.
    """
    signals = admitted_signals(run)
    if len(signals) > MOST_SIGNALS:
        raise MissingError(f"expected at most {MOST_SIGNALS} signals a window, was {len(signals)}: raise the threshold")
    number = {signal.signal_id: i for i, signal in enumerate(signals)}
    home = np.array([(signal.t_ns - plan.t0_ns) // NS_PER_DAY for signal in signals], dtype=np.int64)
    # Whole days only: a resampled market is made of whole days.
    placed = placements.placed[placements.placed["shift_ns"] % NS_PER_DAY == 0]
    which = placed["signal_id"].map(number).to_numpy(np.int64)
    target = (home[which] + placed["shift_ns"].to_numpy(np.int64) // NS_PER_DAY) % DAYS
    later = placed["day"].to_numpy(np.int64) - plan.t0_ns // NS_PER_DAY - target
    # One shape for every window, so that columns of several windows can be stacked.
    out = np.zeros((MOST_SIGNALS, DAYS, LASTS), dtype=np.int64)
    np.add.at(out, (which, target, later), placed["usd_micro"].to_numpy(np.int64))
    return out


def market_days(draw: Draw) -> IntArray:
    """Return the real day behind each position, shape ``[90]``: circular blocks of five days from uniform starts."""
    start = draw.below(DAYS, DAYS // BLOCK_DAYS)
    return ((start[:, None] + np.arange(BLOCK_DAYS)[None, :]) % DAYS).ravel()


def resample(profile: IntArray, signals: int, draw: Draw) -> PlacedSignals:
    """Return one resampled window of ``signals`` signals with all its whole-day placements.

    ``profile`` is that of `profiles`, shape ``[400, 90, 3]``.
    """
    day, slot = market_days(draw), draw.below(DAYS, signals)
    by_day = np.zeros((DAYS, DAYS, LASTS), dtype=np.int64)
    np.add.at(by_day, slot, profile[:signals][:, day])
    spread = np.zeros((DAYS, DAYS, DAYS), dtype=np.int64)  # [emitted on, placed on, accrues on]
    days = np.arange(DAYS)
    for later in range(LASTS):
        # days names each day once, so no cell is written twice and += needs no np.add.at
        spread[:, days, np.minimum(days + later, DAYS - 1)] += by_day[:, :, later]
    per_fold = DAYS // FOLDS
    place = (days // per_fold * per_fold)[:, None] + np.arange(per_fold)[None, :]
    shifted = np.stack([spread[days, (days + k) % DAYS].sum(axis=0) for k in SHIFTS])
    return PlacedSignals(
        spread[days, days].sum(axis=0), spread[days[:, None], place], SHIFTS * NS_PER_DAY, shifted, NONE, NONE
    )


def _real(name: str) -> Callable[[Context, int], CellColumns]:
    def replicate(context: Context, r: int) -> CellColumns:
        registration = context.markets[name]
        plan = registration.windows[r]
        dataset = prepare_dataset(registration, context.data, context.seeds, context.scratch, 1, None)
        job = run_stages(WindowJob(dataset, registration, plan, context.seeds), HARNESS)
        profile = profiles(job.finished_run, job.finished_placements, plan)
        count = len(admitted_signals(job.finished_run))
        first = LAW_START + LAW_DRAWS * r
        drawn = (Draw(context.seeds, "calibrate/resampled", first + k) for k in range(LAW_DRAWS))
        law = np.stack([resample(profile, count, draw).observed for draw in drawn])
        return {
            "profile": profile,
            "signals": np.array(count),
            "mean": np.array(profile.sum() / (DAYS * DAYS)),
            "sd": np.array(law.std()),
            "dataset": np.frombuffer(bytes.fromhex(dataset.dataset_hash), dtype=np.uint8),
        }

    return replicate


def _resampled(name: str) -> Callable[[Context, int], CellColumns]:
    def replicate(context: Context, r: int) -> CellColumns:
        windows = context.finished(f"real/{name}")
        window_columns = replication(windows, r % len(windows["signals"]))
        moves = resample(
            window_columns["profile"], int(window_columns["signals"]), Draw(context.seeds, "calibrate/resampled", r)
        )
        out: dict[str, float] = {}
        for ratio in RATIOS:
            charge = charge_of(window_columns, ratio)
            out |= {f"{ratio}/{key}": value for key, value in judge(context, moves, charge, ratio).items()}
        return out

    return replicate


def charge_of(window_columns: Columns, ratio: float) -> IntArray:
    """Return the charge a day, micro-USD ``[90]``, that leaves the signals of a window at random days the true ratio
    ``ratio``; ``window_columns`` are those of a cell ``real/NAME``.
    """
    micro = round(float(window_columns["mean"]) - drift(ratio) * float(window_columns["sd"]))
    return np.full(DAYS, micro, dtype=np.int64)


def judge(context: Context, moves: PlacedSignals, charge: IntArray, ratio: int) -> dict[str, float]:
    """Return which nulls of H1 reject on a resampled window, and whether its interval contains the true ``ratio``.

    ``charge`` is the capital charge of each day, shape ``[90]``, micro-USD.
    """
    none = np.zeros(DAYS, dtype=np.int64)
    data: RunData = window([moves.observed - charge, *[none] * 6], 30)
    # No grade is measured here: whole days were drawn, and not what stood open in them.
    h1 = hypotheses_h1.evaluate_placed(_with_profit(data, moves.observed), context.stats, context.streams, moves, None)
    return {
        "n1": h1.n1_rejects,
        "n2": h1.n2_rejects,
        "n3": h1.p_n3 is not None and h1.p_n3.under(context.stats.alpha),
        "supported": h1.registered,
        "covers": h1.ci is not None and h1.ci.low <= ratio <= h1.ci.high,
    }


def _with_profit(data: RunData, profit: IntArray) -> RunData:
    """Return ``data`` whose portfolio earned ``profit`` before its charge, which the nulls subtract again."""
    return replace(data, portfolio=replace(data.portfolio, profit=profit))


def _cells(name: str, title: str, windows: str) -> tuple[Cell, Cell]:
    rows = (
        RowSpec(f"N1 rejects, net mean zero, {title}", "0/n1"),
        RowSpec(f"N2 rejects, signals at random days, {title}", "0/n2", "n2_zero"),
        RowSpec(f"N3 rejects, signals at random days, {title}", "0/n3", "n3_zero"),
        RowSpec(f"H1 supported, net mean zero, {title}", "0/supported"),
        *(RowSpec(f"interval covers, true Sharpe ratio {ratio}, {title}", f"{ratio}/covers") for ratio in RATIOS),
        *(RowSpec(f"N1 rejects, true Sharpe ratio {ratio}, {title}", f"{ratio}/n1") for ratio in RATIOS[1:]),
    )
    return (
        Cell(
            f"real/{name}",
            "resampled",
            f"{title}: the windows",
            windows,
            1,
            _real(name),
            (),
            seal="pipeline",
            reads=(name,),
        ),
        Cell(
            f"resampled/{name}",
            "resampled",
            title,
            "resampled",
            50,
            _resampled(name),
            rows,
            seal="pipeline",
            source=f"real/{name}",
        ),
    )


RESAMPLED: Final = {
    "carry": "Binance hours of 2023-24, costs struck out",
    "btc": "Binance hours of early 2026, costs struck out",
}
"""The real markets by name, and what they are."""

CELLS: Final = (
    *_cells("carry", RESAMPLED["carry"], "windows"),
    *_cells("btc", RESAMPLED["btc"], "window"),
)
