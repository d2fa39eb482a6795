"""When a stream of a feed is whole, step by step: two connections, silence, drops, expiries."""

from __future__ import annotations

from typing import Any

import pytest

from backtest.record.stream_states import StreamStates
from backtest.record.venues import binance

MS = 1_000_000
BOOK, DIFFERENCE = "a@depth5", "a@depth@100ms"
Event = tuple[str, dict[str, Any]]


def partial(number: int) -> bytes:
    return b'{"stream":"a@depth5","data":{"lastUpdateId":%d,"bids":[],"asks":[]}}' % number


def difference(previous: int, number: int) -> bytes:
    numbers = (previous + 1, number, previous)
    return b'{"stream":"a@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"A","U":%d,"u":%d,"pu":%d}}' % numbers


class Feed:
    """A feed whose clock is the number of the step."""

    def __init__(self, *streams: str, silence_ms: int = 0, off_ns: int | None = 0) -> None:
        self.states = StreamStates("v", "f", binance.sequence)
        self.streams = dict.fromkeys(streams, "v:A")
        self.began = list(self.states.expect(self.streams, silence_ms, 1, 1, off_ns, "none before"))

    def open(self, connection: int) -> None:
        (event,) = self.states.subscribe(connection, self.streams)
        assert event[1]["streams"] == self.streams

    def hear(self, connection: int, at: int, *bodies: bytes) -> list[tuple[str, Any]]:
        records = [(at + n, at + n, 1, body) for n, body in enumerate(bodies)]
        return short(list(self.states.receive(connection, records, lambda *_: ())))


def short(events: list[Event]) -> list[tuple[str, Any]]:
    """Name, cause and begin of a gap; name and ends of its end."""
    return [
        (name, f["why"], f["from_ns"]) if name == "gap" else (name, f["streams"]) if name == "whole" else (name, f)
        for name, f in events
    ]


def test_a_stream_is_in_a_gap_until_its_first_whole_message() -> None:
    feed = Feed(BOOK)
    assert short(feed.began) == [("gap", "off", 0)]
    assert feed.began[0][1]["streams"] == {BOOK: "v:A"}
    feed.open(1)
    assert feed.hear(1, 10, partial(5), partial(6)) == [("whole", {BOOK: 10})]
    assert short(Feed(BOOK, off_ns=None).began) == []


def test_a_connection_that_ends_is_a_gap_only_of_what_no_other_brings() -> None:
    feed = Feed(BOOK, DIFFERENCE)
    feed.open(1)
    feed.hear(1, 10, partial(5), difference(1, 2))
    feed.open(2)
    feed.hear(2, 20, partial(6))

    assert short(list(feed.states.close(1, 30, "replaced"))) == [("gap", "closed", 30)]
    assert feed.states.broken == 1
    assert feed.hear(2, 40, difference(8, 9)) == [("whole", {DIFFERENCE: 40})]
    assert short(list(feed.states.close(2, 50, "ended"))) == [("gap", "closed", 50)]


def test_a_broken_chain_stays_broken_until_another_connection_begins_one() -> None:
    feed = Feed(DIFFERENCE)
    feed.open(1)
    feed.hear(1, 10, difference(1, 2), difference(2, 3))
    assert feed.hear(1, 20, difference(5, 6), difference(6, 7)) == [("gap", "sequence", 11)]
    assert not feed.states.stale(1, 11 + 5, 10)
    assert feed.states.stale(1, 11 + 11, 10)
    feed.open(2)
    assert feed.hear(2, 30, difference(9, 10)) == [("whole", {DIFFERENCE: 30})]
    assert not feed.states.stale(1, 10**9, 10)


def test_what_was_healed_before_a_gap_stands_before_it() -> None:
    feed = Feed(DIFFERENCE)
    feed.open(1)
    assert feed.hear(1, 10, difference(1, 2), difference(5, 6)) == [
        ("whole", {DIFFERENCE: 10}), ("gap", "sequence", 10),
    ]  # fmt: skip


@pytest.mark.parametrize("body", [difference(2, 3), difference(4, 5)])
def test_after_silence_a_chain_that_goes_on_has_lost_nothing(body: bytes) -> None:
    feed = Feed(DIFFERENCE, silence_ms=100)
    feed.open(1)
    feed.hear(1, 10, difference(1, 2))
    assert list(feed.states.tick(10 + 100 * MS)) == []
    silence, gap = short(list(feed.states.tick(10 + 101 * MS)))
    assert (silence[0], silence[1]["last_ns"], silence[1]["limit_ms"]) == ("silence", 10, 100)
    assert gap == ("gap", "silence", 10)
    assert list(feed.states.tick(10 + 500 * MS)) == []  # said once
    follows = body == difference(2, 3)
    assert feed.hear(1, 10 + 600 * MS, body) == ([("whole", {DIFFERENCE: 10 + 600 * MS})] if follows else [])
    # One that does not go on is broken for good, also where its next messages follow each other.
    assert feed.hear(1, 10 + 700 * MS, difference(3 if follows else 5, 6)) == []
    assert feed.states.broken == (0 if follows else 1)


def test_a_drop_is_a_gap_of_every_stream_of_its_connection() -> None:
    feed = Feed(BOOK, DIFFERENCE)
    feed.open(1)
    feed.hear(1, 10, partial(5), difference(1, 2))
    drop, gap = short(list(feed.states.drop(1, 11, 2, 4)))
    assert (drop[0], drop[1]["first"], drop[1]["last"], drop[1]["records"]) == ("drop", 2, 4, 3)
    assert gap == ("gap", "drop", 11)
    assert feed.hear(1, 20, difference(2, 3), partial(9)) == [("whole", {DIFFERENCE: 20, BOOK: 21})]


def test_an_expired_contract_is_expected_no_more() -> None:
    feed = Feed(BOOK, silence_ms=100)
    feed.open(1)
    feed.hear(1, 10, partial(5))
    assert list(feed.states.retire([BOOK])) == []
    assert list(feed.states.tick(10**12)) == []
    assert list(feed.states.close(1, 20, "ended")) == []


def test_a_step_of_the_clock_begins_and_ends_at_once() -> None:
    feed = Feed(BOOK)
    feed.open(1)
    feed.hear(1, 10, partial(5))
    assert short(list(feed.states.clock_step(100, 400, "stepped"))) == [
        ("gap", "clock", 100), ("whole", {BOOK: 400}),
    ]  # fmt: skip
    assert feed.states.broken == 0
