"""The bounded queue between a receiving task and the disk: stamps, numbers, and recorded drops.  [live L1]"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from backtest.data.raw.segments import HEADER, RawRecord, RecordKind
from backtest.record.clocks import Clocks
from backtest.record.disk_writer import Batch, Checker, DiskWriter
from backtest.record.stream_states import FieldsOf

FRAME_BYTES: Final = 256_000
"""Bytes after which a frame is handed over without waiting for the second."""
_OVERHEAD: Final = HEADER.size
_RECEIVED: Final = int(RecordKind.BINARY)
_new: Final = tuple.__new__
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
        self.number = 0
        """The number of the next record."""
        self.received_ns = connection
        """Wall time of the last message of the venue, taken or dropped; of the opening before the first."""
        self.received_mono_ns = clocks.mono_ns()
        self.received_bytes = 0
        self.dropped = 0
        self._writer, self._limit = writer, limit
        self._wall, self._mono = clocks
        self._check, self._on_dropped = check, on_dropped
        self._pending: list[RawRecord] = []
        self._size = 0
        self._drop: tuple[int, int, int] | None = None  # first and last number, receipt before the first

    def take(self, body: bytes, kind: int) -> None:
        """Stamp and number a message; hand on what is a frame by now."""
        number, writer, before_ns = self.number, self._writer, self.received_ns
        wall_ns, mono_ns = self._wall(), self._mono()
        if kind <= _RECEIVED:
            self.received_ns, self.received_mono_ns = wall_ns, mono_ns
        self.number = number + 1
        size = self._size + len(body) + _OVERHEAD
        if writer.handed_bytes - writer.written_bytes + size > self._limit:
            first, _, since_ns = self._drop or (number, number, before_ns)
            self._drop = (first, number, since_ns)
            self.dropped += 1
            return
        if self._drop is not None:
            self.hand_over()
        self._pending.append(_new(RawRecord, (wall_ns, mono_ns, self.connection, number, kind, body)))
        self._size = size
        if size >= FRAME_BYTES:
            self.hand_over()

    def hand_over(self) -> None:
        """Hand what waits to the disk, and then the drop that came after it."""
        if self._pending:
            batch = Batch(self.feed, self.connection, self._pending, self._size, self._check)
            self.received_bytes += self._size
            self._pending, self._size = [], 0
            self._writer.put(batch)
        if self._drop is not None:
            first, last, since_ns = self._drop
            self._writer.put(partial(self._on_dropped, self.connection, since_ns, first, last))
            self._drop = None
