"""The bounded queue between a receiving task and the disk: stamps, numbers, and recorded drops.  [live L1]"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from backtest.data.raw.segments import HEADER, RecordKind, Stamped
from backtest.record.clocks import Clocks
from backtest.record.disk_writer import Batch, Checker, DiskWriter
from backtest.record.stream_states import FieldsOf

FRAME_BYTES: Final = 256_000
"""Bytes after which a frame is handed over without waiting for the second."""
_OVERHEAD: Final = HEADER.size
OnDropped = Callable[[int, int, int, int], Iterable[FieldsOf]]
"""Called with connection, receipt before the drop, first and last number: `StreamStates.drop`."""


class RecordQueue:
    """What one connection sends and receives, numbered from 0; used from the event loop alone."""

    def __init__(
        self,
        feed: str,
        connection: int,
        writer: DiskWriter,
        clocks: Clocks,
        limit: int,
        check: Checker | None,
        on_dropped: OnDropped,
    ) -> None:
        self.feed, self.connection = feed, connection
        self.received_bytes = 0
        self.dropped = 0
        self._writer, self._limit = writer, limit
        self._wall, self._mono = clocks
        self._check, self._on_dropped = check, on_dropped
        self._first = 0  # number of the first that waits
        self._pending: list[Stamped] = []
        self._size = 0
        self._room = min(FRAME_BYTES, limit)
        self._last = (connection, self._mono())  # clocks of the last message that was handed over or dropped
        self._drop: tuple[int, int, int] | None = None  # first and last number, receipt before the first

    @property
    def number(self) -> int:
        """The number of the next record."""
        return self._first + len(self._pending)

    @property
    def received(self) -> tuple[int, int]:
        """Wall and monotonic ns of the last message of the venue, taken or dropped; of the opening before the first."""
        return next(((wall, mono) for wall, mono, kind, _ in reversed(self._pending) if kind <= _RECEIVED), self._last)

    def take(self, body: bytes, kind: int) -> None:
        """Stamp a message; hand on what is a frame by now."""
        self._pending.append((self._wall(), self._mono(), kind, body))
        self._size = size = self._size + len(body) + _OVERHEAD
        # The room was measured at the last frame; it can only have grown since.
        if size > self._room:
            self._make_room()

    def hand_over(self) -> None:
        """Hand what waits to the disk, and then the drop that came after it."""
        writer = self._writer
        if self._pending:
            self._last = self.received
            self.received_bytes += self._size
            first, self._first = self._first, self.number
            batch = Batch(self.feed, self.connection, first, self._pending, self._size, self._check)
            self._pending, self._size = [], 0
            writer.put(batch)
        if self._drop is not None:
            dropped_first, dropped_last, since_ns = self._drop
            writer.put(partial(self._on_dropped, self.connection, since_ns, dropped_first, dropped_last))
            self._drop = None
        self._room = min(FRAME_BYTES, self._limit - writer.handed_bytes + writer.written_bytes)

    def _make_room(self) -> None:
        """Hand over a frame, or drop the message that was just taken where the queue is full."""
        waiting = self._writer.handed_bytes - self._writer.written_bytes
        if waiting + self._size <= self._limit:
            if self._drop is not None:
                self._end_drop()
            if self._size >= FRAME_BYTES:
                self.hand_over()
            self._room = min(FRAME_BYTES, self._limit - waiting)
            return
        wall_ns, mono_ns, kind, body = self._pending.pop()
        self._size -= len(body) + _OVERHEAD
        if self._drop is None:
            number, since_ns = self.number, self.received[0]
            self.hand_over()
            self._drop = (number, number, since_ns)
        else:
            self._drop = (self._drop[0], self._first, self._drop[2])
        self._first += 1
        self.dropped += 1
        self._room = 0
        if kind <= _RECEIVED:
            self._last = (wall_ns, mono_ns)

    def _end_drop(self) -> None:
        """Put the drop before the message that was just taken, which is the only one that waits."""
        kept, size = self._pending, self._size
        self._pending, self._size = [], 0
        self.hand_over()
        self._pending, self._size = kept, size


_RECEIVED: Final = int(RecordKind.BINARY)
