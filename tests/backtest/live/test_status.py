"""The status: states of streams from a recording written by hand, coverage and floors, page and metrics.  [live L3]"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backtest.data.raw.control_log import FOLDER, ControlEvent, event_line
from backtest.data.raw.segments import (
    RawRecord,
    RecordKind,
    frame,
    hour_of,
    packed_records,
    read_records,
    segment_path,
    tail_records,
)
from backtest.live.emit_progress import coverage_of, floors_of
from backtest.live.feeds import STATES, feed_states
from backtest.live.live_folder import LiveFolder
from backtest.live.status import status_of
from backtest.live.status_metrics import metrics_of
from backtest.live.status_page import page_of, text_of
from backtest.registration.load import load_registration
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND, NS_PER_US
from tests.helpers.small_run import ROOT

NOW = 20_800 * NS_PER_DAY + 9 * NS_PER_HOUR + 120 * NS_PER_SECOND
FEED = "hyperliquid-stream-0"
ENDS = {"venue": "hyperliquid", "feed": FEED, "connection": 1}
COINS = ("LIVE", "LATE", "GAP", "QUIET", "OFF", "GONE", "EDGE")
PLAN = load_registration(ROOT / "configs" / "demo.toml")
DAYS = [f"2026-12-{day:02d}" for day in range(1, 32)]


def book(coin: str, event_ns: int) -> bytes:
    return b'{"channel":"l2Book","data":{"coin":"%s","time":%d,"levels":[[],[]]}}' % (
        coin.encode(), event_ns // NS_PER_MS,
    )  # fmt: skip


def recording(folder: Path, stopped: bool = False) -> Path:
    """A feed of seven books, a stream in each state; the newest hour has begun two minutes ago."""
    lags_ms = {"LIVE": 300, "LATE": 2001, "EDGE": 2000, "GAP": 100, "QUIET": 100, "OFF": 100, "GONE": 100}
    for hour, since_s in ((8, 3700), (9, 60)):
        at = NOW - since_s * NS_PER_SECOND
        assert hour_of(at).endswith(f"T{hour:02d}")
        path = segment_path(folder, FEED, hour_of(at), 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        # the newest message of a stream decides: an hour before every one was an hour late
        lags = dict.fromkeys(COINS, 3_600_000) if hour == 8 else {c: ms for c, ms in lags_ms.items() if c != "OFF"}
        records = [RawRecord(at + n * NS_PER_MS, at, 1, n, RecordKind.TEXT, book(coin, at + (n - ms) * NS_PER_MS))
                   for n, (coin, ms) in enumerate(lags.items())]  # fmt: skip
        path.write_bytes(b"".join(frame(packed_records([record])) for record in records))
    at = NOW - 7200 * NS_PER_SECOND
    begun = [
        ("start", {"run_uid": "u", "plan": "p", "plan_sha256": "0" * 64, "recorder_sha256": "0" * 64}),
        ("connect", {**ENDS, "url": "ws://x"}),
        ("connect", {**ENDS, "url": "ws://x"}),
        ("subscribe", {**ENDS, "streams": {f"l2Book:{coin}": f"hyperliquid:{coin}-PERP" for coin in COINS}}),
        ("clock", {"venue": "hyperliquid", "t1_ns": 0, "server_ns": 7_000, "t2_ns": 1_000, "server_unit_ns": 1_000}),
        ("drop", {**ENDS, "first": 4, "last": 6, "records": 3, "why": "queue full"}),
        *(("gap", {**ENDS, "streams": {f"l2Book:{coin}": f"hyperliquid:{coin}-PERP"},
                   "from_ns": NOW - 600 * NS_PER_SECOND, "why": why, "proof": "x"})
          for coin, why in (("GAP", "sequence"), ("QUIET", "silence"), ("OFF", "off"), ("GONE", "closed"))),
        ("universe", {"venue": "hyperliquid", "listed": 6, "subscribed": 6, "added": [], "gone": ["GONE-PERP"]}),
    ]  # fmt: skip
    events = begun + ([("stop", {"reason": "asked to"})] if stopped else [])
    log = folder / FOLDER / f"{hour_of(at)}.0.jsonl"
    log.parent.mkdir()
    log.write_bytes(b"".join(event_line(ControlEvent(at, at, name, fields)) for name, fields in events))
    return folder


def by_coin(raw: Path) -> dict[str, dict[str, Any]]:
    return {feed["stream"].removeprefix("l2Book:"): feed for feed in feed_states(raw, NOW // NS_PER_US)}


def test_each_state_is_that_of_the_law(tmp_path: Path) -> None:
    """Late is the lag of the newest message over its limit; a gap says more; what expired is not expected."""
    feeds = by_coin(recording(tmp_path))
    assert {coin: feed["state"] for coin, feed in feeds.items()} == {
        "LIVE": "live", "LATE": "late", "EDGE": "live", "GAP": "gap", "QUIET": "failing", "OFF": "off",
    }  # fmt: skip
    late = feeds["LATE"]
    assert (late["lag_ms"], late["lag_limit_ms"], late["dropped"], late["reconnects"]) == (2001, 2000, 3, 1)
    assert (late["last_receipt_us"] - late["last_event_us"], late["clock_bound_us"]) == (2_001_000, 8)
    # its newest message is in the file of the hour before
    assert (feeds["OFF"]["last_receipt_us"], feeds["OFF"]["lag_ms"]) == (
        (NOW + 4 * NS_PER_MS) // NS_PER_US - 3_700_000_000,
        3_600_000,
    )
    assert feeds["GAP"]["gap_minutes"] == 10.0


def test_a_recorder_that_stopped_has_every_stream_off(tmp_path: Path) -> None:
    assert {feed["state"] for feed in by_coin(recording(tmp_path, stopped=True)).values()} == {"off"}


def test_the_tail_of_a_segment_is_the_end_of_what_is_read_whole(tmp_path: Path) -> None:
    """With a torn tail and with a part of it that is no frame."""
    path = tmp_path / "x.seg"
    records = [RawRecord(n, n, 1, n, RecordKind.TEXT, b"a" * n) for n in range(50)]
    whole = b"".join(frame(packed_records(records[n : n + 2])) for n in range(0, 50, 2))
    for tail in (b"", frame(packed_records(records))[:-1], b"\x00" * 40):
        path.write_bytes(whole + tail)
        assert list(read_records(path)) == records
        assert list(tail_records(path, 3)) == records[-6:]
        assert list(tail_records(path, 1000)) == records
    assert not list(tail_records(path, 0))


def progress(open_days: list[str], dislocations: int, to: str) -> dict[str, Any]:
    counted = {"signals": 40, "dislocations": dislocations, "open_days": open_days}
    return {"schema": "progress/1", "to": to, "days": {to: {"C1": [30, 40, 7]}}, "constraints": {"C1": counted}}


@pytest.mark.parametrize(("to", "open_days", "dislocations", "reachable"), [
    # ten folds of three days from 12-01; floors: 5 days, 4 dislocations, 3 blocks
    ("2026-12-24", [], 0, False),  # six days are left, in two folds
    ("2026-12-23", [], 0, True),
    ("2026-12-24", ["2026-12-24"], 0, True),
    ("2026-12-26", ["2026-12-01"], 0, True),
    ("2026-12-27", ["2026-12-01"], 0, False),  # four days
    ("2026-12-30", DAYS[:5], 4, False),  # two folds
    ("2026-12-30", DAYS[:7], 4, True),
    ("2026-12-30", DAYS[:7], 3, False),  # no day is left
    ("2026-12-29", DAYS[:7], 3, True),
    ("2026-12-30", ["2026-12-01", "2026-12-04", "2026-12-07"], 4, False),  # three days
])  # fmt: skip
def test_a_floor_is_out_of_reach_only_if_bound_and_days_left_are_below_it(
    to: str, open_days: list[str], dislocations: int, reachable: bool
) -> None:
    stats = replace(PLAN.stats, floor_days=5, floor_trades=4, floor_blocks=3)
    t0 = 20_788 * NS_PER_DAY  # 2026-12-01
    plan = replace(PLAN.plan, t0_ns=t0, t1_ns=t0 + 30 * NS_PER_DAY, history_ns=t0, folds=10, fold_ns=3 * NS_PER_DAY)
    (row,) = floors_of(progress(open_days, dislocations, to), ["C1"], plan, stats)
    assert row["reachable"] is reachable
    assert row["at_most"]["active_days"] == len(open_days)
    assert floors_of(None, ["C1"], plan, stats)[0]["days_left"] == 30


def test_coverage_is_of_the_grid_times_of_the_days_judged() -> None:
    two = {"days": {"a": {"C1": [1, 4, 9]}, "b": {"C1": [0, 4, 0], "C2": [2, 2, 3]}}}
    assert coverage_of(two, ["C1", "C2", "C3"]) == [
        {"code": "C1", "coverage": 0.125, "days_judged": 1, "examined": 9},
        {"code": "C2", "coverage": 1.0, "days_judged": 1, "examined": 3},
        {"code": "C3", "coverage": None, "days_judged": 0, "examined": 0},
    ]


def test_page_text_and_metrics_show_each_stream_that_is_not_live_and_nothing_twice(tmp_path: Path) -> None:
    """The metrics are in Prometheus' text format: help and type once a name, no series twice, every value a number."""
    raw = recording(tmp_path / "raw")
    document = status_of(PLAN, LiveFolder(tmp_path / "live"), raw, tmp_path / "runs", NOW // NS_PER_US)
    assert [fault for fault in document["faults"] if "LATE" in fault] == [
        "hyperliquid l2Book:LATE is late: they come, later than the limit (lag 2001 ms, limit 2000 ms)"
    ]
    page, text, metrics = page_of(document), text_of(document), metrics_of(document)
    assert page.index("l2Book:LATE</td>") < page.index("l2Book:LIVE</td>")
    assert "2 live, 1 late, 1 gap, 1 failing, 1 off" in page
    assert "feeds    2 live, 1 late, 1 gap, 1 failing, 1 off" in text
    series = re.compile(r'(cme_[a-z_]+)\{([a-z]+="(?:[^"\\\n]|\\.)*"(?:,[a-z]+="(?:[^"\\\n]|\\.)*")*)\} (\S+)')
    seen, described = set(), set()
    for line in metrics.splitlines():
        if line.startswith("# "):
            described.add(line.split()[2])
            continue
        match = series.fullmatch(line)
        assert match, line
        assert match[1] in described
        assert (match[1], match[2]) not in seen
        seen.add((match[1], match[2]))
        float(match[3])
    assert metrics.count("# TYPE ") == len(described)
    late = 'venue="hyperliquid",feed="hyperliquid-stream-0",stream="l2Book:LATE"'
    assert f"cme_feed_lag_seconds{{{late}}} 2.001\n" in metrics
    assert [f'state="{state}"}} 1' in metrics for state in STATES] == [True] * len(STATES)
    assert "usd" not in json.dumps(document).replace("usdt", "")
