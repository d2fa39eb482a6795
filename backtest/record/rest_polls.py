"""Requests to a venue by REST: its clock each minute, what it lists, what it settled.  [live L1]

Each answer is recorded with its request, one after the other; an answer other than 200 is an event of the control log,
and its ``Retry-After`` is kept to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

import aiohttp

from backtest.data.raw.segments import RecordKind
from backtest.record.clocks import Clocks
from backtest.record.disk_writer import DiskWriter
from backtest.record.record_queue import RecordQueue
from backtest.record.refusals import retry_after_ms, status_of
from backtest.record.stream_states import StreamStates
from backtest.record.venue_file import RULES, ClockRequest, FeedFile, PolledRequest
from engine.units import NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND

CLOCK_S: Final = 60
_AGAIN_S: Final = 60
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_DAY_S: Final = 86_400
_OK: Final = 200


class Answer(NamedTuple):
    """The body of an answer, and the wall clock before the request and after the answer."""

    body: bytes
    sent_ns: int
    received_ns: int


class RestFeed:
    """The requests of one venue, in the feed ``<venue>-rest``."""

    def __init__(
        self, file: FeedFile, session: aiohttp.ClientSession, writer: DiskWriter, clocks: Clocks, queue_bytes: int,
        connection: int,
    ) -> None:  # fmt: skip
        self.file = file
        self.name = f"{file.name}-rest"
        states = StreamStates(file.name, self.name, RULES[file.rules].sequence)
        self.queue = RecordQueue(self.name, connection, writer, clocks, queue_bytes, None, states.drop)
        self._session, self._writer, self._clocks = session, writer, clocks
        self._turn = asyncio.Lock()
        self._not_before_ns = 0
        writer.log("connect", venue=file.name, feed=self.name, connection=connection, url=file.rest)

    async def poll(
        self, request: PolledRequest, names: Callable[[], Iterable[str]], use: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Send ``request`` for each of ``names``, now and then on schedule, until cancelled; ``use`` the answers.

        After a refusal all are asked again within a minute: an hour without a list is an hour without its contracts.
        """
        while True:
            refused = False
            for name in list(names()) if request.each else [""]:
                answer = await self.ask(filled(request.request, name, self._clocks.wall_ns()))
                refused = refused or answer is None
                if answer is not None:
                    await use(answer.body)
            due_s = seconds_until(request, self._clocks.wall_ns())
            await asyncio.sleep(min(due_s, _AGAIN_S) if refused else due_s)

    async def ask(self, request: str) -> Answer | None:
        """Send a request and return its answer; None where it was refused, which is logged."""
        method, path, body = split(request)
        url = f"{self.file.rest}{path}"
        sent = f"{method} {url}" + (f"\n{body}" if body else "")
        async with self._turn:
            await asyncio.sleep(max(0.0, (self._not_before_ns - self._clocks.mono_ns()) / NS_PER_SECOND))
            self._not_before_ns = self._clocks.mono_ns() + NS_PER_SECOND // self.file.limits.requests_per_s
            self.queue.take(sent.encode(), RecordKind.REQUEST)
            t1_ns = self._clocks.wall_ns()
            try:
                async with self._session.request(
                    method, url, data=body, headers=_headers(body), timeout=_TIMEOUT, raise_for_status=True
                ) as response:
                    answer = await response.read()
                    t2_ns = self._clocks.wall_ns()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._refused(url, status_of(error), f"{type(error).__name__}: {error}", retry_after_ms(error))
                return None
            self.queue.take(answer, RecordKind.ANSWER)
            return Answer(answer, t1_ns, t2_ns)

    async def watch_clock(self, clock: ClockRequest) -> None:
        """Ask for the server's time each minute, and log it between the times before and after, until cancelled."""
        while True:
            answer = await self.ask(clock.request)
            if answer is not None:
                server = _number(answer.body, clock.key)
                if server is None:
                    self._refused(clock.request, _OK, f"no whole number {clock.key} in {answer.body[:100]!r}", 0)
                else:
                    self._writer.log(
                        "clock", venue=self.file.name, t1_ns=answer.sent_ns, server_ns=server * clock.unit_ns,
                        t2_ns=answer.received_ns, server_unit_ns=clock.unit_ns,
                    )  # fmt: skip
            await asyncio.sleep(CLOCK_S)

    def _refused(self, url: str, status: int, why: str, retry_after_ms: int) -> None:
        self._not_before_ns = self._clocks.mono_ns() + max(retry_after_ms * NS_PER_MS, NS_PER_SECOND)
        self._writer.log(
            "refused", venue=self.file.name, url=url, status=status, why=why[:200], retry_after_ms=retry_after_ms
        )


def split(request: str) -> tuple[str, str, str | None]:
    """Return method, path and body of ``GET /path`` or ``POST /path {body}``.

    Examples
    --------
    >>> split('POST /info {"type":"meta"}')
    ('POST', '/info', '{"type":"meta"}')
    """
    method, _, rest = request.partition(" ")
    path, _, body = rest.partition(" ")
    return method, path, body or None


def filled(request: str, symbol: str, now_ns: int) -> str:
    """Return a request with its marks replaced: the symbol, now, and an hour before the last one began, in ms."""
    begin_ms = (now_ns // NS_PER_HOUR - 1) * NS_PER_HOUR // NS_PER_MS
    marks = {"{symbol}": symbol, "{lower}": symbol.lower(), "{now_ms}": str(now_ns // NS_PER_MS)}
    for mark, value in {**marks, "{hour_before_ms}": str(begin_ms)}.items():
        request = request.replace(mark, value)
    return request


def seconds_until(request: PolledRequest, now_ns: int) -> float:
    """Return the seconds until a request's next time: ``after_s`` past a whole ``every_s`` of the day."""
    now_s = now_ns / NS_PER_SECOND % _DAY_S
    return request.every_s - (now_s - request.after_s) % request.every_s


def _headers(body: str | None) -> dict[str, str]:
    return {"Content-Type": "application/json"} if body else {}


def _number(answer: bytes, key: str) -> int | None:
    try:
        value: Any = json.loads(answer)[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return value if type(value) is int else None
