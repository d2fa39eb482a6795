"""Records a loopback venue in this process, and reads back what the recording says."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backtest.data.raw.control_log import ControlEvent, read_all_control
from backtest.data.raw.gap_ledger import GapRow, gap_rows
from backtest.data.raw.segments import RawRecord, RecordKind, read_records, segments_of
from backtest.record.clocks import SYSTEM, Clocks
from backtest.record.counts import RecorderCounts
from backtest.record.record_plan import Budget, ContractChain, FeedTable, PlannedFeed, RecordPlan
from backtest.record.recorder import Recorder
from backtest.record.recording import open_recording
from backtest.record.venue_file import FeedFile, with_addresses
from backtest.toml_tables import read_table

FEEDS = Path(__file__).resolve().parents[3] / "configs" / "venues" / "feeds"
BUDGET = Budget(stored_gb_a_day="1", message_gb_a_day="1", disk_free_gb="0.001", queue_mb="16")
STARTED = {"run_uid": "u", "plan": "test", "plan_sha256": "0" * 64, "recorder_sha256": "0" * 64}


def feed_file(name: str, url: str, **limits: int) -> FeedFile:
    """The venue's own file, at the address of a loopback venue, with other limits."""
    table = tomllib.loads((FEEDS / f"{name}.toml").read_text("utf-8"))
    table["limits"].update(limits)
    return with_addresses(read_table(FeedFile, table), {name: url})


def plan_of(
    file: FeedFile, symbols: list[str], streams: list[str], chains: tuple[ContractChain, ...] = (), **budget: str
) -> RecordPlan:
    """A plan of one venue."""
    names = [f"{file.venue}:{symbol}{file.symbol_suffix}" for symbol in symbols]
    table = FeedTable(venue_file="x", instruments=names, streams=streams, chains=list(chains))
    return RecordPlan("test", "0" * 64, BUDGET.model_copy(update=budget), (PlannedFeed(file, table),))


def record(
    folder: Path, plan: RecordPlan, until: Callable[[Recorder], bool], clocks: Clocks = SYSTEM, seconds: float = 20.0
) -> RecorderCounts:
    """Record ``plan`` until a condition holds; fail after ``seconds``."""

    async def run(recorder: Recorder) -> RecorderCounts:
        stop = asyncio.Event()
        running = asyncio.create_task(recorder.run(stop, STARTED, lambda _: None))
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not running.done() and not until(recorder):
            assert loop.time() < end, "the condition did not come about"
            await asyncio.sleep(0.02)
        stop.set()
        return await running

    with open_recording(folder, clocks.wall_ns) as recording:
        return asyncio.run(run(Recorder(plan, recording, clocks)))


def events(folder: Path, *names: str) -> list[ControlEvent]:
    return [event for event in read_all_control(folder) if not names or event.event in names]


def gaps(folder: Path) -> list[GapRow]:
    """The gaps of a recording but for the times before it began and after it ended."""
    rows = gap_rows(read_all_control(folder))
    return [row for row in rows if row.why != "off" and not row.proof.endswith("asked to stop")]


def received(folder: Path) -> list[list[RawRecord]]:
    """The messages of each socket connection in the order of opening, as recorded."""
    found: dict[int, list[RawRecord]] = {}
    for segment in segments_of(folder):
        if not segment.feed.endswith("-rest"):
            for item in read_records(segment.path):
                found.setdefault(item.connection, []).append(item)
    return [[r for r in found[number] if r.kind <= RecordKind.BINARY] for number in sorted(found)]


@contextmanager
def stepping(at_call: int, by_ns: int) -> Iterator[Clocks]:
    """Clocks whose wall clock steps by ``by_ns`` at the given call."""
    calls = [0]

    def wall_ns() -> int:
        calls[0] += 1
        return SYSTEM.wall_ns() + (by_ns if calls[0] > at_call else 0)

    yield Clocks(wall_ns, SYSTEM.mono_ns)


def fields(found: list[ControlEvent]) -> list[dict[str, Any]]:
    return [dict(event.fields) for event in found]
