"""The recorder: every feed of a plan into one recording, until it is asked to stop.  [live L1]

    recorder = Recorder(plan, recording, clocks, run_uid)
    await recorder.run(stop, on_tick)

One event loop receives; one thread writes (`disk_writer`); nothing else is shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from typing import Final

import aiohttp

from backtest.record.clocks import Clocks
from backtest.record.counts import BudgetWatch, RecorderCounts
from backtest.record.disk_writer import DiskWriter
from backtest.record.record_plan import GB, MB, RecordPlan
from backtest.record.recording import Recording
from backtest.record.venue_recorder import VenueRecorder
from engine.units import NS_PER_DAY, NS_PER_MS

TICK_S: Final = 1.0
"""A frame each second."""
CLOCK_STEP_NS: Final = 250 * NS_PER_MS
"""Change of wall minus monotonic clock in a second that is no slewing (500 ppm at most)."""
_STOP_S: Final = 30.0


class Recorder:
    """Records a plan; `run` may be called once."""

    def __init__(self, plan: RecordPlan, recording: Recording, clocks: Clocks) -> None:
        self.plan = plan
        self.writer = DiskWriter(recording, clocks)
        self.venues: list[VenueRecorder] = []
        self._recording, self._clocks = recording, clocks
        self._last_connection = 0
        self._offset_ns = clocks.wall_ns() - clocks.mono_ns()
        self._wall_ns = clocks.wall_ns()
        self._disk_state = "ok"
        self._budget = BudgetWatch(plan.budget, clocks.wall_ns())

    async def run(
        self, stop: asyncio.Event, started: dict[str, str], on_tick: Callable[[RecorderCounts], None]
    ) -> RecorderCounts:
        """Record until ``stop`` is set; ``started`` are the fields of the event ``start``.  Return the counts.

        Raises ``WriteError`` (5) if the disk refuses at the end, and what ended the writing thread.
        """
        off_ns, proof = self._since()
        self.writer.start()
        self.writer.log("start", **started)
        limit = int(float(self.plan.budget.queue_mb) * MB)
        reason = "asked to stop"
        try:
            async with aiohttp.ClientSession(headers={"User-Agent": "cme-record"}, auto_decompress=True) as session:
                self.venues = [
                    VenueRecorder(feed, session, self.writer, self._clocks, limit, self._next_connection)
                    for feed in self.plan.feeds
                ]
                for venue in self.venues:
                    venue.start(off_ns, proof)
                try:
                    await self._ticks(stop, on_tick)
                except BaseException as error:
                    reason = f"{type(error).__name__}: {error}"[:200]
                    raise
                finally:
                    await asyncio.gather(*(venue.stop(reason) for venue in self.venues), return_exceptions=True)
        finally:
            self.writer.log("stop", reason=reason)
            await asyncio.to_thread(self.writer.stop, _STOP_S)
        return self.counts()

    def counts(self) -> RecorderCounts:
        """Return what was received and written so far."""
        feeds = [feed for venue in self.venues for feed in venue.feeds]
        sums = [sum(column) for column in zip(*(feed.counts() for feed in feeds), strict=True)] or [0, 0, 0]
        broken = sum(feed.states.broken for feed in feeds)
        return RecorderCounts(
            feeds=len(feeds),
            connected=sum(any(link.opened.is_set() for link in feed.links) for feed in feeds),
            streams=sum(len(feed.streams) for feed in feeds),
            messages=sums[0],
            dropped=sums[1],
            message_bytes=sums[2],
            stored_bytes=self.writer.stored_bytes,
            acknowledged=self.writer.acknowledged,
            reconnects=sum(feed.reconnects for feed in feeds),
            streams_in_a_gap=broken,
            disk=self._disk_state,
        )

    def _since(self) -> tuple[int, str]:
        """Return since when nothing was recorded, and why that is known."""
        last_ns = self._recording.last_ns()
        if last_ns is None:
            now_ns = self._clocks.wall_ns()
            return now_ns // NS_PER_DAY * NS_PER_DAY, "the recording begins here"
        return last_ns, "no recorder was running after the last record of the feed that ended first"

    def _next_connection(self) -> int:
        """Return a number that no other connection of the recording has: the wall time, raised where needed."""
        self._last_connection = max(self._clocks.wall_ns(), self._last_connection + 1)
        return self._last_connection

    async def _ticks(self, stop: asyncio.Event, on_tick: Callable[[RecorderCounts], None]) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_S)
            self._look_at_the_clock()
            for venue in self.venues:
                venue.flush()
            self._look_at_the_disk()
            counts = self.counts()
            for kind, size, limit, reached_ns in self._budget.crossed(counts, self._clocks.wall_ns()):
                self.writer.log("budget", kind=kind, bytes=size, limit_bytes=limit, reached_ns=reached_ns)
            on_tick(counts)
            if self.writer.problem is not None:
                raise self.writer.problem

    def _look_at_the_clock(self) -> None:
        wall_ns, mono_ns = self._clocks.wall_ns(), self._clocks.mono_ns()
        step_ns = wall_ns - mono_ns - self._offset_ns
        self._offset_ns += step_ns
        if abs(step_ns) > CLOCK_STEP_NS:
            # The step came at some time after the last tick: the span holds every time that occurred twice or never.
            from_ns, to_ns = min(self._wall_ns, self._wall_ns + step_ns), max(wall_ns, wall_ns - step_ns)
            self.writer.log("clock_step", by_ns=step_ns, from_ns=from_ns, to_ns=to_ns)
            proof = f"the wall clock left the monotonic one by {step_ns} ns"
            for venue in self.venues:
                venue.clock_step(from_ns, to_ns, proof)
        self._wall_ns = wall_ns

    def _look_at_the_disk(self) -> None:
        free = shutil.disk_usage(self._recording.folder).free
        low = free < float(self.plan.budget.disk_free_gb) * GB
        state = "full" if self.writer.full else "low" if low else "ok"
        if state != self._disk_state:
            self._disk_state = state
            self.writer.log("disk", state=state, free_bytes=free)
