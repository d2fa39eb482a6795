"""Deribit: JSON-RPC notifications ``params.channel``, a book that changes by ``prev_change_id``.  [live L1]

A snapshot of a book replaces it; a change names the id before it.  A grouped book (``book.X.none.20.100ms``) and a
ticker stand by themselves, and their ``change_id`` or ``timestamp`` may not go back.  Heartbeats are asked for once a
connection is open; ``test_request`` must be answered.  Seen on the stored recording: 46 changes without a gap.
"""

from __future__ import annotations

import json
import re
from typing import Final

from backtest.record.venues.rules import (
    OTHER,
    Heartbeat,
    Last,
    SequenceStep,
    VenueRules,
    Verdict,
    in_order,
    step_of,
)

_CHANNEL: Final = re.compile(rb'"channel":"([^"\\]{1,100})"')
_PREVIOUS: Final = re.compile(rb'"prev_change_id":(\d{1,18})')
_CHANGE: Final = re.compile(rb'"change_id":(\d{1,18})')
_TIME: Final = re.compile(rb'"timestamp":(\d{1,18})')
_TESTNET: Final = re.compile(rb'"testnet":\s*true')
_HEARTBEAT_S: Final = 10
_NOTIFICATION: Final = b'"method":"subscription"'
_HEAD_BYTES: Final = 64
_MOST_HEARTBEAT: Final = 300
PING_ID: Final = 8_888
"""Number of our requests for a sign of life."""
ANSWER_ID: Final = 8_889
"""Number of the requests with which a ``test_request`` is answered."""


def _request(method: str, number: int, **params: object) -> bytes:
    body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(body, separators=(",", ":")).encode()


def subscribe(streams: list[str], number: int) -> bytes:
    """Return the request that subscribes to the channels ``streams``."""
    return _request("public/subscribe", number, channels=streams)


def sequence(body: bytes, last: Last) -> SequenceStep:
    """Return the verdict on a notification."""
    if _NOTIFICATION not in body[:_HEAD_BYTES] and _NOTIFICATION not in body:
        return OTHER
    named = _CHANNEL.search(body)
    if named is None:
        return OTHER
    stream = named[1]
    if not stream.startswith(b"book."):
        time = _TIME.search(body)
        return in_order(stream, int(time[1]) if time else 0, last)
    changed, previous = _CHANGE.search(body), _PREVIOUS.search(body)
    number, before = int(changed[1]) if changed else 0, last.get(stream, 0)
    # A grouped book has no previous id: each message holds all its levels.
    if b'"type":"snapshot"' in body:
        return step_of(stream, Verdict.RESET, number)
    if previous is None:
        return in_order(stream, number, last)
    if number and number == before:
        return step_of(stream, Verdict.OK, number)
    return step_of(stream, Verdict.OK if before and int(previous[1]) == before else Verdict.GAP, number, before)


def heartbeat(body: bytes) -> Heartbeat | None:
    """Return the answer that ``test_request`` asks for; an empty one for the venue's answer to a ping of ours."""
    if len(body) > _MOST_HEARTBEAT:
        return None
    if b'"test_request"' in body:
        return Heartbeat(_request("public/test", ANSWER_ID))
    return Heartbeat(b"") if b'"id":%d,' % PING_ID in body else None


def refusal(body: bytes) -> str:
    """Return the error of an answer, or why it is refused: a message of the test network is no price."""
    if _TESTNET.search(body):
        return "testnet: true: a message of the test network"
    if b'"method":' not in body[:_HEAD_BYTES] and b'"error":' in body and b'"jsonrpc"' in body[:_HEAD_BYTES]:
        return body[:200].decode("utf-8", "replace")
    return ""


RULES: Final = VenueRules(
    subscribe, sequence, heartbeat, refusal,
    greeting=(_request("public/set_heartbeat", 1, interval=_HEARTBEAT_S),), ping=_request("public/test", PING_ID),
)  # fmt: skip
