"""A window whose outcomes are not shown: every settled amount is that of a placement on another day.  [live L0.7]

The amounts of a signal are replaced before anything is written or fitted: by those of one placement on another day of
its fold, drawn from the stream ``blinded``.  What its own exit showed (reason, trigger, prices, funding, marks) is
removed; its exit time stays, since the re-arming of later signals shows it anyway.  Capture is 1, history holds no
trade, and no signal is priced at its own time, neither for the nulls nor for the delays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pandas as pd
import pyarrow as pa

from backtest.data.format.dataset import Dataset
from backtest.pipeline.blinded_fit import STREAM, drawn_one, thresholds_of_placements
from backtest.pipeline.emission import ChooseZ, emit_window
from backtest.pipeline.placements import (
    DELAYS_NS,
    Placements,
    admitted_signals,
    n2_shifts,
    place_and_touch,
    sorted_rows,
)
from backtest.pipeline.replays import PlansInForce, in_force_always
from backtest.pipeline.window import WindowRun, booked_run
from backtest.records import Plan, Registration
from backtest.seeds.streams import Seeds
from backtest.tasks.progress import OnDayDone
from backtest.tasks.scheduler import Workers
from engine.positions.base import Position, Trade
from engine.records import ExitReason

SIGNALS: Final = 0
"""The replicate of `STREAM` that draws for the signals of the window."""
Earned = Mapping[str, Mapping[int, int]]
"""What replaces the outcome of a signal, by its id: micro-USD by UTC day, days since 1970-01-01."""


def blinded_window(
    dataset: Dataset,
    registration: Registration,
    plan: Plan,
    seeds: Seeds,
    *,
    workers: Workers,
    report: OnDayDone | None,
    plans: PlansInForce = (),
    z_of: ChooseZ | None = None,
) -> tuple[WindowRun, Placements, pa.Table]:
    """Return the blinded run of a window, its placements and its table of `touch_depths`, the same for any workers.

    ``z_of`` gives the thresholds of the emitted ledger; without it they are fitted on outcomes of placements, and the
    ids are not those of the registered run.  Raises what `emit_window` raises.
    """
    emission = emit_window(
        dataset,
        plans or in_force_always(registration),
        plan,
        workers=workers,
        report=report,
        z_of=z_of or thresholds_of_placements(dataset, plan, seeds, workers),
    )
    run = booked_run(emission, dataset, registration, plan, plans)
    moved, touch = place_and_touch(dataset, run, workers, report, moved_only=True)
    shift = drawn_shifts(run, moved.unplaced, seeds)
    placed = moved.placed[moved.placed["shift_ns"] == moved.placed["signal_id"].map(shift)]
    earned: dict[str, dict[int, int]] = {name: {} for name in shift}
    for name, day, micro in placed[["signal_id", "day", "usd_micro"]].itertuples(index=False):
        earned[name][int(day)] = int(micro)
    return blinded(run, earned), own_times_replaced(moved, placed), touch


def drawn_shifts(run: WindowRun, unplaced: pd.DataFrame, seeds: Seeds) -> dict[str, int]:
    """Return, by id, the shift of the placement that replaces the outcome of each signal which margin admitted.

    One of those to the other days of its fold on which all its legs are quoted, all equally likely; a signal that has
    no such day is left out, and earns nothing.  ``unplaced`` lists (signal_id, shift_ns) without a quote.
    """
    signals = admitted_signals(run)
    # one word a signal, whatever its number of days: no draw depends on another
    words = seeds.generator(STREAM, SIGNALS).random_raw(len(signals)).tolist()
    lost: dict[str, set[int]] = {}
    for name, shift in unplaced[["signal_id", "shift_ns"]].itertuples(index=False):
        lost.setdefault(name, set()).add(int(shift))
    drawn = {}
    for signal, word in zip(signals, words, strict=True):
        days = [s for s in n2_shifts(signal.t_ns, run.plan).tolist() if s and s not in lost.get(signal.signal_id, ())]
        if days:
            drawn[signal.signal_id] = drawn_one(word, days)
    return drawn


def blinded(run: WindowRun, earned: Earned) -> WindowRun:
    """Return ``run`` with the amounts ``earned`` in the place of its own, without capture and without history."""
    ones = dict.fromkeys(run.registration.params.rules, 1.0)
    return replace(
        run,
        fitted=tuple(replace(fit, capture=ones) for fit in run.fitted),
        trades=tuple(_blinded(trade, earned.get(trade.position.signal.signal_id, {})) for trade in run.trades),
        history=(),
    )


def _blinded(trade: Trade, earned: Mapping[int, int]) -> Trade:
    days = {} if trade.rejected else {day: micro for day, micro in earned.items() if micro}
    net = sum(days.values())
    return replace(
        trade, position=_without_end(trade.position), gross=net, fees=0, slippage=0, funding=0, borrow=0, net=net,
        accruals=days, first_index={},
    )  # fmt: skip


def _without_end(position: Position) -> Position:
    """Return ``position`` as if it had ended at its entry prices, by its horizon, at the time at which it ended."""
    void = position.reason is ExitReason.VOID
    return replace(
        position,
        reason=ExitReason.VOID if void else ExitReason.HORIZON,
        exit=position.entry,
        exit_price=tuple(leg.mid for leg in position.entry),
        exit_usd=position.entry_usd,
        expired=(False,) * len(position.entry),
        gap=(False,) * len(position.entry),
        marks=(),
        funding=(),
        flags=(),
        trigger=None,
        known_after_ns=0,
        first_index=None,
    )


def own_times_replaced(moved: Placements, placed: pd.DataFrame) -> Placements:
    """Return ``moved`` with ``placed``, the rows drawn, where the signals' own times and delays would stand."""
    own = placed.assign(shift_ns=0)
    delays = [*((delay, False) for delay in DELAYS_NS), (0, True)]
    late = [own.drop(columns="shift_ns").assign(delay_ns=delay, at_trigger=at) for delay, at in delays]
    return Placements(
        sorted_rows(pd.concat([own, moved.placed], ignore_index=True)),
        moved.unplaced,
        sorted_rows(pd.concat(late, ignore_index=True)[list(moved.delayed.columns)]),
    )
