"""The three pure functions of a venue, and what they return.  [live L1]"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple


class Verdict(IntEnum):
    """What a message says about its stream."""

    OTHER = 0
    """It is of no stream: an acknowledgement, a heartbeat."""
    OK = 1
    """It follows the message before it."""
    RESET = 2
    """It stands by itself: a snapshot replaces whatever was known."""
    GAP = 3
    """Something is missing before it, or it is older than the one before it."""


class SequenceStep(NamedTuple):
    """The result of a sequence rule: the stream by its name, the verdict, the message's number and the one before.

    ``number`` is kept by the caller as the stream's last one; ``expected`` is what a message without a gap would have
    named.  Both are 0 where a stream has none.
    """

    stream: bytes
    verdict: Verdict
    number: int = 0
    expected: int = 0


_new = tuple.__new__


def step_of(stream: bytes, verdict: Verdict, number: int = 0, expected: int = 0) -> SequenceStep:
    """Return a step; made for every message, so without the checks of the class's own constructor."""
    return _new(SequenceStep, (stream, verdict, number, expected))


OTHER = SequenceStep(b"", Verdict.OTHER)
_RESET, _GAP = Verdict.RESET, Verdict.GAP
Last = Mapping[bytes, int]
"""Stream -> number of its last message on this connection."""


class Heartbeat(NamedTuple):
    """A sign of life: the answer that it asks for, empty where it is itself the answer to one of ours."""

    answer: bytes


class VenueRules(NamedTuple):
    """A venue's protocol.  Every function is pure.

    ``subscribe(streams, number)``: the message that subscribes to them, with the request number.
    ``sequence(body, last)``: the verdict on a message.
    ``heartbeat(body)``: the heartbeat that a message is, or None.
    ``greeting``: messages sent once a connection is open, before subscribing.
    ``ping``: the message that asks for a sign of life, empty where a websocket ping does.
    ``refusal(body)``: why the venue refuses, or ``testnet: true``; empty where it does not.
    """

    subscribe: Callable[[list[str], int], bytes]
    sequence: Callable[[bytes, Last], SequenceStep]
    heartbeat: Callable[[bytes], Heartbeat | None]
    refusal: Callable[[bytes], str]
    greeting: tuple[bytes, ...] = ()
    ping: bytes = b""


def in_order(stream: bytes, number: int, last: Last) -> SequenceStep:
    """Return the verdict on a message that stands by itself and is numbered: it may repeat, it may not go back."""
    before = last.get(stream, 0)
    if number < before:
        return step_of(stream, _GAP, before, before)
    return _new(SequenceStep, (stream, _RESET, number, before))


def streams_of_form(form: str, symbols: Iterable[str]) -> dict[str, str]:
    """Return stream -> symbol, by a form with ``{symbol}``, or ``{lower}`` for lower case.

    Examples
    --------
    >>> streams_of_form("{lower}@markPrice@1s", ["BTCUSDT"])
    {'btcusdt@markPrice@1s': 'BTCUSDT'}
    >>> streams_of_form("ticker.{symbol}.100ms", ["BTC-PERPETUAL"])
    {'ticker.BTC-PERPETUAL.100ms': 'BTC-PERPETUAL'}
    """
    return {form.format(symbol=symbol, lower=symbol.lower()): symbol for symbol in symbols}
