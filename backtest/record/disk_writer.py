"""The thread behind the queue: frames, sequence checks, control log, fdatasync.  [live L1]

    writer.put(batch)           from the event loop; never waits
    writer.acknowledged         messages that survive a power loss
    writer.handed_bytes         bytes of all batches handed over, and
    writer.written_bytes        of those written: the bound of the queue is kept by who puts

What waits together is written together: one fdatasync a file and round.  A disk that refuses is asked again each second
with the same frame, and nothing behind it is written before; what no longer fits into the queue meanwhile is a drop.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final, NamedTuple, Protocol

from backtest.data.raw.control_log import ControlEvent
from backtest.data.raw.segments import Stamped, hour_of, packed_batch
from backtest.record.clocks import Clocks
from backtest.record.recording import Recording
from backtest.record.stream_states import FieldsOf
from engine.errors import WriteError

RETRY_S: Final = 1.0
_MOST_ITEMS: Final = 256


class Checker(Protocol):
    """What turns the records of a connection into events: `StreamStates.receive`."""

    def __call__(self, connection: int, records: list[Stamped]) -> Iterable[FieldsOf]:
        """Return the events."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one connection, numbered from ``first``; ``size``: their bytes in the queue; ``check``: of streams."""

    feed: str
    connection: int
    first: int
    records: list[Stamped]
    size: int
    check: Checker | None


MakeEvents = Callable[[], Iterable[FieldsOf]]
"""Makes events when they are written: in the order of the queue with the records."""


class _Waiting(NamedTuple):
    """An entry of the queue: a batch or events, with the clocks at which it was handed over."""

    item: Batch | MakeEvents | None
    wall_ns: int
    mono_ns: int


class DiskWriter:
    """Writes batches and events into a recording from a thread of its own."""

    def __init__(self, recording: Recording, clocks: Clocks) -> None:
        self.acknowledged = 0
        self.handed_bytes = 0
        self.written_bytes = 0
        self.stored_bytes = 0
        self.problem: BaseException | None = None
        """What ended the thread, None while it works."""
        self.full = False
        """Whether the disk refuses at the moment."""
        self._recording = recording
        self._clocks = clocks
        self._queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, item: Batch | MakeEvents) -> None:
        """Hand over a batch or what makes events, whose time is now; returns at once."""
        if isinstance(item, Batch):
            self.handed_bytes += item.size
        self._enqueue(item)

    def log(self, name: str, **fields: Any) -> None:
        """Hand over one event."""
        self._enqueue(lambda: [(name, fields)])

    def _enqueue(self, item: Batch | MakeEvents | None) -> None:
        self._queue.put(_Waiting(item, self._clocks.wall_ns(), self._clocks.mono_ns()))

    def stop(self, wait_s: float) -> None:
        """Write what waits and end the thread, after ``wait_s`` seconds without room on the disk whatever is left.

        Raises ``WriteError`` (5) if something could not be written, and what ended the thread before.
        """
        self._enqueue(None)
        self._thread.join(wait_s)
        if self._thread.is_alive():
            self._stopping.set()
            self._thread.join()
        if self.problem is not None:
            raise self.problem

    def _run(self) -> None:
        try:
            while self._round():
                pass
        except BaseException as problem:
            self.problem = problem

    def _round(self) -> bool:
        """Write what waits; return whether the thread goes on."""
        items = [self._queue.get()]
        while len(items) < _MOST_ITEMS:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        written = size = 0
        for item, wall_ns, mono_ns in items:
            if isinstance(item, Batch):
                self._write(item, wall_ns, mono_ns)
                written += len(item.records)
                size += item.size
            elif item is not None:
                self._log(item(), wall_ns, mono_ns)
        self._persist(self._recording.sync)
        self._persist(lambda: self._recording.close_hours(self._clocks.wall_ns()))
        self.acknowledged += written
        self.written_bytes += size
        self.stored_bytes = self._recording.bytes
        return items[-1].item is not None

    def _write(self, batch: Batch, wall_ns: int, mono_ns: int) -> None:
        first = batch.first
        for group in _by_hour(batch.records):
            raw = packed_batch(batch.connection, first, group)
            self._persist(partial(self._recording.write, batch.feed, raw, group[0][0]))
            first += len(group)
        if batch.check is not None:
            self._log(batch.check(batch.connection, batch.records), wall_ns, mono_ns)

    def _log(self, events: Iterable[FieldsOf], wall_ns: int, mono_ns: int) -> None:
        for name, fields in events:
            self._persist(partial(self._recording.log, ControlEvent(wall_ns, mono_ns, name, fields)))

    def _persist(self, write: Callable[[], object]) -> None:
        """Call ``write`` until the disk takes it; raise ``WriteError`` (5) where the recorder ends before."""
        while True:
            try:
                write()
            except (OSError, WriteError) as error:
                self.full = True
                if self._stopping.wait(RETRY_S):
                    raise WriteError(f"{self._recording.folder} could not be written: {error}; make room") from error
                continue
            self.full = False
            return


def _by_hour(records: list[Stamped]) -> list[list[Stamped]]:
    """Return runs of records of one hour: a frame lies in one."""
    if hour_of(records[0][0]) == hour_of(records[-1][0]):
        return [records]
    return [list(group) for _, group in groupby(records, lambda record: hour_of(record[0]))]
