"""What a venue on loopback sent is on the disk byte for byte, and each fault is in the control log as its gap."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backtest.record.loopback import events, feed_file, fields, gaps, plan_of, received, record
from tests.helpers.loopback_venue import LoopbackVenue
from tests.helpers.raw_messages import recording

RECORDINGS = {
    "binance-usdm": ("binance-usdm/cryptofeed.BINANCE_FUTURES.ws.1.0", "binance", ["difference", "quote"]),
    "binance-spot": ("binance-spot/cryptofeed.BINANCE.ws.1.0", "binance", ["difference", "quote"]),
    "hyperliquid": ("hyperliquid/hftbacktest.btcusd_20250126", "hyperliquid", ["book"]),
}


def symbols(name: str, streams: list[str]) -> list[str]:
    """The symbols of a recording."""
    if name == "hyperliquid":
        return ["BTC"]
    return sorted({stream.split("@")[0].upper() for stream in streams})


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_is_stored_byte_for_byte(name: str, tmp_path: Path) -> None:
    file, protocol, kinds = RECORDINGS[name]
    messages = recording(file)
    with LoopbackVenue(protocol, messages, pause_s=0) as venue:
        file_ = feed_file(name, venue.url)
        plan = plan_of(file_, symbols(name, [m.stream for m in messages]), kinds)
        counts = record(tmp_path, plan, lambda _: 0 in venue.finished)

    (connection,) = received(tmp_path)
    assert [r.body for r in connection] == venue.sent[0].bodies
    assert [r.number for r in connection] == sorted(r.number for r in connection)
    assert counts.dropped == 0
    assert gaps(tmp_path) == []
    assert fields(events(tmp_path, "connect"))[-1]["url"].endswith(venue.sent[0].path)


def test_the_book_of_deribit_is_stored_with_its_heartbeats(tmp_path: Path) -> None:
    """Options' books and tickers of the stored recording, by the channels it was recorded from."""
    messages = recording("deribit/cryptofeed.DERIBIT.ws.1.0")
    with LoopbackVenue("deribit", messages, pause_s=0.01) as venue:
        file = feed_file("deribit", venue.url, ping_s=1)
        raw = [form.model_copy(update={"form": form.form.replace(".100ms", ".raw")}) for form in file.streams]
        names = sorted({m.stream.split(".")[1] for m in messages})
        plan = plan_of(file.model_copy(update={"streams": raw}), names, ["difference", "fast-ticker"])
        record(tmp_path, plan, lambda _: 0 in venue.finished and bool(events(tmp_path, "heartbeat")))

    (connection,) = received(tmp_path)
    stored, sent = [r.body for r in connection], venue.sent[0].bodies
    assert stored == sent[: len(stored)]
    # the answer to a later ping may have been on its way when the recorder ended
    assert all(b'"result":"ok"' in body for body in sent[len(stored) :])
    assert set(stored) >= {m.body for m in messages}
    assert b'"public/set_heartbeat"' in venue.sent[0].received[0]
    assert gaps(tmp_path) == []
    beat = fields(events(tmp_path, "heartbeat"))[0]
    assert 0 < beat["answered_ns"] - beat["sent_ns"] < 2_000_000_000


USDM = "binance-usdm/cryptofeed.BINANCE_FUTURES.ws.1.0"
SUSHI = [m for m in recording(USDM) if m.stream == "sushiusdt@depth@100ms"]


@pytest.mark.parametrize(
    ("fault", "healed"),
    [
        ("lose", False),  # a difference is missing: broken until a new connection begins a new chain
        ("repeat", True),  # the same message again changes nothing
        ("swap", False),
        ("late", False),
        ("abort", False),
        ("half", False),
        ("close", False),
        ("silence", False),
    ],
)
def test_each_fault_is_in_the_control_log_as_its_gap(fault: str, healed: bool, tmp_path: Path) -> None:
    """From the last message before the fault to the first whole one after it, and the cause by name."""
    why = {"abort": "closed", "half": "closed", "close": "closed", "silence": "silence"}.get(fault, "sequence")
    with LoopbackVenue("binance", SUSHI[:40], [(fault, 0, 20)], pause_s=0.01) as venue:
        file = feed_file("binance-usdm", venue.url, dead_s=2, ping_s=1, overlap_s=1)
        brief = [form.model_copy(update={"silence_ms": 500}) for form in file.streams]
        plan = plan_of(file.model_copy(update={"streams": brief}), ["SUSHIUSDT"], ["difference"])
        record(tmp_path, plan, lambda _: (0 if healed else 1) in venue.finished, seconds=40)

    connections = received(tmp_path)
    for stored, sent in zip(connections, venue.sent, strict=True):
        assert [r.body for r in stored] == sent.bodies
    found = [row for row in gaps(tmp_path) if row.to_ns is not None]
    if healed:
        assert found == []
        return
    assert {row.why for row in found} == {why}
    (row,) = found[:1]
    assert (row.instrument, row.stream) == ("binance:SUSHIUSDT-PERP", "sushiusdt@depth@100ms")
    market = [r for r in connections[0] if b'"stream"' in r.body]
    assert row.from_ns in {market[19].wall_ns, market[20].wall_ns} if fault in ("swap", "late") else market[19].wall_ns
    assert row.to_ns == next(r.wall_ns for r in connections[1] if b'"stream"' in r.body)
