"""Which streams of a feed are whole: verdicts of messages, silence and closed connections become gaps.  [live L1]

    states.expect(streams, ...)                  what is to be recorded, and since when it is not
    states.subscribe(connection, streams)        the streams that a connection brings
    states.receive(connection, records)          -> events of what the messages show
    states.close(connection, last_ns, ...)       -> the gap of what no other connection of the feed brings
    states.tick(now)                             -> silence beyond a stream's limit

Runs behind the queue, never in the receiving task.  A stream is whole while one open connection has it without a gap:
two connections overlap while one takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from backtest.data.raw.segments import RecordKind, Stamped
from backtest.record.venues.rules import Last, SequenceStep, Verdict
from engine.units import NS_PER_MS

FieldsOf = tuple[str, dict[str, Any]]
"""Name of an event of the control log, and its fields but for the clocks."""
_HEALED_BY_OK: Final = ("silence", "drop", "clock")
"""Gaps that a message without a gap of sequence ends: the chain shows that nothing of the stream is missing."""


@dataclass(slots=True)
class _Link:
    """One open connection: the last number of each stream, which it brings, which are whole on it.

    ``broken`` are those whose chain has a gap: they stay so until a message that stands by itself.
    """

    last: dict[bytes, int] = field(default_factory=dict)
    streams: set[bytes] = field(default_factory=set)
    whole: set[bytes] = field(default_factory=set)
    broken: set[bytes] = field(default_factory=set)


class StreamStates:
    """The streams of one feed; see the module."""

    def __init__(self, venue: str, feed: str, sequence: Callable[[bytes, Last], SequenceStep]) -> None:
        self._ends = {"venue": venue, "feed": feed}
        self._sequence = sequence
        self._instruments: dict[bytes, str] = {}
        self._limit_ns: dict[bytes, int] = {}
        self._links: dict[int, _Link] = {}
        self._heard: dict[bytes, Stamped] = {}  # the last message, or when the stream was taken up
        self._open: dict[bytes, tuple[int, str]] = {}

    @property
    def broken(self) -> int:
        """How many streams are in a gap now."""
        return len(self._open)

    def stale(self, connection: int, wall_ns: int, patience_ns: int) -> bool:
        """Return whether a chain of the connection has been broken for longer than ``patience_ns``.

        A difference after a gap stays broken until the connection is made anew.
        """
        link = self._links.get(connection, _Link())
        return any(
            wall_ns - self._open[stream][0] > patience_ns for stream in link.streams & link.broken & self._open.keys()
        )

    def expect(
        self, streams: Mapping[str, str], silence_ms: int, wall_ns: int, mono_ns: int, off_ns: int | None, proof: str
    ) -> Iterator[FieldsOf]:
        """Take up streams, stream -> instrument; ``silence_ms`` is how long one may be silent, 0 for ever.

        They are in a gap from ``off_ns`` on until their first message; None for what the venue has just listed.
        """
        names = [name.encode() for name in streams]
        self._instruments.update(zip(names, streams.values(), strict=True))
        self._heard.update((name, (wall_ns, mono_ns, 0, b"")) for name in names)
        if silence_ms:
            self._limit_ns.update(dict.fromkeys(names, silence_ms * NS_PER_MS))
        if off_ns is not None:
            yield from self._begin(0, names, off_ns, "off", proof)

    def retire(self, streams: Iterable[str]) -> Iterator[FieldsOf]:
        """Expect nothing more of streams whose contract has expired; a gap that is open stays so."""
        for name in streams:
            for table in (self._limit_ns, self._heard, self._open):
                table.pop(name.encode(), None)
            for link in self._links.values():
                link.streams.discard(name.encode())
        return iter(())

    def subscribe(self, connection: int, streams: Mapping[str, str]) -> Iterator[FieldsOf]:
        """Yield the event of a subscription; ``streams`` is stream -> instrument."""
        link = self._links.setdefault(connection, _Link())
        link.streams.update(name.encode() for name in streams)
        yield "subscribe", {**self._ends, "connection": connection, "streams": dict(streams)}

    def receive(
        self, connection: int, records: Sequence[Stamped], other: Callable[[int, bytes], Iterable[FieldsOf]]
    ) -> Iterator[FieldsOf]:
        """Yield the gaps that ``records`` of a connection show, and those that they end.

        ``other`` is called with receipt and bytes of what is of no stream, and its events are yielded too.
        """
        link, sequence, heard = self._links.setdefault(connection, _Link()), self._sequence, self._heard
        last, whole, opened = link.last, link.whole, self._open
        ended: dict[tuple[int, str], dict[str, int]] = {}
        for record in records:
            wall_ns, _, kind, body = record
            if kind > _RECEIVED:
                continue
            stream, verdict, number, expected = sequence(body, last)
            if verdict is _OTHER:
                yield from other(wall_ns, body)
                continue
            if verdict is _GAP:
                before = heard.get(stream, record)
                # What was healed before stands in the log before.
                yield from self._whole_again(connection, ended)
                yield from self._gap(connection, link, stream, before[0], f"{number} does not follow {expected}")
            elif stream in opened or stream not in whole:
                self._heal(link, stream, verdict, wall_ns, ended)
            last[stream] = number
            heard[stream] = record
        yield from self._whole_again(connection, ended)

    def close(self, connection: int, last_ns: int, proof: str, why: str = "closed") -> Iterator[FieldsOf]:
        """Yield the gap of the streams that no other open connection has whole; ``last_ns`` is the last receipt."""
        link = self._links.pop(connection, _Link())
        yield from self._begin(connection, self._lost(link.streams), last_ns, why, proof)

    def drop(self, connection: int, from_ns: int, first: int, last: int) -> Iterator[FieldsOf]:
        """Yield the drop of the running numbers ``first`` to ``last`` and its gap; ``from_ns``: the receipt before."""
        proof = f"records {first} to {last} found the queue full"
        numbers = {"first": first, "last": last, "records": last - first + 1, "why": "queue full"}
        yield "drop", {**self._ends, "connection": connection, **numbers}
        link = self._links.setdefault(connection, _Link())
        link.whole.clear()
        yield from self._begin(connection, self._lost(link.streams), from_ns, "drop", proof)

    def clock_step(self, from_ns: int, to_ns: int, proof: str) -> Iterator[FieldsOf]:
        """Yield a gap of all streams over the wall times that occurred twice, or never."""
        streams = [stream for stream in self._heard if stream not in self._open]
        if streams:
            yield from self._begin(0, streams, from_ns, "clock", proof)
            for stream in streams:
                del self._open[stream]
            named = dict.fromkeys((stream.decode() for stream in sorted(streams)), to_ns)
            yield "whole", {**self._ends, "connection": 0, "streams": named, "from_ns": from_ns, "why": "clock"}

    def tick(self, mono_ns: int) -> Iterator[FieldsOf]:
        """Yield the streams that are silent for longer than their limit, each once until it is heard again."""
        for stream, limit in self._limit_ns.items():
            heard = self._heard.get(stream)
            if heard is None or stream in self._open or mono_ns - heard[1] <= limit:
                continue
            connection = next((number for number, link in self._links.items() if stream in link.streams), 0)
            limit_ms = limit // NS_PER_MS
            fields = {"connection": connection, "stream": stream.decode(), "last_ns": heard[0]}
            yield "silence", {**self._ends, **fields, "limit_ms": limit_ms}
            proof = f"no message for {(mono_ns - heard[1]) // NS_PER_MS} ms, expected one within {limit_ms} ms"
            yield from self._begin(connection, [stream], heard[0], "silence", proof)

    def _lost(self, streams: Iterable[bytes]) -> list[bytes]:
        """Return those of ``streams`` that are whole on no open connection and in no gap yet."""
        brought = set().union(*(link.whole for link in self._links.values()))
        return sorted(stream for stream in streams if stream not in brought and stream not in self._open)

    def _gap(self, connection: int, link: _Link, stream: bytes, from_ns: int, proof: str) -> Iterator[FieldsOf]:
        link.whole.discard(stream)
        link.broken.add(stream)
        yield from self._begin(connection, self._lost([stream]), from_ns, "sequence", proof)

    def _heal(
        self, link: _Link, stream: bytes, verdict: Verdict, wall_ns: int, ended: dict[tuple[int, str], dict[str, int]]
    ) -> None:
        why = self._open.get(stream, (0, ""))[1]
        if verdict is _RESET:
            link.broken.discard(stream)
        if verdict is _RESET or (why in _HEALED_BY_OK and stream not in link.broken):
            link.whole.add(stream)
            link.streams.add(stream)
            if stream in self._open:
                ended.setdefault(self._open.pop(stream), {})[stream.decode()] = wall_ns

    def _whole_again(self, connection: int, ended: dict[tuple[int, str], dict[str, int]]) -> Iterator[FieldsOf]:
        """Yield the ends of gaps collected in ``ended``, and empty it."""
        for (from_ns, why), streams in ended.items():
            fields = {"connection": connection, "streams": streams, "from_ns": from_ns, "why": why}
            yield "whole", {**self._ends, **fields}
        ended.clear()

    def _begin(self, connection: int, streams: list[bytes], from_ns: int, why: str, proof: str) -> Iterator[FieldsOf]:
        if not streams:
            return
        for stream in streams:
            self._open[stream] = (from_ns, why)
        named = {stream.decode(): self._instruments.get(stream, "") for stream in streams}
        fields = {"connection": connection, "streams": named, "from_ns": from_ns}
        yield "gap", {**self._ends, **fields, "why": why, "proof": proof}


_OTHER: Final = Verdict.OTHER
_RESET: Final = Verdict.RESET
_GAP: Final = Verdict.GAP
_RECEIVED: Final = int(RecordKind.BINARY)
