"""The stored messages of venues: recordings replayed whole, and single answers.  [vectors raw_messages]"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "raw_messages"


class StoredMessage(NamedTuple):
    """A message of a recording: its stream as `sequence` names it, and its bytes."""

    stream: str
    body: bytes


def unpacked(name: str) -> bytes:
    """Return the bytes of a stored file as its source has them."""
    return gzip.decompress((FOLDER / f"{name}.gz").read_bytes())


def recording(name: str) -> list[StoredMessage]:
    """Return the market messages of a websocket recording, in order; acknowledgements and the head are left out."""
    found = []
    for line in unpacked(name).splitlines():
        stamp, _, body = line.partition(b" ")
        if not stamp.rstrip(b":").replace(b".", b"").isdigit():
            continue
        if stream := stream_of(body):
            found.append(StoredMessage(stream, body))
    return found


def stream_of(body: bytes) -> str:
    """Return the stream that a message names, "" for another message; read with other means than the recorder's."""
    text = body.decode()
    if named := re.match(r'\{"stream": ?"([^"]+)"', text):
        return named[1]
    if named := re.search(r'"params":\{"channel":"([^"]+)"', text):
        return named[1]
    if named := re.match(r'\{"channel":"(l2Book|bbo|activeAssetCtx)"', text):
        coin = re.search(r'"coin":"([^"]+)"', text)
        assert coin is not None
        return f"{named[1]}:{coin[1]}"
    return ""


def answers(name: str) -> dict[str, bytes]:
    """Return URL -> body of a file of REST answers, ``URL -> seconds: JSON`` a line."""
    found = {}
    for line in unpacked(name).splitlines():
        url, arrow, rest = line.partition(b" -> ")
        if arrow:
            found[url.decode()] = rest.partition(b": ")[2]
    return found


def advancing(messages: list[StoredMessage], turns: int) -> list[StoredMessage]:
    """Return the messages ``turns`` times, their ``time`` an hour later each time: multiplied, so synthetic."""
    return [
        StoredMessage(
            m.stream, re.sub(rb'("time":)(\d+)', lambda t, n=turn: t[1] + b"%d" % (int(t[2]) + n * 3_600_000), m.body)
        )
        for turn in range(turns)
        for m in messages
    ]
