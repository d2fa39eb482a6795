"""Faults beside lost messages: refusals, the test network, clocks, a full disk, a full queue, a restart, 24 hours."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backtest.data.raw.control_log import read_all_control
from backtest.data.raw.gap_ledger import gap_rows
from backtest.data.raw.segments import read_records, segments_of
from backtest.record import recording as recording_module
from backtest.record.clocks import SYSTEM, Clocks
from backtest.record.disk_writer import DiskWriter
from tests.backtest.record.loopback import events, feed_file, fields, gaps, plan_of, received, record
from tests.helpers.loopback_venue import LoopbackVenue
from tests.helpers.raw_messages import advancing, recording

BOOKS = recording("hyperliquid/hftbacktest.btcusd_20250126")
SECOND_NS = 10**9


def hyperliquid(venue: LoopbackVenue, **limits: int):  # type: ignore[no-untyped-def]
    file = feed_file("hyperliquid", venue.url, **limits)
    return plan_of(file.model_copy(update={"lists": [], "polls": []}), ["BTC"], ["book"])


def test_a_refused_connection_is_tried_again_when_it_may_be(tmp_path: Path) -> None:
    began = time.monotonic()
    with LoopbackVenue("hyperliquid", BOOKS, refuse=[(429, "2")]) as venue:
        record(tmp_path, hyperliquid(venue), lambda _: 0 in venue.finished)

    assert time.monotonic() - began > 2
    refused = fields(events(tmp_path, "refused"))
    assert [(f["status"], f["retry_after_ms"]) for f in refused] == [(429, 2_000)]
    assert [r.body for r in received(tmp_path)[-1]] == venue.sent[0].bodies


def test_a_refused_request_waits_for_as_long_as_it_is_told(tmp_path: Path) -> None:
    with LoopbackVenue("binance", answers={"/fapi/v1/exchangeInfo": b"{}"}) as venue:
        venue.refuse = []
        plan = plan_of(feed_file("binance-usdm", venue.url), ["SUSHIUSDT"], ["quote"])
        record(tmp_path, plan, lambda _: len(venue.requests) > 5)
    refused = fields(events(tmp_path, "refused"))
    assert {f["status"] for f in refused} == {404}
    assert any("/fapi/v1/fundingRate?symbol=SUSHIUSDT" in f["url"] for f in refused)


def test_the_test_network_is_no_venue(tmp_path: Path) -> None:
    """Deribit's envelope says so in the first answer: the connection is ended, and tried again seldom."""
    messages = recording("deribit/cryptofeed.DERIBIT.ws.1.0")
    with LoopbackVenue("deribit", messages, testnet=True, pause_s=0.05) as venue:
        plan = plan_of(feed_file("deribit", venue.url), ["BTC-PERPETUAL"], ["fast-ticker"])
        record(tmp_path, plan, lambda _: bool(events(tmp_path, "close")))

    assert any(f["why"].startswith("testnet: true") for f in fields(events(tmp_path, "refused")))
    assert fields(events(tmp_path, "close"))[0]["reason"].startswith("refused: testnet")
    assert len(venue.sent) == 1


def test_the_clock_of_a_venue_is_bounded(tmp_path: Path) -> None:
    """A venue whose clock is 3 s ahead: its time lies outside the request by about so much."""
    with LoopbackVenue("binance", clock_off_ms=3_000) as venue:
        plan = plan_of(feed_file("binance-usdm", venue.url), ["SUSHIUSDT"], ["quote"])
        record(tmp_path, plan, lambda _: bool(events(tmp_path, "clock")))

    (clock,) = fields(events(tmp_path, "clock"))
    assert clock["t1_ns"] < clock["t2_ns"]
    assert 2.9 * SECOND_NS < clock["server_ns"] - clock["t2_ns"] < 3.0 * SECOND_NS
    # the server's time is cut off to its unit, a millisecond
    assert clock["server_ns"] + clock["server_unit_ns"] - clock["t1_ns"] > 3.0 * SECOND_NS


