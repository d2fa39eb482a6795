"""One daily operation: seal what is over, judge it, publish; the order that `cme emit` keeps.  [live L2]"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backtest.data.format.dataset import Dataset
from backtest.live.day_chain import DayChain, read_days, restarted
from backtest.live.day_source import DaySource
from backtest.live.emit import EmitJob, Judged, judge
from backtest.live.emit_gate import EmitSeal, open_seal
from backtest.live.join import join_days, joined_before
from backtest.live.live_folder import HISTORY, LiveFolder
from backtest.live.seal import seal_day, starts_recording
from backtest.records import Registration
from backtest.tasks.progress import OnDayDone
from backtest.tasks.scheduler import Workers
from engine.errors import GateError
from engine.ledger.durable import make_folder
from engine.units import MICRO

SECONDS_PER_DAY: Final = 86_400
OnStage = Callable[[str], None]
"""Called with the name of each stage before it begins: seal, judge, publish."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What one daily operation works with.

    ``last_day`` is the last day to seal, yesterday (days since 1970-01-01); ``seal_of`` returns the seal of the
    registered window's ledger or raises as the gate does; ``seeds_hash`` is that of the plan's seeds.
    """

    live: LiveFolder
    registration: Registration
    source: DaySource
    last_day: int
    now_us: int
    seal_of: Callable[[], EmitSeal]
    seeds_hash: str | None
    workers: Workers = 1
    report: OnDayDone | None = None
    retained: frozenset[str] | None = None


def yesterday(now_us: int) -> int:
    """Return the last UTC day that is over at ``now_us``, days since 1970-01-01.

    >>> yesterday(86_400_000_000)
    0
    """
    return now_us // (SECONDS_PER_DAY * MICRO) - 1


def operate(operation: Operation, on_stage: OnStage = lambda _: None) -> tuple[DayChain, tuple[Judged, ...]]:
    """Return the sealed days and what was judged; a second operation on the same days appends nothing.

    Raises what sealing (21) and judging (gate, 40) raise; what was sealed before stays sealed.
    """
    live = operation.live
    with live.sole_writer():
        on_stage("seal")
        chain = seal_days(live, operation.source, operation.registration, operation.last_day, operation.now_us)
        if not chain.rows:
            return chain, ()
        on_stage("judge")
        job = EmitJob(
            live=live,
            registration=operation.registration,
            chain=chain,
            dataset=working_set(live, chain, operation.registration.data.name),
            history_seal=open_seal(operation.registration, operation.seeds_hash),
            seal_of=operation.seal_of,
            now_us=operation.now_us,
            workers=operation.workers,
            report=operation.report,
            retained=operation.retained,
        )
        return chain, judge(job)


def seal_days(
    live: LiveFolder, source: DaySource, registration: Registration, last_day: int, now_us: int, restart_of: str = ""
) -> DayChain:
    """Return the chain after every day up to ``last_day`` that the source can tell of, in order.

    Row 1 is the first day on which every feed was up for 95% of its minutes; earlier days are not sealed.
    """
    make_folder(live.days)
    chain, span = read_days(live.days), source.span()
    if span is None:
        return chain
    first = chain.days[-1] + 1 if chain.rows else span[0]
    for day in range(first, min(last_day, span[1]) + 1):
        sourced = source.read(day)
        if chain.rows or starts_recording(sourced):
            chain = seal_day(chain, source, sourced, registration.params.grid_ns, now_us,
                             restart_of or None if not chain.rows else None)  # fmt: skip
    return chain


def restart(live: LiveFolder, registration: Registration, frozen: bool) -> str:
    """Put the sealed days and the rehearsal ledger aside, to be made anew by a later converter; return the old head.

    Both heads are kept.  Raises ``GateError`` (21) after the freeze: from then on a sealed day is never opened again.
    """
    chain = read_days(live.days)
    if frozen:
        raise GateError(
            f"{live.days}: expected a study without a freeze, was a frozen one: its days are sealed for good",
            exit_code=21,
        )
    if not chain.rows:
        return ""
    ledger = live.ledger(registration.study + HISTORY).root
    if ledger.exists():
        ledger.rename(ledger.with_name(f"{ledger.name}-{chain.head.hash[:16]}"))
    restarted(chain)
    return chain.head.hash


def working_set(live: LiveFolder, chain: DayChain, name: str) -> Dataset:
    """Return the sealed days as one data set ``name``, joined where they were not yet or a file of it has changed.

    The sets of other chains are removed, and what a killed join left: ``live`` has one writer.
    """
    target = live.work / f"joined-{chain.head.hash[:16]}"
    for other in (*live.work.glob("joined-*"), *live.work.glob(".joined-*")):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
    known = joined_before(target, chain)
    if known is None:
        shutil.rmtree(target, ignore_errors=True)
        known = join_days(live.days, target, name, digests=False)
    return known
