"""One call of the recorder: opens the recording, records until told to stop or a time has passed, and says how it went.

SIGTERM, SIGINT and SIGHUP end it in order: connections are closed, what waits is written, open files are committed to.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backtest.environment import ROOT
from backtest.record.clocks import Clocks
from backtest.record.counts import RecorderCounts
from backtest.record.record_plan import RecordPlan
from backtest.record.recorder import Recorder
from backtest.record.recording import open_recording
from backtest.record.service_notify import notify
from backtest.tasks.gc_tuning import collect_seldom
from engine.freeze import tree_hash

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class RecordSession:
    """How a call ended: its counts, the signal that ended it (0 for none), the head of the chain of segments."""

    counts: RecorderCounts
    signal: int
    segments: int
    head: str


def recorder_hash() -> str:
    """Return the tree hash of ``backtest/record``: recorded with each start, compared with nothing.  [live L1]"""
    return tree_hash(ROOT / "backtest" / "record")


def record(
    plan: RecordPlan, folder: Path, run_uid: str, clocks: Clocks, seconds: float | None,
    on_tick: Callable[[RecorderCounts], None],
) -> RecordSession:  # fmt: skip
    """Record ``plan`` into ``folder`` for ``seconds``, None for until a signal; ``on_tick`` is called each second.

    Raises ``AppendError`` (42) while another recorder writes there, ``WriteError`` (5) if the disk refuses at the end,
    ``DataError`` (4) for a damaged recording.
    """
    started = {
        "run_uid": run_uid, "plan": plan.name, "plan_sha256": plan.sha256, "recorder_sha256": recorder_hash(),
    }  # fmt: skip
    collect_seldom()
    with open_recording(folder, clocks.wall_ns) as recording:
        recorder = Recorder(plan, recording, clocks)
        counts, number = asyncio.run(_until(recorder, started, seconds, on_tick))
        recording.close_all(clocks.wall_ns())
        return RecordSession(counts, number, recording.head.size, recording.head.hash)


async def _until(
    recorder: Recorder, started: dict[str, str], seconds: float | None, on_tick: Callable[[RecorderCounts], None]
) -> tuple[RecorderCounts, int]:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    came: list[int] = []

    def end(number: int) -> None:
        came.append(number)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, end, number)
    if seconds is not None:
        loop.call_later(seconds, stop.set)

    def tick(counts: RecorderCounts) -> None:
        notify("WATCHDOG=1", f"STATUS={counts.messages} messages, {counts.dropped} dropped, disk {counts.disk}")
        on_tick(counts)

    notify("READY=1")
    try:
        return await recorder.run(stop, started, tick), came[0] if came else 0
    finally:
        notify("STOPPING=1")
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
