"""A recording's day: rows by receipt, none in a declared gap, settlements answered after it.  [live L0.4, L2.1]"""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.data.format.schema import Channel
from backtest.data.raw.control_log import ControlEvent
from backtest.data.raw.segment_chain import CHAIN_FILE
from backtest.data.raw.segments import RawRecord, RecordKind, hour_of, segment_path
from backtest.live.day_chain import read_days
from backtest.live.day_source import SourcedDay
from backtest.live.digest import day_table
from backtest.live.join import join_days
from backtest.live.raw_source import RawSource
from backtest.live.seal import seal_day
from engine.errors import CmeError
from engine.units import NS_PER_HOUR, NS_PER_SECOND
from tests.backtest.live.recorded_days import (
    DAY,
    ENDS,
    FEED,
    PERP,
    START,
    STREAM,
    add_settlements,
    after_midnight,
    hourly_quotes,
    subscribed,
    write_recording,
)


def recording(folder: Path, gap: tuple[int, int] | None = None) -> RawSource:
    """Quotes each hour of a day and of the hour after it, and a funding answer at 00:05 of the next day."""
    segments = hourly_quotes(25)
    add_settlements(segments, after_midnight(0), [START + k * 8 * NS_PER_HOUR for k in range(4)])
    events = subscribed()
    if gap is not None:
        begun = {**ENDS, "streams": {STREAM: PERP}, "from_ns": gap[0], "why": "closed", "proof": "x"}
        ended = {**ENDS, "streams": {STREAM: gap[1]}, "from_ns": gap[0], "why": "closed"}
        events += [ControlEvent(gap[0], gap[0], "gap", begun), ControlEvent(gap[1], gap[1], "whole", ended)]
    write_recording(folder, segments, events)
    return RawSource(folder)


OPTION = "deribit:BTC-30SEP27-60000-C"
DERIBIT = {"venue": "deribit", "feed": "deribit-stream-0", "connection": 3}


def ticker(event_ns: int, bid: float) -> bytes:
    return (f'{{"params":{{"channel":"ticker.BTC-30SEP27-60000-C.agg2","data":{{"timestamp":{event_ns // 1_000_000},'
            f'"mark_price":0.0084,"instrument_name":"BTC-30SEP27-60000-C","index_price":29939.43,"best_bid_price":{bid},'
            '"best_bid_amount":2.8,"best_ask_price":0.009,"best_ask_amount":18.5}}}').encode()  # fmt: skip


def test_a_quiet_option_is_repeated_while_its_connection_answers_and_a_late_quote_keeps_its_lag(tmp_path: Path) -> None:
    """Two quotes of 5 s and 200 s, the second 3 s late; messages at the end of each minute; a clock 1 s ahead."""
    s = NS_PER_SECOND
    early, late = ticker(START + 3 * s, 0.008), ticker(START + 196 * s, 0.007)
    said = [(5, early), (58, b"{}"), (118, b"{}"), (200, late), (238, b"{}")]
    records = [RawRecord(START + t * s, START + t * s, 3, n, RecordKind.TEXT, body) for n, (t, body) in enumerate(said)]
    asked = {"venue": "deribit", "t1_ns": START, "server_ns": START - s, "t2_ns": START, "server_unit_ns": 1_000_000}
    events = [ControlEvent(START, START, "clock", asked)]
    for t_ns in (START + 50 * s, START + 95 * s, START + 230 * s):
        beat = {**DERIBIT, "sent_ns": START, "answered_ns": t_ns}
        events.append(ControlEvent(t_ns, t_ns, "heartbeat", beat))
    write_recording(tmp_path, {("deribit-stream-0", hour_of(START)): records}, events)
    day = RawSource(tmp_path).read(DAY)
    rows = [((row["t_ns"] - START) // s, row["bid"], row["lag_ns"] // s, row["refreshed"])
            for row in day.tables["BTC"].to_pylist() if row["channel"] == Channel.QUOTE]  # fmt: skip
    # at 118 s the last answer is 23 s old; the late quote is not repeated
    assert sorted(rows) == [(5, 0.008, 1, False), (58, 0.008, 54, True), (200, 0.007, 3, False)]
    (tmp_path / "days").mkdir()
    seal_day(read_days(tmp_path / "days"), RawSource(tmp_path), day, 60 * s, 1)
    joined = join_days(tmp_path / "days", tmp_path / "joined", "joined")
    sealed = day_table(joined, DAY).to_pylist()
    assert [row["refreshed"] for row in sealed if row["channel"] == Channel.QUOTE] == [False, True, False]


def quotes(day: SourcedDay) -> list[tuple[int, float]]:
    rows = day.tables["BTC"].to_pylist()
    return [(row["t_ns"] - START, row["bid"]) for row in rows if row["channel"] == Channel.QUOTE]


def test_a_day_has_its_quotes_by_receipt_and_its_settlements_by_their_nominal_time(tmp_path: Path) -> None:
    day = recording(tmp_path).read(DAY)
    assert quotes(day) == [(hour * NS_PER_HOUR + 7, 100.0 + hour) for hour in range(24)]
    settled = [row["t_ns"] for row in day.tables["BTC"].to_pylist() if row["channel"] == Channel.SETTLE]
    assert settled == [START + k * 8 * NS_PER_HOUR for k in range(3)]  # that of midnight is the next day's
    assert (day.up_share, day.clock_bound_ns, len(day.segments)) == ({FEED: 1.0}, 5_000_000, 26)


def test_no_row_lies_in_a_gap_and_a_settlement_does(tmp_path: Path) -> None:
    gap = (START + 7 * NS_PER_HOUR + 7, START + 10 * NS_PER_HOUR + 7)
    day = recording(tmp_path, gap).read(DAY)
    hours = [t_ns // NS_PER_HOUR for t_ns, _ in quotes(day)]
    assert [hour for hour in range(24) if hour not in hours] == [8, 9]  # both ends are messages that stand
    assert len([row for row in day.tables["BTC"].to_pylist() if row["channel"] == Channel.SETTLE]) == 3
    (row,) = day.gaps
    assert (row.instrument, row.from_ns, row.to_ns, row.why) == (PERP, *gap, "closed")
    assert day.up_share[FEED] == pytest.approx(1 - 181 / 1440)


def test_a_recorded_day_is_sealed_with_its_segments(tmp_path: Path) -> None:
    source = recording(tmp_path / "raw")
    (tmp_path / "days").mkdir()
    chain = seal_day(read_days(tmp_path / "days"), source, source.read(DAY), 60 * NS_PER_SECOND, 1)
    (row,) = chain.rows
    assert (row["rows"], row["missing"], row["segments"], row["clock_bound_us"]) == (27, 0, 26, 5_000)
    assert len(chain.evidence(row)["segments"]) == 26


@pytest.mark.parametrize(("fault", "code"), [("changed", 21), ("not closed", 3)])
def test_a_segment_that_is_not_what_the_chain_says_is_refused(tmp_path: Path, fault: str, code: int) -> None:
    source = recording(tmp_path)
    path = segment_path(tmp_path, FEED, hour_of(START), 0)
    if fault == "changed":
        path.write_bytes(path.read_bytes() + b"x")
    else:
        lines = (tmp_path / CHAIN_FILE).read_bytes().splitlines(keepends=True)
        (tmp_path / CHAIN_FILE).write_bytes(b"".join(lines[:-1]))
    with pytest.raises(CmeError) as error:
        source.read(DAY)
    assert error.value.exit_code == code
