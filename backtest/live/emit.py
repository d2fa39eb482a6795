"""Judges the sealed days of a live folder and appends what they emit: `cme emit` after its sealing.  [live L2.2]

    days before the window  ->  ledgers/<study>-history   rehearsed: no fold is fitted, read by no verdict
    days of the window      ->  ledgers/<study>           with the fits a run makes; under its gate where registered

The replay goes from the start to the last sealed day each time.  What it finds for days that were judged already must
be what the ledger holds, else nothing is appended (40).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from backtest.data.format.dataset import Dataset
from backtest.live.day_chain import DayChain, date_text, day_number
from backtest.live.emit_gate import EmitSeal, check_descent
from backtest.live.emit_ledger import (
    OnRecord,
    append_plan,
    contents_of,
    genesis_of_ledger,
    last_judged,
    on_record,
    opened,
    publish,
    set_judged,
)
from backtest.live.emit_progress import progress_of, write_progress
from backtest.live.live_folder import HISTORY, SHADOW, LedgerFolder, LiveFolder
from backtest.live.plans_on_record import plans_in_force
from backtest.pipeline.emission import Emission, emit_window
from backtest.pipeline.replays import PlansInForce, in_force_always, plan_at
from backtest.records import Plan, Registration
from backtest.tasks.progress import OnDayDone
from backtest.tasks.scheduler import Workers
from engine.errors import AppendError, GateError, UsageError
from engine.ledger.identify import provenance_of
from engine.ledger.provenance import signal_record
from engine.positions.base import Signal
from engine.units import NS_PER_DAY, NS_PER_US

SHOWN: Final = 10
"""Most ids of each set that a refusal names."""
_US_PER_DAY: Final = NS_PER_DAY // NS_PER_US


@dataclass(frozen=True, slots=True)
class Judged:
    """What one emission did to one ledger: days judged anew, rows appended, and the ledger after it."""

    study: str
    ledger_id: str
    days: tuple[str, ...]
    appended: int
    rows: int
    root: str


@dataclass(frozen=True, slots=True)
class EmitJob:
    """What an emission works with; ``seal_of`` returns the seal of the window's ledger, or raises as its gate does.

    ``retained`` are the names of the constraints that H3 kept; None emits all into the one ledger.
    """

    live: LiveFolder
    registration: Registration
    chain: DayChain
    dataset: Dataset
    history_seal: EmitSeal
    seal_of: Callable[[], EmitSeal]
    now_us: int
    workers: Workers = 1
    report: OnDayDone | None = None
    retained: frozenset[str] | None = None


def plan_of_recording(registration: Registration, first_day: int) -> Plan:
    """Return the window of ``registration``, counted from the first sealed day where it has no dates yet.

    Raises ``UsageError`` (2) for a plan of several windows.
    """
    if len(registration.windows) != 1:
        raise UsageError(
            f"{registration.path}: expected one window, which is emitted day by day, was {len(registration.windows)}"
        )
    plan = registration.plan
    if registration.dated:
        return plan
    shift = first_day * NS_PER_DAY
    return replace(plan, t0_ns=plan.t0_ns + shift, t1_ns=plan.t1_ns + shift, history_ns=plan.history_ns + shift)


def judge(job: EmitJob) -> tuple[Judged, ...]:
    """Judge the sealed days into their ledgers and return what was done, history first.

    Raises ``AppendError`` (40) with both sets where the ids of earlier days differ, and what the gate raises; then
    nothing is appended to that ledger.
    """
    plan = plan_of_recording(job.registration, job.chain.days[0])
    if plan.history_ns // NS_PER_DAY > job.chain.days[0]:
        raise GateError(
            f"{job.live.days}: expected the recording to begin on {date_text(plan.history_ns // NS_PER_DAY)}, the "
            f"first day of the plan, was {job.chain.rows[0]['day']}",
            exit_code=26,
        )
    end_ns = (job.chain.days[-1] + 1) * NS_PER_DAY
    done = []
    study = job.registration.study
    history = job.live.ledger(study + HISTORY)
    if plan.history_ns < plan.t0_ns and _unjudged(history, min(end_ns, plan.t0_ns)):
        done.append(_judge_span(job, history, job.history_seal, plan, plan.history_ns, min(end_ns, plan.t0_ns)))
    if end_ns > plan.t0_ns:
        seal, main = job.seal_of(), job.live.ledger(study)
        to_ns = min(end_ns, plan.t1_ns)
        done.append(_judge_span(job, main, seal, plan, plan.t0_ns, to_ns, dropped=False))
        if job.retained is not None:
            shadow = job.live.ledger(study + SHADOW)
            done.append(_judge_span(job, shadow, seal, plan, plan.t0_ns, to_ns, dropped=True))
    return tuple(done)


def _unjudged(folder: LedgerFolder, to_ns: int) -> bool:
    """Return whether a day before ``to_ns`` is to be judged; a history that is whole is not replayed every day."""
    judged = last_judged(folder)
    return judged is None or (day_number(judged) + 1) * NS_PER_DAY < to_ns


def _judge_span(
    job: EmitJob, folder: LedgerFolder, seal: EmitSeal, plan: Plan, from_ns: int, to_ns: int,
    dropped: bool | None = None,
) -> Judged:  # fmt: skip
    """Judge [from, to) into one ledger; ``dropped`` says which constraints, None all."""
    known = on_record(folder, "signal")
    first_us = _first_unjudged_us(folder, known, from_ns)
    plans = in_force_always(job.registration)
    amended = False
    if known is not None:
        check_descent(job.live, job.registration, known.state.in_force, seal)
        amended = known.state.in_force["config_hash"] != seal.config_hash
        rows = [*known.state.plans]
        if amended:
            rows.append({"from_us": first_us, "config_hash": seal.config_hash})
        plans = plans_in_force(job.registration, known.state.genesis, rows)
    emission = emit_window(
        job.dataset, plans, plan, workers=job.workers, report=job.report, until_ns=to_ns,
        with_history=from_ns < plan.t0_ns,
    )  # fmt: skip
    records = [
        record
        for record in records_of(emission, job.dataset, plans, history=from_ns < plan.t0_ns)
        if job.retained is None or dropped is None or _is_dropped(record, job.retained) == dropped
    ]
    if known is not None:
        _require_same(folder, known, records, first_us)
    in_span = emission.history if from_ns < plan.t0_ns else emission.window
    progress = progress_of(
        (block for done in in_span for block in done.blocks),
        emission.history_signals if from_ns < plan.t0_ns else emission.signals,
        plans[-1][1].params,
        to_ns,
    )
    return _appended(job, folder, seal, records, progress, first_us if amended else None, from_ns, to_ns)


def _is_dropped(record: Mapping[str, Any], retained: frozenset[str]) -> bool:
    return record["provenance"]["constraint"] not in retained


def records_of(
    emission: Emission, dataset: Dataset, plans: PlansInForce, history: bool = False
) -> list[dict[str, Any]]:
    """Return the ``signal/1`` record of each signal of the window (or the history), each under its own plan.

    ``ev_usd`` is null: capture is fitted on outcomes, which nobody has seen.  [live L0.6]
    """
    signals = emission.history_signals if history else emission.signals
    return [_record(signal, dataset, plan_at(plans, signal.t_ns)) for signal in signals]


def _record(signal: Signal, dataset: Dataset, plan: Registration) -> dict[str, Any]:
    # its id was made from the instruments of its day: a later change of an interval leaves it alone
    instruments = dataset.instruments_on(signal.t_ns // NS_PER_DAY)
    return signal_record(signal, provenance_of(signal, instruments, plan.params, plan.judging_hash))


def _first_unjudged_us(folder: LedgerFolder, known: OnRecord | None, from_ns: int) -> int:
    """Return the start of the first day that was not judged: no signal of it is on record."""
    judged = last_judged(folder)
    day = from_ns // NS_PER_DAY if judged is None else day_number(judged) + 1
    if known is not None:
        # a kill may have come between the append and the note that the day is judged
        last_us = max((record["provenance"]["as_of_us"] for record in known.contents.values()), default=-1)
        day = max(day, last_us // _US_PER_DAY + 1)
    return max(day * _US_PER_DAY, from_ns // NS_PER_US)


def _require_same(folder: LedgerFolder, known: OnRecord, records: Sequence[Mapping[str, Any]], first_us: int) -> None:
    """Raise ``AppendError`` (40) unless the replay has the signals on record, and no other of the days judged."""
    replayed = contents_of([record for record in records if record["provenance"]["as_of_us"] < first_us])
    missing = [name for name in known.contents if name not in replayed]
    extra = [name for name in replayed if name not in known.contents]
    other = [name for name, record in replayed.items() if name in known.contents and record != known.contents[name]]
    if missing or extra or other:
        raise AppendError(
            f"{folder.export}: expected the {len(known.contents)} signals on record of the days judged before, was "
            f"{len(replayed)} signals: on record alone {_named(missing)}; in the replay alone {_named(extra)}; with "
            f"another result {_named(other)}; nothing was appended: find which day, plan or code changed",
            exit_code=40,
        )


def _named(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "") or "none"


def _appended(
    job: EmitJob, folder: LedgerFolder, seal: EmitSeal, records: Sequence[Mapping[str, Any]],
    progress: Mapping[str, Any], plan_us: int | None, from_ns: int, to_ns: int,
) -> Judged:  # fmt: skip
    """Append what is new, day by day, and publish; return what was done."""
    judged = last_judged(folder)
    first = from_ns // NS_PER_DAY if judged is None else day_number(judged) + 1
    days = [date_text(day) for day in range(first, to_ns // NS_PER_DAY)]
    genesis = _genesis(folder, seal, job.now_us)
    appended = 0
    with opened(folder, genesis, job.now_us) as store:
        if plan_us is not None:
            append_plan(store, seal, plan_us, job.now_us)
        for batch in _by_day(records):
            receipt = store.append("signal", batch, recorded_at_us=job.now_us)
            appended += sum(outcome == "inserted" for _, outcome in receipt.outcomes)
        checkpoint = publish(folder, store)
    write_progress(folder, progress)
    # last: a kill before it makes the next emission publish again
    if days:
        set_judged(folder, days[-1], job.chain.head.hash)
    return Judged(folder.name, checkpoint.ledger_id, tuple(days), appended, checkpoint.size, checkpoint.root.hex())


def _genesis(folder: LedgerFolder, seal: EmitSeal, now_us: int) -> Mapping[str, Any]:
    known = on_record(folder, "signal")
    return genesis_of_ledger(folder, seal, now_us) if known is None else known.state.in_force


def _by_day(records: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    days: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        days.setdefault(record["provenance"]["as_of_us"] // _US_PER_DAY, []).append(record)
    return [days[day] for day in sorted(days)]
