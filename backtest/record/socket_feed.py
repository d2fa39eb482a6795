"""A slot of the recorder: a set of streams that one connection brings, for as long as the recorder runs.  [live L1]

A connection that ends is made again after a jittered, growing pause.  Before the venue closes it at its lifetime, and
where a gap of sequence does not heal, a second one is opened; the first ends once both have run for ``overlap_s``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Final

import aiohttp

from backtest.record.clocks import Clocks
from backtest.record.disk_writer import DiskWriter
from backtest.record.refusals import retry_after_ms, status_of
from backtest.record.socket_link import SocketLink
from backtest.record.stream_states import StreamStates
from backtest.record.venue_file import RULES, FeedFile
from engine.units import NS_PER_SECOND

FIRST_PAUSE_S: Final = 0.5
MOST_PAUSE_S: Final = 60.0
STABLE_S: Final = 60
"""A connection that lived so long ends a series of failures."""
PATIENCE_S: Final = 5
"""A gap of sequence that lasts longer makes the feed take another connection."""
_OPEN_S: Final = 60.0
_CLOSE_S: Final = 5.0


class SocketFeed:
    """One feed of a socket; ``streams`` is stream -> instrument, and grows."""

    def __init__(
        self, name: str, file: FeedFile, socket: str, writer: DiskWriter, clocks: Clocks, queue_bytes: int,
        next_connection: Callable[[], int],
    ) -> None:  # fmt: skip
        self.name, self.file, self.socket = name, file, socket
        self.streams: dict[str, str] = {}
        self.reconnects = 0
        self.messages = 0
        self.dropped = 0
        self.received_bytes = 0
        self.link: SocketLink | None = None
        self._rules = RULES[file.rules]
        self.states = StreamStates(file.name, name, self._rules.sequence)
        self._writer, self._clocks, self._queue_bytes = writer, clocks, queue_bytes
        self._next_connection = next_connection
        self._tasks: dict[SocketLink, asyncio.Task[None]] = {}
        self._replace = asyncio.Event()
        self._growing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def links(self) -> tuple[SocketLink, ...]:
        """The connections that are open, or being opened."""
        return tuple(self._tasks)

    @property
    def free(self) -> int:
        """How many streams more the connection may hold."""
        return self.file.limits.streams_per_connection - len(self.streams)

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Keep a connection until cancelled."""
        failures = 0
        current = self._start(session)
        while True:
            self.link = current
            began_ns = self._clocks.mono_ns()
            self._replace.clear()
            timer = asyncio.create_task(asyncio.wait_for(self._replace.wait(), self.file.limits.lifetime_s))
            await asyncio.wait({self._tasks[current], timer}, return_when=asyncio.FIRST_COMPLETED)
            due = timer.done()
            timer.cancel()
            await asyncio.gather(timer, return_exceptions=True)
            if not self._tasks[current].done() and due:
                current = await self._replaced(session, current)
                continue
            lived_s = (self._clocks.mono_ns() - began_ns) / NS_PER_SECOND
            failures = 1 if lived_s > STABLE_S else failures + 1
            self._forget(current)
            await asyncio.sleep(self.pause_s(failures, current.refused))
            self.reconnects += 1
            current = self._start(session)

    def pause_s(self, failures: int, refused: bool) -> float:
        """Return a random pause in s before the next try, up to twice as long each time; the longest if refused."""
        most = MOST_PAUSE_S if refused else min(MOST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures, 16))
        # No draw of a stream: two recorders that were cut off together must not come back together.
        return most / 2 * (1 + os.urandom(1)[0] / 255)

    def flush(self) -> None:
        """Hand over what every open connection has received."""
        for link in self._tasks:
            link.queue.hand_over()

    def tick(self) -> None:
        """Have silence looked for, and gaps that do not heal, behind the queue; subscribe to what is new."""
        wall_ns, link = self._clocks.wall_ns(), self.link
        self._writer.put(partial(self.states.tick, self._clocks.mono_ns()))
        if link is None or not link.opened.is_set():
            return
        if not self._replace.is_set():
            self._writer.put(partial(self._look_for_stale, link.connection, wall_ns))
        lacking = {name: self.streams[name] for name in self.streams.keys() - link.subscribed}
        if lacking and (self._growing is None or self._growing.done()):
            self._growing = asyncio.create_task(link.subscribe(lacking))

    def add(self, streams: dict[str, str], silence_ms: int, off_ns: int | None, proof: str) -> None:
        """Take up streams; ``off_ns`` is since when they are not recorded, None for what was just listed."""
        self.streams.update(streams)
        wall_ns, mono_ns = self._clocks.wall_ns(), self._clocks.mono_ns()
        self._writer.put(partial(self.states.expect, dict(streams), silence_ms, wall_ns, mono_ns, off_ns, proof))

    def retire(self, instruments: set[str]) -> None:
        """Expect nothing more of instruments that have expired."""
        streams = [stream for stream, name in self.streams.items() if name in instruments]
        for stream in streams:
            del self.streams[stream]
        if streams:
            self._writer.put(partial(self.states.retire, streams))

    def counts(self) -> tuple[int, int, int]:
        """Return messages, dropped messages and bytes received so far, of all connections."""
        links = [link.queue for link in self._tasks]
        return (
            self.messages + sum(queue.number for queue in links),
            self.dropped + sum(queue.dropped for queue in links),
            self.received_bytes + sum(queue.received_bytes for queue in links),
        )

    async def stop(self, reason: str) -> None:
        """End every connection."""
        for link in self._tasks:
            link.end(reason)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_CLOSE_S)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _look_for_stale(self, connection: int, wall_ns: int) -> tuple[()]:
        if self.states.stale(connection, wall_ns, PATIENCE_S * NS_PER_SECOND):
            self._loop.call_soon_threadsafe(self._replace.set)
        return ()

    def _start(self, session: aiohttp.ClientSession) -> SocketLink:
        link = SocketLink(
            self.name, self.file.name, self._next_connection(), self.file.sockets[self.socket], self._rules,
            self.file.limits, self.states, self._writer, self._clocks, self._queue_bytes,
        )  # fmt: skip
        self._tasks[link] = asyncio.create_task(self._run(link, session))
        return link

    async def _run(self, link: SocketLink, session: aiohttp.ClientSession) -> None:
        try:
            await link.run(session, dict(self.streams))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            link.reason = f"{type(error).__name__}: {error}"
            retry_ms = retry_after_ms(error)
            self._writer.log(
                "refused", venue=self.file.name, url=link.url, status=status_of(error), why=link.reason[:200],
                retry_after_ms=retry_ms,
            )  # fmt: skip
            if retry_ms:
                await asyncio.sleep(retry_ms / 1_000)

    async def _replaced(self, session: aiohttp.ClientSession, current: SocketLink) -> SocketLink:
        """Return the connection that took over from ``current``, or ``current`` where none came about."""
        follower = self._start(session)
        opened = asyncio.create_task(follower.opened.wait())
        await asyncio.wait({opened, self._tasks[follower]}, timeout=_OPEN_S, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if not follower.opened.is_set():
            follower.end("not open in time")
            self._tasks[follower].cancel()
            await asyncio.gather(self._tasks[follower], return_exceptions=True)
            self._forget(follower)
            await asyncio.sleep(self.pause_s(1, follower.refused))
            return current
        await asyncio.wait({self._tasks[current]}, timeout=self.file.limits.overlap_s)
        current.end("replaced by the next connection")
        await asyncio.gather(self._tasks[current], return_exceptions=True)
        self._forget(current)
        return follower

    def _forget(self, link: SocketLink) -> None:
        del self._tasks[link]
        self.messages += link.queue.number
        self.dropped += link.queue.dropped
        self.received_bytes += link.queue.received_bytes
