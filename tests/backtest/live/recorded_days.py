"""A synthetic recording of Binance's USD-M venue as `cme record` writes one: quotes, polls, the control log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from backtest.data.raw.control_log import FOLDER, ControlEvent, event_line
from backtest.data.raw.segment_chain import CHAIN, CHAIN_FILE
from backtest.data.raw.segments import RawRecord, RecordKind, frame, hour_of, packed_records, segment_path
from engine.ledger.hash_chain import EMPTY, next_line
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND

DAY = 20_800
START = DAY * NS_PER_DAY
FEED, REST = "binance-usdm-public-0", "binance-usdm-rest"
ENDS = {"venue": "binance-usdm", "feed": FEED, "connection": 5}
STREAM = "btcusdt@bookTicker"
PERP = "binance:BTCUSDT-PERP"
_ASKED = b"GET https://fapi.binance.com/fapi/v1/"

Segments = dict[tuple[str, str], list[RawRecord]]
"""The records of each file: feed and hour."""


def best(t_ns: int, bid: float) -> bytes:
    event_ms = t_ns // NS_PER_MS
    return (f'{{"stream":"{STREAM}","data":{{"e":"bookTicker","s":"BTCUSDT","b":"{bid}","B":"1","a":"{bid + 1}",'
            f'"A":"2","E":{event_ms}}}}}').encode()  # fmt: skip


def hourly_quotes(hours: int) -> Segments:
    """A quote 7 ns after each hour from `START` on."""
    times = [START + hour * NS_PER_HOUR + 7 for hour in range(hours)]
    return {
        (FEED, hour_of(t_ns)): [RawRecord(t_ns, t_ns, 5, hour, RecordKind.TEXT, best(t_ns, 100.0 + hour))]
        for hour, t_ns in enumerate(times)
    }


def add_poll(segments: Segments, t_ns: int, path: str, answer: object) -> None:
    """Add a request and its answer, received at ``t_ns``, to the REST file of that hour."""
    records = segments.setdefault((REST, hour_of(t_ns)), [])
    at = len(records)
    body = json.dumps(answer).encode()
    records.append(RawRecord(t_ns, t_ns, 6, at, RecordKind.REQUEST, _ASKED + path.encode()))
    records.append(RawRecord(t_ns, t_ns, 6, at + 1, RecordKind.ANSWER, body))


def add_settlements(segments: Segments, t_ns: int, settled_ns: Iterable[int]) -> None:
    """Add the answer of ``fundingRate`` with the settlements ``settled_ns``, each stamped 3 ms late."""
    answer = [{"symbol": "BTCUSDT", "fundingTime": t // NS_PER_MS + 3, "fundingRate": "0.0001"} for t in settled_ns]
    add_poll(segments, t_ns, "fundingRate?symbol=BTCUSDT&limit=10", answer)


def write_recording(folder: Path, segments: Mapping[tuple[str, str], Sequence[RawRecord]],
                    events: Iterable[ControlEvent]) -> None:  # fmt: skip
    """Write the files of a recording, their chain and the control log of the first hour."""
    chain, lines = EMPTY, b""
    for (feed, hour), records in sorted(segments.items()):
        path = segment_path(folder, feed, hour, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(frame(packed_records(list(records))))
        fields = {"at_us": 1, "bytes": path.stat().st_size, "connection": feed, "hour": hour, "part": 0,
                  "sha256": sha256(path.read_bytes()).hexdigest()}  # fmt: skip
        chain, line = next_line(CHAIN, chain, fields)
        lines += line + b"\n"
    (folder / CHAIN_FILE).write_bytes(lines)
    (folder / FOLDER).mkdir()
    (folder / FOLDER / f"{hour_of(START)}.0.jsonl").write_bytes(b"".join(map(event_line, events)))


def subscribed() -> list[ControlEvent]:
    """The stream of the perp is subscribed at `START`; the venue's clock is known to 5 ms."""
    clock = {
        "venue": "binance-usdm",
        "t1_ns": START,
        "server_ns": START + 4 * NS_PER_MS,
        "t2_ns": START + 6 * NS_PER_MS,
    }
    return [
        ControlEvent(START, START, "subscribe", {**ENDS, "streams": {STREAM: PERP}}),
        ControlEvent(START, START, "clock", {**clock, "server_unit_ns": NS_PER_MS}),
    ]


def after_midnight(day: int) -> int:
    """When the settlements of a day, counted from `DAY`, are asked for: 00:05 of the next."""
    return START + (day + 1) * NS_PER_DAY + 300 * NS_PER_SECOND
