"""The engine over history and window, one chain of tasks an (underlying, span), on as many workers as wanted.  [S8.5]

A chain is cut into segments of days, each starting from the state the one before ended with, so that a run which is
killed loses a segment and no more; where it is cut cannot matter (`engine.replay`).  History and window are separate
replays: the window starts flat.  [statistics R1.8]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.panels.multi_day import multi_day_panels
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import fees_in_force, registered_panels
from backtest.records import Plan, Registration
from backtest.tasks import scheduler
from backtest.tasks.progress import OnDayDone, watched
from backtest.tasks.scheduler import OnStep, Workers, market_of, pool_of
from backtest.tasks.serialization import encode
from engine.ledger.identify import identify_by_provenance
from engine.market.curve import days_between
from engine.market.multi_day import MultiDayPanel
from engine.params import Fitted, Params
from engine.records import CurveHistory, Panel
from engine.replay import Replay, ReplayState, replay, start
from engine.units import NS_PER_DAY

SEGMENT_NS = 30 * NS_PER_DAY
"""Long against the day that each segment reads twice, short against what one likes to lose."""
HISTORY = -1
"""The fold of signals before the window: they train, they are never tested."""


PlansInForce = tuple[tuple[int, Registration], ...]
"""(from_ns, registration), ascending: each plan is in force from its time on, the first from the beginning."""


def in_force_always(registration: Registration) -> PlansInForce:
    """Return ``registration`` as the only plan."""
    return ((0, registration),)


def plan_at(plans: PlansInForce, t_ns: int) -> Registration:
    """Return the registration in force at ``t_ns``; the first before it begins."""
    return [plan for number, (from_ns, plan) in enumerate(plans) if not number or from_ns <= t_ns][-1]


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """One replay: which underlying, from when to when, with which fits, starting from which curves.

    Unless it ``closes``, positions that are open at its end stay open.
    """

    underlying: str
    from_ns: int
    to_ns: int
    fitted: tuple[Fitted, ...]  # ascending; each in force on [from_ns, to_ns)
    curves: CurveHistory
    closes: bool = True


def run_tasks(
    dataset: Dataset,
    registration: Registration,
    tasks: Sequence[ReplayTask],
    workers: Workers,
    report: OnDayDone | None,
    plans: PlansInForce = (),
) -> tuple[Replay, ...]:
    """Return one replay a task, in the order of ``tasks``; where there are ``plans``, each day under its own."""
    pool, plans = pool_of(workers), plans or in_force_always(registration)
    markets = {plan.config_hash: market_of(dataset, plan) for _, plan in plans}
    total = sum((task.to_ns - task.from_ns) // NS_PER_DAY for task in tasks)
    fits = [encode(task.fitted) for task in tasks]
    states = [start(task.curves) for task in tasks]
    parts: list[list[Replay]] = [[] for _ in tasks]
    with watched(total, report) as folder:
        # Round by round: a segment starts from the state in which the one before it ended.
        for cuts in zip_longest(*(_segments(task, plans) for task in tasks)):
            going: dict[str, list[int]] = {}
            for n, cut in enumerate(cuts):
                if cut is not None:
                    going.setdefault(plan_at(plans, cut[0]).config_hash, []).append(n)
            for plan_name, numbers in going.items():
                jobs = [_job(tasks[n], cuts[n], fits[n], states[n]) for n in numbers]
                for n, done in zip(numbers, pool.results(markets[plan_name], jobs, folder), strict=True):
                    parts[n].append(done)
                    states[n] = done.state
    return tuple(map(_joined, parts, states))


def _segments(task: ReplayTask, plans: PlansInForce) -> list[tuple[int, int]]:
    """Return the spans of ``task``, cut where another plan begins, too; empty for an empty span."""
    changes = (from_ns for from_ns, _ in plans[1:] if task.from_ns < from_ns < task.to_ns)
    edges = sorted({*range(task.from_ns, task.to_ns, SEGMENT_NS), *changes, task.to_ns})
    return list(pairwise(edges))


def _job(task: ReplayTask, cut: tuple[int, int], fitted: bytes, state: ReplayState) -> scheduler.Task:
    from_ns, to_ns = cut
    # Fits and span are encoded apart, so that the fits of a task are encoded once for all its segments.
    span = encode((task.underlying, from_ns, to_ns, task.closes and to_ns == task.to_ns))
    return scheduler.Task(replay_segment, (span, fitted, encode(state)), (to_ns - from_ns) // NS_PER_DAY)


def _joined(parts: Sequence[Replay], state: ReplayState) -> Replay:
    """Return the replay of which ``parts`` are consecutive segments, none for an empty span; it ends in ``state``."""
    return Replay(
        blocks=tuple(block for part in parts for block in part.blocks),
        forced=tuple(position for part in parts for position in part.forced),
        state=state,
    )


def replay_segment(
    dataset: Dataset,
    registration: Registration,
    on_step: OnStep,
    span: tuple[str, int, int, bool],
    fitted: tuple[Fitted, ...],
    state: ReplayState,
) -> Replay:
    """Return the replay of (underlying, from, to) from ``state`` on; the last segment of a span closes what is open."""
    underlying, from_ns, to_ns, last = span
    params = registration.params
    panels = registered_panels(dataset, params, underlying, from_ns, to_ns)
    return replay(
        join_days(panels, params),
        params,
        state,
        lambda t_ns: in_force(fitted, t_ns),
        lambda t_ns: fold_at(fitted, t_ns),
        identify_by_provenance(dataset.instruments, params, registration.judging_hash),
        lambda _block: on_step(),
        end_ns=to_ns if last else None,
    )


def join_days(panels: Iterable[Panel], params: Params) -> Iterator[Panel | MultiDayPanel]:
    """Return ``panels`` in order, neighbouring days of the same fees as one where a day is few rows."""
    fees_at = fees_in_force(params)
    return multi_day_panels(panels, lambda panel: fees_at(int(panel.times_ns[0])))


def in_force(fitted: Sequence[Fitted], t_ns: int) -> Fitted | None:
    """Return the fit that covers ``t_ns``; before the first, the first: history is training, and only training."""
    # right: a fit is in force from its own first nanosecond on.
    place = int(np.searchsorted([fit.from_ns for fit in fitted], t_ns, side="right")) - 1
    return fitted[max(place, 0)] if fitted else None


def fold_at(fitted: Sequence[Fitted], t_ns: int) -> int:
    """Return the fold of ``t_ns``, `HISTORY` before the first."""
    fit = in_force(fitted, t_ns)
    return HISTORY if fit is None or t_ns < fit.from_ns else fit.fold


def tasks_of(
    plan: Plan, params: Params, fitted: tuple[Fitted, ...], curves: Mapping[str, CurveHistory]
) -> tuple[ReplayTask, ...]:
    """Return the replays of one window: for each underlying its history, then its window with the curves before it."""
    tasks = []
    for underlying in params.underlyings:
        tasks.append(ReplayTask(underlying, plan.history_ns, plan.t0_ns, fitted, empty_history(params, underlying)))
        # Only curves of days before the window: the replay adds each day's own as it passes.
        before = days_between(curves[underlying], 0, plan.t0_ns // NS_PER_DAY - 1)
        tasks.append(ReplayTask(underlying, plan.t0_ns, plan.t1_ns, fitted, before))
    return tuple(tasks)
