"""A venue that is faster than any recorder: multiplied stored messages over a bare socket, in a process of its own.

The messages are those of the stored recording of Binance USD-M, repeated with their update ids moved on, so that every
chain goes on; multiplied, so their load is synthetic.  A sender that the recorder has to share a core with would be
measured with it: frames are made beforehand.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import re
import socket
import struct
import sys
import time
from pathlib import Path

STORED = Path(__file__).resolve().parents[1] / "tests/vectors/raw_messages/binance-usdm"
RECORDING = STORED / "cryptofeed.BINANCE_FUTURES.ws.1.0.gz"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
IDS = re.compile(rb'("(U|u|pu|E)":)(\d+)')
HOUR_MS = 3_600_000
STEP_S = 0.004


def multiplied(count: int) -> list[bytes]:
    """Return ``count`` messages: the recording again and again, its ids moved on each time."""
    lines = gzip.decompress(RECORDING.read_bytes()).splitlines()[1:]
    stored = [
        body for _, found, body in (line.partition(b" ") for line in lines) if found and body[:10] == b'{"stream":'
    ]
    last: dict[bytes, int] = {}
    first: dict[bytes, int] = {}
    for body in stored:
        if b"@depth" in body[:60]:
            ids = dict(re.findall(rb'"(U|u|pu)":(\d+)', body))
            stream = body[: body.index(b",")]
            first.setdefault(stream, int(ids[b"pu"]))
            last[stream] = int(ids[b"u"])
    messages = []
    for turn in range(-(-count // len(stored))):
        for body in stored:
            stream = body[: body.index(b",")]
            shift = turn * (last[stream] - first[stream]) if stream in last else turn * 10**7
            by = {b"E": turn * HOUR_MS}
            if turn:
                body = IDS.sub(lambda m, by=by, shift=shift: m[1] + b"%d" % (int(m[3]) + by.get(m[2], shift)), body)
            messages.append(body)
    return messages[:count]


def frames(messages: list[bytes]) -> list[bytes]:
    """Return the websocket frame of each message, as a server sends it."""
    return [
        (bytes([0x81, len(m)]) if len(m) < 126 else bytes([0x81, 126]) + struct.pack(">H", len(m))) + m
        for m in messages
    ]


def serve(count: int, rate: int) -> None:
    """Print the port, then send ``count`` messages to each connection once it has said something; 0: no pace."""
    every = frames(multiplied(count))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4)
    print(listener.getsockname()[1], flush=True)
    while True:
        link, _ = listener.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            head += link.recv(4096)
        if b"Upgrade: websocket" not in head and b"upgrade: websocket" not in head.lower():
            link.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            link.close()
            continue
        key = re.search(rb"(?i)sec-websocket-key: ([^\r]+)", head)
        assert key is not None
        accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
        link.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        link.recv(65_536)
        # A recorder that has had enough hangs up, and its next connection is another one.
        with contextlib.suppress(OSError):
            send(link, every, rate)
            link.sendall(bytes([0x88, 2]) + struct.pack(">H", 1000))
            while link.recv(65_536):
                pass
        link.close()


def send(link: socket.socket, every: list[bytes], rate: int) -> None:
    """Send all frames, ``rate`` a second in bursts of a few ms, or as fast as the other side reads."""
    burst = max(1, int(rate * STEP_S)) if rate else 200
    began = time.monotonic()
    for at in range(0, len(every), burst):
        if rate and (wait := began + at / rate - time.monotonic()) > 0:
            time.sleep(wait)
        link.sendall(b"".join(every[at : at + burst]))


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
