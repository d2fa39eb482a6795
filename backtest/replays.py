"""The engine over history and window, one task an (underlying, span), on as many workers as wanted.  [S8.5]

A task depends on its arguments only and results are put back in the order of the tasks, so the number of workers
cannot matter.  History and window are separate replays: the window starts flat.  [statistics R1.8]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from backtest.curves import empty_history
from backtest.data.dataset import open_dataset
from backtest.progress import Report, step, watched
from backtest.records import Plan
from engine.curve import days_between
from engine.ledger.identify import identify_by_provenance
from engine.params import Fitted, Params
from engine.records import CurveHistory
from engine.replay import Replay, replay, start
from engine.units import NS_PER_DAY

HISTORY = -1
"""The fold of signals before the window: they train, they are never tested."""


@dataclass(frozen=True, slots=True)
class Task:
    """One replay: which underlying, from when to when, with which fits, starting from which curves."""

    underlying: str
    from_ns: int
    to_ns: int
    fitted: tuple[Fitted, ...]  # ascending; each in force on [from_ns, to_ns)
    curves: CurveHistory


def run_tasks(
    path: Path, params: Params, config_hash: str, tasks: Sequence[Task], workers: int, report: Report | None
) -> tuple[Replay, ...]:
    """Return one replay a task, in the order of ``tasks``, of the data set at ``path``."""
    total = sum((task.to_ns - task.from_ns) // NS_PER_DAY for task in tasks)
    with watched(total, report) as folder:
        jobs = (
            delayed(_run)(path, params, config_hash, task, folder / str(number) if folder else None)
            for number, task in enumerate(tasks)
        )
        return tuple(Parallel(n_jobs=workers)(jobs))


def _run(path: Path, params: Params, config_hash: str, task: Task, progress: Path | None) -> Replay:
    dataset = open_dataset(path)
    registered = params.underlyings[task.underlying].curve
    panels = dataset.panels(
        task.underlying,
        task.from_ns,
        task.to_ns,
        funding_average_ns=registered.perp_average_ns if registered else None,
    )
    return replay(
        panels,
        params,
        start(task.curves),
        lambda t_ns: in_force(task.fitted, t_ns),
        lambda t_ns: fold_at(task.fitted, t_ns),
        identify_by_provenance(dataset.instruments, params, config_hash),
        lambda _block: step(progress),
        end_ns=task.to_ns,
    )


def in_force(fitted: Sequence[Fitted], t_ns: int) -> Fitted | None:
    """Return the fit that covers ``t_ns``; before the first, the first: history is training, and only training."""
    at = int(np.searchsorted([fit.from_ns for fit in fitted], t_ns, side="right")) - 1
    return fitted[max(at, 0)] if fitted else None


def fold_at(fitted: Sequence[Fitted], t_ns: int) -> int:
    """Return the fold of ``t_ns``, `HISTORY` before the first."""
    fit = in_force(fitted, t_ns)
    return HISTORY if fit is None or t_ns < fit.from_ns else fit.fold


def tasks_of(
    plan: Plan, params: Params, fitted: tuple[Fitted, ...], curves: Mapping[str, CurveHistory]
) -> tuple[Task, ...]:
    """Return the replays of one window: for each underlying its history, then its window with the curves before it."""
    tasks = []
    for underlying in params.underlyings:
        tasks.append(Task(underlying, plan.history_ns, plan.t0_ns, fitted, empty_history(params, underlying)))
        before = days_between(curves[underlying], 0, plan.t0_ns // NS_PER_DAY - 1)
        tasks.append(Task(underlying, plan.t0_ns, plan.t1_ns, fitted, before))
    return tuple(tasks)