@pytest.mark.parametrize("by_ns", [-3 * SECOND_NS, 3 * SECOND_NS])
def test_a_step_of_the_clock_is_a_gap_of_every_stream(by_ns: int, tmp_path: Path) -> None:
    """Over the wall times that occurred twice, or never."""
    step_at = SYSTEM.mono_ns() + 2 * SECOND_NS
    clocks = Clocks(lambda: SYSTEM.wall_ns() + (by_ns if SYSTEM.mono_ns() > step_at else 0), SYSTEM.mono_ns)
    with LoopbackVenue("hyperliquid", BOOKS, pause_s=0.02, repeat=False) as venue:
        plan = hyperliquid(venue)
        record(tmp_path, plan, lambda _: bool(events(tmp_path, "clock_step")), clocks)

    (step,) = fields(events(tmp_path, "clock_step"))
    assert step["by_ns"] == pytest.approx(by_ns, abs=10**7)
    (row,) = [row for row in gaps(tmp_path) if row.why == "clock"]
    assert (row.from_ns, row.to_ns) == (step["from_ns"], step["to_ns"])
    assert row.to_ns is not None
    assert row.to_ns - row.from_ns >= 3 * SECOND_NS - 10**7
    assert row.stream == "l2Book:BTC"


def test_a_full_disk_drops_what_the_queue_cannot_hold_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk refuses for two seconds: what was dropped is numbered, everything else is there, then it goes on."""
    write, until = os.write, [0.0]

    def refusing(handle: int, data: bytes) -> int:
        if time.monotonic() < until[0]:
            raise OSError(28, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(recording_module.os, "write", refusing)
    with LoopbackVenue("hyperliquid", advancing(BOOKS[:20], 40), pause_s=0.005) as venue:
        plan = hyperliquid(venue)
        tight = plan.budget.model_copy(update={"queue_mb": "0.05"})
        begun: list[int] = []

        def done(recorder: object) -> bool:
            if not begun and venue.sent and len(venue.sent[0].bodies) > 30:
                begun.append(len(venue.sent[0].bodies))
                until[0] = time.monotonic() + 2
            return 0 in venue.finished

        counts = record(tmp_path, type(plan)(plan.name, plan.sha256, tight, plan.feeds), done, seconds=40)

    assert counts.dropped > 0
    drops = fields(events(tmp_path, "drop"))
    assert sum(d["records"] for d in drops) == counts.dropped
    states = [f["state"] for f in fields(events(tmp_path, "disk"))]
    assert "full" in states
    assert states[-1] == "ok"
    stored = {r.number: r.body for s in segments_of(tmp_path) for r in read_records(s.path) if "rest" not in s.feed}
    lost = {n for d in drops for n in range(d["first"], d["last"] + 1)}
    assert not lost & set(stored)
    assert lost | set(stored) == set(range(max(stored) + 1))
    assert any(row.why == "drop" and row.to_ns is not None for row in gaps(tmp_path))


def test_a_restart_is_a_gap_from_the_last_record_to_the_first_whole_message(tmp_path: Path) -> None:
    for _ in range(2):
        with LoopbackVenue("hyperliquid", BOOKS) as venue:
            record(tmp_path, hyperliquid(venue), lambda _, venue=venue: 0 in venue.finished)

    first, second = received(tmp_path)
    rows = [row for row in gap_rows(read_all_control(tmp_path)) if row.why == "off"]
    book = next(r for r in second if b"l2Book" in r.body and b"subscriptionResponse" not in r.body)
    assert rows[-1].to_ns == book.wall_ns
    assert first[-1].wall_ns <= rows[-1].from_ns < second[0].wall_ns


def test_a_connection_is_replaced_before_its_lifetime_without_a_gap(tmp_path: Path) -> None:
    """Two connections overlap; both are recorded, the second goes on alone."""
    with LoopbackVenue("hyperliquid", advancing(BOOKS, 20), pause_s=0.02) as venue:
        plan = hyperliquid(venue, lifetime_s=2, overlap_s=1)
        record(tmp_path, plan, lambda _: len(events(tmp_path, "close")) >= 2, seconds=40)

    assert gaps(tmp_path) == []
    closed = fields(events(tmp_path, "close"))
    assert closed[0]["reason"] == "replaced by the next connection"
    first, second = received(tmp_path)[:2]
    assert first[-1].wall_ns > second[0].wall_ns + SECOND_NS // 2


def test_what_ends_the_writer_ends_the_recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in the thread is not silence."""

    def broken(self: DiskWriter, *_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(DiskWriter, "_write", broken)
    with LoopbackVenue("hyperliquid", BOOKS) as venue, pytest.raises(RuntimeError, match="planted"):
        record(tmp_path, hyperliquid(venue), lambda _: False)
