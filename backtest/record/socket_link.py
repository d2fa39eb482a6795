"""One connection to a venue: greets, subscribes, hands on what it receives, and closes.  [live L1]

The receiving loop stamps and hands on; whatever looks at a message runs behind the queue and calls back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Final, Literal

import aiohttp

from backtest.data.raw.segments import RecordKind, Stamped
from backtest.record.clocks import Clocks
from backtest.record.disk_writer import DiskWriter
from backtest.record.record_queue import RecordQueue
from backtest.record.stream_states import FieldsOf, StreamStates
from backtest.record.venue_file import Limits
from backtest.record.venues.rules import VenueRules
from engine.units import NS_PER_MS, NS_PER_SECOND

_TEXT: Final = aiohttp.WSMsgType.TEXT
_BINARY: Final = aiohttp.WSMsgType.BINARY
Socket = aiohttp.ClientWebSocketResponse[Literal[False]]
_CLOSE_S: Final = 5.0
REFUSED: Final = 1008
"""Close code of a connection that we end because the venue refused."""
ABNORMAL: Final = 1006


class SocketLink:
    """A connection; ``streams`` is stream -> instrument."""

    def __init__(
        self, feed: str, venue: str, connection: int, url: str, rules: VenueRules, limits: Limits, states: StreamStates,
        writer: DiskWriter, clocks: Clocks, queue_bytes: int,
    ) -> None:  # fmt: skip
        self.connection, self.url = connection, url
        self.opened = asyncio.Event()
        """Set when everything is subscribed."""
        self.reason = ""
        """Why it ended, once it has."""
        self.refused = False
        self.subscribed: set[str] = set()
        self._ends = {"venue": venue, "feed": feed, "connection": connection}
        self._rules, self._limits, self._states = rules, limits, states
        self._writer, self._clocks = writer, clocks
        self._loop = asyncio.get_running_loop()
        self._socket: Socket | None = None
        self._pings: deque[int] = deque(maxlen=64)
        self._requests = 1
        self.queue = RecordQueue(feed, connection, writer, clocks, queue_bytes, self._check, states.drop)

    async def run(self, session: aiohttp.ClientSession, streams: dict[str, str]) -> None:
        """Connect, subscribe to ``streams`` and receive until the connection ends; `reason` says why it did.

        Raises ``aiohttp.ClientError``, ``OSError`` or ``TimeoutError`` where no connection comes about.
        """
        limits = self._limits
        timeout = aiohttp.ClientWSTimeout(ws_close=_CLOSE_S)
        async with session.ws_connect(
            self.url, decode_text=False, heartbeat=limits.ping_s, max_msg_size=limits.largest_message, timeout=timeout
        ) as socket:
            self._socket = socket
            self._writer.log("connect", **self._ends, url=self.url)
            first = asyncio.create_task(self._begin(streams))
            pinging = asyncio.create_task(self._ping())
            take = self.queue.take
            try:
                async for message in socket:
                    if message.type is _TEXT:
                        take(message.data, 1)
                    elif message.type is _BINARY:
                        take(message.data, 2)
                    else:
                        break
            except (aiohttp.ClientError, OSError) as error:
                self.reason = self.reason or f"{type(error).__name__}: {error}"
            finally:
                await _ended(first, pinging)
                self._close(socket)

    async def subscribe(self, streams: dict[str, str]) -> None:
        """Subscribe to more streams, as many a message and as slowly as the venue asks for."""
        names, limits = list(streams), self._limits
        for at in range(0, len(names), limits.streams_per_message):
            group = {name: streams[name] for name in names[at : at + limits.streams_per_message]}
            self._requests += 1
            await self._send(self._rules.subscribe(list(group), self._requests))
            self._writer.put(partial(self._states.subscribe, self.connection, group))
            self.subscribed.update(group)
            await asyncio.sleep(limits.message_pause_ms / 1_000)

    def end(self, reason: str) -> None:
        """Close the connection; `run` returns soon."""
        self.reason = self.reason or reason
        if self._socket is not None and not self._socket.closed:
            self._closing = self._loop.create_task(_quietly(self._socket))

    async def _begin(self, streams: dict[str, str]) -> None:
        for message in self._rules.greeting:
            await self._send(message)
        await self.subscribe(streams)
        self.opened.set()

    async def _send(self, message: bytes) -> None:
        if self._socket is None or self._socket.closed:
            return
        self.queue.take(message, RecordKind.SENT)
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._socket.send_str(message.decode())

    async def _ping(self) -> None:
        """Ask for a sign of life each ``ping_s``, and end what has brought nothing for ``dead_s``."""
        while True:
            await asyncio.sleep(self._limits.ping_s)
            quiet_ns = self._clocks.mono_ns() - self.queue.received[1]
            if quiet_ns > self._limits.dead_s * NS_PER_SECOND:
                self.end(f"silent for {quiet_ns // NS_PER_MS} ms")
            elif self._rules.ping:
                self._pings.append(self._clocks.wall_ns())
                await self._send(self._rules.ping)

    def _check(self, connection: int, records: list[Stamped]) -> Iterator[FieldsOf]:
        """Yield what records show; runs behind the queue."""
        yield from self._states.receive(connection, records, self._other)

    def _other(self, wall_ns: int, body: bytes) -> Iterator[FieldsOf]:
        """Yield what a message of no stream is: a heartbeat, which may ask for an answer, or a refusal."""
        beat = self._rules.heartbeat(body)
        if beat is not None:
            if beat.answer:
                self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._send(beat.answer)))
            # Answers come in the order of the pings.
            elif self._pings:
                fields = {"sent_ns": self._pings.popleft(), "answered_ns": wall_ns}
                yield "heartbeat", {**self._ends, **fields}
        if why := self._rules.refusal(body):
            self.refused = True
            yield "refused", {"venue": self._ends["venue"], "url": self.url, "status": REFUSED, "why": why,
                              "retry_after_ms": 0}  # fmt: skip
            self._loop.call_soon_threadsafe(self.end, f"refused: {why}"[:200])

    def _close(self, socket: Socket) -> None:
        """Log the end, and the gap of what no other connection brings."""
        queue, code = self.queue, int(socket.close_code or ABNORMAL)
        queue.hand_over()
        last_ns = queue.received[0]
        self.reason = self.reason or f"closed by the venue with code {code}"
        self._writer.log(
            "close", **self._ends, code=code, reason=self.reason[:200], last_ns=last_ns, records=queue.number
        )
        why = "refused" if self.refused else "closed"
        proof = f"connection {self.connection}: {self.reason[:200]}"
        self._writer.put(partial(self._states.close, self.connection, last_ns, proof, why))


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _quietly(socket: Socket) -> None:
    with contextlib.suppress(aiohttp.ClientError, OSError, RuntimeError):
        await socket.close()
