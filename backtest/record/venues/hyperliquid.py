"""Hyperliquid: ``{"channel":..., "data":{...}}``, books as whole snapshots without a sequence number.  [live L1]

A book has a time, which may not go back; the context of a coin has none, so the receipt is its only clock.  A
connection is asked for a sign of life within a minute: ``{"method":"ping"}`` is answered by the channel ``pong``.
"""

from __future__ import annotations

import json
import re
from typing import Final

from backtest.record.venues.rules import OTHER, Heartbeat, Last, SequenceStep, VenueRules, in_order

_CHANNEL: Final = re.compile(rb'\{\s*"channel":\s*"(\w{1,40})"')
_COIN: Final = re.compile(rb'"coin":\s*"([^"\\]{1,40})"')
_TIME: Final = re.compile(rb'"time":\s*(\d{1,18})')
_STREAMS: Final = (b"l2Book", b"bbo", b"activeAssetCtx")


def subscribe(streams: list[str], number: int) -> bytes:
    """Return the message that subscribes to one stream, ``l2Book:BTC``; the venue takes one a message.

    Raises ``ValueError`` for several: the file of the venue says how many a message holds.
    """
    if len(streams) != 1:
        raise ValueError(f"expected one stream a message, was {len(streams)} (request {number})")
    kind, _, coin = streams[0].partition(":")
    subscription = {"type": kind, "coin": coin}
    return json.dumps({"method": "subscribe", "subscription": subscription}, separators=(",", ":")).encode()


def sequence(body: bytes, last: Last) -> SequenceStep:
    """Return the verdict on a message: each stands by itself, and its time may not go back."""
    channel = _CHANNEL.match(body)
    if channel is None or channel[1] not in _STREAMS:
        return OTHER
    coin, time = _COIN.search(body), _TIME.search(body)
    if coin is None:
        return OTHER
    return in_order(channel[1] + b":" + coin[1], int(time[1]) if time else 0, last)


def heartbeat(body: bytes) -> Heartbeat | None:
    """Return an empty heartbeat for ``pong``: it answers our ping."""
    return Heartbeat(b"") if body.startswith(b'{"channel":"pong"') else None


def refusal(body: bytes) -> str:
    """Return the text of the channel ``error``."""
    return body[:200].decode("utf-8", "replace") if body.startswith(b'{"channel":"error"') else ""


RULES: Final = VenueRules(subscribe, sequence, heartbeat, refusal, ping=b'{"method":"ping"}'
)  # fmt: skip
