"""A venue on loopback: it serves messages byte for byte on the real paths, with faults on a switch.

    with LoopbackVenue("binance", messages) as venue:
        ... venue.url ...
    venue.sent          what each connection was sent, whole messages only: the truth

It runs in a thread of its own, so that a recorder in this process or in another meets a true server.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

from tests.helpers.raw_messages import StoredMessage

Fault = tuple[str, int, int]
"""What happens, on which connection from 0, at which of its messages from 0.

``lose``, ``repeat``, ``swap`` (with the next one), ``late`` (sent after the next three), ``silence`` (nothing more, the
connection stays), ``abort`` (close code 1006), ``close`` (1001, as at 24 h), ``half`` (a message cut in its middle).
"""


@dataclass
class SentMessages:
    """One connection as the server saw it."""

    path: str
    bodies: list[bytes] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)


class LoopbackVenue:
    """A server of one protocol: ``binance``, ``deribit`` or ``hyperliquid``."""

    def __init__(
        self,
        protocol: str,
        messages: Sequence[StoredMessage] = (),
        faults: Sequence[Fault] = (),
        pause_s: float = 0.0005,
        answers: dict[str, bytes] | None = None,
        clock_off_ms: int = 0,
        testnet: bool = False,
        refuse: Sequence[tuple[int, str]] = (),
        repeat: bool = False,
        restart: bool = True,
    ) -> None:
        self.protocol, self.messages, self.faults = protocol, list(messages), {f[1:]: f[0] for f in faults}
        self.pause_s, self.clock_off_ms, self.testnet = pause_s, clock_off_ms, testnet
        self.answers = dict(answers or {})
        self.refuse = list(refuse)
        self.repeat, self.restart = repeat, restart
        self.sent: list[SentMessages] = []
        self.requests: list[str] = []
        self.url = ""
        self.finished: set[int] = set()
        """The connections, from 0, that have been sent all they subscribed to."""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> LoopbackVenue:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _close(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        if self.refuse:
            status, retry_after = self.refuse.pop(0)
            return web.Response(status=status, headers={"Retry-After": retry_after} if retry_after else {})
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        return await self._answer(request)

    async def _answer(self, request: web.Request) -> web.Response:
        now_ms = time.time_ns() // 1_000_000 + self.clock_off_ms
        if request.path.endswith("/time"):
            return web.json_response({"serverTime": now_ms})
        if request.path.endswith("/get_time"):
            return web.json_response({"jsonrpc": "2.0", "result": now_ms, "testnet": self.testnet})
        body = (await request.read()).decode()
        key = max((key for key in self.answers if key in request.path_qs + body), key=len, default=None)
        if key is None:
            return web.Response(status=404)
        return web.Response(body=self.answers[key], content_type="application/json")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(decode_text=False)
        await socket.prepare(request)
        number, link = len(self.sent), SentMessages(request.path)
        self.sent.append(link)
        sending: asyncio.Task[None] | None = None
        streams: set[str] = set()
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            body = message.data if isinstance(message.data, bytes) else message.data.encode()
            link.received.append(body)
            asked = json.loads(body)
            wanted = self._subscribed(asked)
            if wanted is not None:
                streams.update(wanted)
            for answer in self._acknowledged(asked, wanted):
                await self._send(socket, link, answer)
            if streams and sending is None:
                sending = asyncio.create_task(self._replay(request, socket, number, link, streams))
        if sending is not None:
            sending.cancel()
        return socket

    def _subscribed(self, asked: dict[str, object]) -> list[str] | None:
        if asked.get("method") == "SUBSCRIBE":
            return list(asked["params"])  # type: ignore[call-overload, no-any-return]
        if asked.get("method") == "public/subscribe":
            return list(asked["params"]["channels"])  # type: ignore[index]
        if asked.get("method") == "subscribe":
            subscription = asked["subscription"]
            return [f"{subscription['type']}:{subscription['coin']}"]  # type: ignore[index]
        return None

    def _acknowledged(self, asked: dict[str, object], wanted: list[str] | None) -> list[bytes]:
        if self.protocol == "binance":
            return [json.dumps({"result": None, "id": asked.get("id")}).encode()]
        if self.protocol == "hyperliquid":
            if asked.get("method") == "ping":
                return [b'{"channel":"pong"}']
            return [json.dumps({"channel": "subscriptionResponse", "data": asked}, separators=(",", ":")).encode()]
        result: object = wanted if wanted is not None else "ok"
        answer = {"jsonrpc": "2.0", "id": asked.get("id"), "result": result, "testnet": self.testnet}
        return [json.dumps(answer, separators=(",", ":")).encode()]

    async def _send(self, socket: web.WebSocketResponse, link: SentMessages, body: bytes) -> None:
        link.bodies.append(body)
        await socket.send_str(body.decode())

    async def _replay(
        self, request: web.Request, socket: web.WebSocketResponse, number: int, link: SentMessages, streams: set[str]
    ) -> None:
        """Send the messages of what is subscribed; a later connection goes on where the first one ended."""
        await asyncio.sleep(0.05)
        first = 0 if self.restart else getattr(self, "_next", 0)
        kept: list[tuple[int, bytes]] = []
        at = 0
        while True:
            bodies = self.messages[first:]
            place = 0
            while place < len(bodies):
                stream, body = bodies[place]
                place += 1
                self._next = first + place
                if stream not in streams:
                    continue
                fault = self.faults.get((number, at), "")
                at += 1
                due = [late for when, late in kept if when <= at]
                kept = [(when, late) for when, late in kept if when > at]
                for late in due:
                    await self._send(socket, link, late)
                if fault == "lose":
                    continue
                if fault in ("swap", "late"):
                    kept.append((at + (1 if fault == "swap" else 3) + 1, body))
                    continue
                if fault == "silence":
                    return
                if fault in ("abort", "half"):
                    await self._break(request, body if fault == "half" else b"")
                    return
                if fault == "close":
                    await socket.close(code=WSCloseCode.GOING_AWAY)
                    return
                await self._send(socket, link, body)
                if fault == "repeat":
                    await self._send(socket, link, body)
                await asyncio.sleep(self.pause_s)
            for _, late in kept:
                await self._send(socket, link, late)
            if not self.repeat:
                break
        self.finished.add(number)

    async def _break(self, request: web.Request, body: bytes) -> None:
        """Cut the connection without a closing handshake, in the middle of ``body``."""
        transport = request.transport
        assert transport is not None
        if body:
            head = bytes([0x81, 126]) + len(body).to_bytes(2, "big") if len(body) > 125 else bytes([0x81, len(body)])
            transport.write((head + body)[: len(body) // 2])
            await asyncio.sleep(0.05)
        transport.abort()


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition; fail the test after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come about"
        time.sleep(0.02)
