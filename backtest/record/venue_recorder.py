"""The feeds of one venue: sockets, requests, and the universe that makes them grow.  [live L1]"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import aiohttp

from backtest.record.clocks import Clocks
from backtest.record.disk_writer import DiskWriter
from backtest.record.record_plan import PlannedFeed
from backtest.record.rest_polls import RestFeed
from backtest.record.socket_feed import SocketFeed
from backtest.record.universe import ListedContract, MarkSummary, deribit_contracts, deribit_marks, wanted
from backtest.record.venue_file import ListRequest, StreamForm
from backtest.record.venues.rules import streams_of_form
from engine.errors import DataError
from engine.units import NS_PER_SECOND

_FIRST_READS_NS: Final = 600 * NS_PER_SECOND
"""What the universe brings so soon after the start was not recorded before; later it is new, or new in the band."""
_EXPIRED_NS: Final = 60 * NS_PER_SECOND
"""A contract's last messages come with its expiry."""


class VenueRecorder:
    """Everything of one venue that a plan records."""

    def __init__(
        self, planned: PlannedFeed, session: aiohttp.ClientSession, writer: DiskWriter, clocks: Clocks,
        queue_bytes: int, next_connection: Callable[[], int],
    ) -> None:  # fmt: skip
        self.planned = planned
        self.feeds: list[SocketFeed] = []
        self.rest = RestFeed(planned.file, session, writer, clocks, queue_bytes, next_connection())
        self._session, self._writer, self._clocks = session, writer, clocks
        self._queue_bytes, self._next_connection = queue_bytes, next_connection
        self._forms = {form.kind: form for form in planned.file.streams}
        self._running: list[asyncio.Task[None]] = []
        self._listed: dict[str, ListedContract] = {}
        self._marks: dict[str, MarkSummary] = {}
        self._subscribed: set[str] = set()
        self._off = (0, "")
        self._started_ns = 0

    def start(self, off_ns: int, proof: str) -> None:
        """Begin to record; ``off_ns`` is since when nothing was recorded, ``proof`` how that is known."""
        self._off, self._started_ns = (off_ns, proof), self._clocks.mono_ns()
        fixed = [self.planned.symbol(name) for name in self.planned.table.instruments]
        self._take_up(dict.fromkeys(self.planned.table.streams, fixed))
        file = self.planned.file
        for listing in file.lists:
            self._spawn(self.rest.poll(listing, partial(self._names, listing.each), partial(self._read, listing)))
        for request in file.polls:
            self._spawn(self.rest.poll(request, partial(self._names, request.each), _ignored))
        if file.clock is not None:
            self._spawn(self.rest.watch_clock(file.clock))

    def flush(self) -> None:
        """Hand over what was received, and have silence looked for.

        Raises what ended a task: a defect, for what a venue does is caught where it is met.
        """
        for task in self._running:
            if task.done() and not task.cancelled():
                task.result()
        self.rest.queue.hand_over()
        for feed in self.feeds:
            feed.flush()
            feed.tick()

    def clock_step(self, from_ns: int, to_ns: int, proof: str) -> None:
        """Log the gap of every stream over a step of the wall clock."""
        for feed in self.feeds:
            self._writer.put(partial(feed.states.clock_step, from_ns, to_ns, proof))

    async def stop(self, reason: str) -> None:
        """End every connection and request."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await asyncio.gather(*(feed.stop(reason) for feed in self.feeds))
        for queue in (self.rest.queue, *(link.queue for feed in self.feeds for link in feed.links)):
            queue.hand_over()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._running.append(asyncio.create_task(coroutine))

    def _names(self, each: str) -> list[str]:
        if each == "coin":
            return sorted({coin for chain in self.planned.table.chains for coin in chain.coins})
        return [self.planned.symbol(name) for name in self.planned.table.instruments]

    async def _read(self, listing: ListRequest, answer: bytes) -> None:
        """Let the universe grow by an answer; a venue without chains has a fixed one."""
        if not self.planned.table.chains:
            return
        try:
            if listing.holds == "summaries":
                self._marks.update(deribit_marks(answer))
            else:
                self._listed.update(deribit_contracts(answer))
        except DataError as error:
            self._writer.log(
                "refused", venue=self.planned.file.name, url=listing.request, status=200, why=str(error)[:200],
                retry_after_ms=0,
            )  # fmt: skip
            return
        self._grow()

    def _known(self, kind: str) -> dict[str, ListedContract]:
        """Return the listed contracts; of options only those of coins whose marks have come, or should have by now.

        Else the first list would bring every option of a coin, whatever its delta.
        """
        early = self._clocks.mono_ns() - self._started_ns < _FIRST_READS_NS
        if kind != "option" or not early:
            return self._listed
        marked = {self._listed[symbol].coin for symbol in self._marks if symbol in self._listed}
        return {symbol: contract for symbol, contract in self._listed.items() if contract.coin in marked}

    def _grow(self) -> None:
        """Subscribe to what the universe has gained; expect nothing more of what has expired."""
        now_ns = self._clocks.wall_ns()
        added: dict[str, list[str]] = defaultdict(list)
        for chain in self.planned.table.chains:
            for symbol in sorted(wanted(chain, self._known(chain.kind), self._marks, now_ns) - self._subscribed):
                for kind in chain.streams:
                    added[kind].append(symbol)
        names = sorted({symbol for symbols in added.values() for symbol in symbols})
        gone = sorted(s for s in self._subscribed if self._listed[s].expiry_ns + _EXPIRED_NS <= now_ns)
        self._subscribed = (self._subscribed | set(names)) - set(gone)
        for symbol in gone:
            del self._listed[symbol]
        if names or gone:
            self._writer.log(
                "universe", venue=self.planned.file.name, listed=len(self._listed), subscribed=len(self._subscribed),
                added=names, gone=gone,
            )  # fmt: skip
        for feed in self.feeds:
            feed.retire({self.planned.instrument(symbol) for symbol in gone})
        self._take_up(added)

    def _take_up(self, symbols: dict[str, list[str]]) -> None:
        """Put the streams of each kind into feeds that have room, new ones where none has."""
        is_early = self._clocks.mono_ns() - self._started_ns < _FIRST_READS_NS
        for kind, names in symbols.items():
            form = self._forms[kind]
            streams = streams_of_form(form.form, names)
            left = [(stream, self.planned.instrument(symbol)) for stream, symbol in streams.items()]
            while left:
                feed = self._room(form)
                some, left = dict(left[: feed.free]), left[feed.free :]
                feed.add(some, form.silence_ms, self._off[0] if is_early else None, self._off[1])

    def _room(self, form: StreamForm) -> SocketFeed:
        for feed in self.feeds:
            if feed.socket == form.socket and feed.free > 0:
                return feed
        file = self.planned.file
        feed = SocketFeed(
            f"{file.name}-{form.socket}-{sum(f.socket == form.socket for f in self.feeds)}", file, form.socket,
            self._writer, self._clocks, self._queue_bytes, self._next_connection,
        )  # fmt: skip
        self.feeds.append(feed)
        self._spawn(feed.run(self._session))
        return feed


async def _ignored(_answer: bytes) -> None:
    """Take an answer that is recorded and not read."""
