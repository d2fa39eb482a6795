"""What the daily operation is doing: operational counts only, no money, no EV.  [live L3, L0.6]"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from backtest.data.raw.control_log import ControlEvent, read_all_control
from backtest.data.raw.gap_ledger import GapRow, gap_rows, of_span
from backtest.data.raw.segments import hour_of, segments_of
from backtest.live.day_chain import DayChain, day_number, read_days
from backtest.live.emit import plan_of_recording
from backtest.live.emit_ledger import last_judged
from backtest.live.final_gate import REFUSED
from backtest.live.live_folder import HISTORY, SHADOW, LedgerFolder, LiveFolder
from backtest.live.operate import yesterday
from backtest.records import Registration
from engine.ledger.checkpoint import newest
from engine.ledger.verification.verify import opened, verify_ledger
from engine.units import MICRO, NS_PER_DAY, NS_PER_US

STATES: Final = {
    "live": "messages come and none is missing",
    "late": "they come, later than the limit",
    "gap": "a sequence was broken and is not whole again",
    "failing": "dropped, silent, refused or closed",
    "off": "not subscribed, or no recorder runs",
}
"""The states of a stream, and what they mean."""
_FAILING: Final = ("silence", "drop", "refused", "closed")
STALE_NS: Final = 2 * 3600 * 1_000_000_000
"""A recording whose newest segment is older has stopped."""


def status_of(registration: Registration, live: LiveFolder, raw: Path | None, out: Path, now_us: int) -> dict[str, Any]:
    """Return the state of feeds, days and ledgers, and each fault in a sentence.

    ``raw`` is the folder of the recording, None where nothing records; ``out`` that of runs, whose refusals are shown.
    Raises what reading the chain of days raises; a ledger that is not intact is a fault, not an error.
    """
    chain = read_days(live.days)
    ledgers = [_ledger(folder, chain, now_us) for folder in _folders(live, registration.study)]
    document: dict[str, Any] = {
        "schema": "status/1",
        "study": registration.study,
        "at": _time(now_us),
        "feeds": [] if raw is None else list(_feeds(raw, now_us)),
        "days": _days(chain, registration, now_us),
        "ledgers": ledgers,
        "refused": list(_refusals(out)),
        "next_run_us": (yesterday(now_us) + 2) * NS_PER_DAY // NS_PER_US,
        "disk": _disk(live.root, chain),
    }
    document["faults"] = list(_faults(document))
    return document


def _time(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // MICRO, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _folders(live: LiveFolder, study: str) -> list[LedgerFolder]:
    names = [study + end for end in (HISTORY, "", SHADOW)]
    kinds = [(name, kind) for name in names for kind in ("emit", "resolution")]
    return [folder for folder in (live.ledger(*pair) for pair in kinds) if folder.export.exists()]


def _feeds(raw: Path, now_us: int) -> Iterator[dict[str, Any]]:
    """Yield the state of each stream of the recording."""
    now_ns = now_us * NS_PER_US
    events = list(read_all_control(raw))
    day_start = now_ns // NS_PER_DAY * NS_PER_DAY
    gaps = gap_rows(events)
    last = {segment.feed: segment.path.stat().st_mtime_ns for segment in segments_of(raw, hour_of(now_ns - STALE_NS))}
    clocks: dict[str, int] = {}
    connects: dict[str, int] = {}
    streams: dict[tuple[str, str, str], str] = {}
    for event in events:
        fields = event.fields
        if event.event == "clock":
            t1, server, t2, unit = (fields[key] for key in ("t1_ns", "server_ns", "t2_ns", "server_unit_ns"))
            clocks[fields["venue"]] = max(abs(server - t2), abs(server + unit - t1)) // NS_PER_US
        elif event.event == "connect":
            connects[fields["feed"]] = connects.get(fields["feed"], 0) + 1
        elif event.event == "subscribe":
            for stream, instrument in fields["streams"].items():
                streams[fields["venue"], fields["feed"], stream] = instrument
    stopped = _stopped(events)
    for (venue, feed, stream), instrument in sorted(streams.items()):
        own = [gap for gap in gaps if gap.stream == stream and gap.venue == venue]
        today = of_span(own, day_start, now_ns)
        yield {
            "venue": venue, "feed": feed, "stream": stream, "instrument": instrument,
            "state": _state(own, feed in last and not stopped),
            "last_receipt_us": last[feed] // NS_PER_US if feed in last else None,
            "gap_minutes": round(sum((gap.to_ns or now_ns) - gap.from_ns for gap in today) / 6e10, 1),
            "reconnects": max(0, connects.get(feed, 0) - 1),
            "clock_bound_us": clocks.get(venue),
        }  # fmt: skip


def _stopped(events: Sequence[ControlEvent]) -> bool:
    lives = [event.event for event in events if event.event in ("start", "stop")]
    return not lives or lives[-1] == "stop"


def _state(gaps: Sequence[GapRow], running: bool) -> str:
    unended = [gap.why for gap in gaps if gap.to_ns is None]
    if not running:
        return "off"
    if not unended:
        return "live"
    return "failing" if any(why in _FAILING for why in unended) else "off" if "off" in unended else "gap"


def _days(chain: DayChain, registration: Registration, now_us: int) -> dict[str, Any]:
    """Return how many days are sealed of how many, with coverage and gaps."""
    if not chain.rows:
        return {"sealed": 0, "of": None, "first": None, "last": None, "behind": None, "gap_minutes": 0.0,
                "least_up_share": None, "missing": 0, "window": None, "head": chain.head.hash}  # fmt: skip
    plan = plan_of_recording(registration, chain.days[0])
    return {
        "sealed": len(chain.rows),
        "of": (plan.t1_ns - plan.history_ns) // NS_PER_DAY,
        "first": chain.rows[0]["day"],
        "last": chain.rows[-1]["day"],
        "behind": max(0, min(yesterday(now_us), plan.t1_ns // NS_PER_DAY - 1) - chain.days[-1]),
        "gap_minutes": round(sum(row["gap_ms"] for row in chain.rows) / 60_000, 1),
        "least_up_share": min(row["up_share"] for row in chain.rows),
        "missing": sum(row["missing"] for row in chain.rows),
        "window": [_time(plan.t0_ns // NS_PER_US)[:10], _time(plan.t1_ns // NS_PER_US)[:10]],
        "head": chain.head.hash,
    }


def _ledger(folder: LedgerFolder, chain: DayChain, now_us: int) -> dict[str, Any]:
    """Return rows, head, checkpoint and funnel of one ledger; ``exit`` is that of its verification."""
    with opened(folder.export) as stream:
        report = verify_ledger(stream).report
    checkpoint = None if report.ledger_id is None else newest(folder.checkpoints / report.ledger_id)
    written = None
    if checkpoint is not None:
        path = folder.checkpoints / checkpoint.ledger_id / f"{checkpoint.size}.ckpt"
        written = path.stat().st_mtime_ns // NS_PER_US
    judged = last_judged(folder) if folder.kind == "emit" else None
    behind = None if judged is None or not chain.rows else chain.days[-1] - day_number(judged)
    return {
        "study": folder.name, "kind": folder.kind, "ledger_id": report.ledger_id, "rows": report.rows,
        "head": report.head, "root": report.root, "exit": report.exit, "reason": report.reason,
        "counts": dict(report.counts), "checkpoint_rows": checkpoint.size if checkpoint else None,
        "checkpoint_age_h": None if written is None else round((now_us - written) / 3.6e9, 1),
        "judged": judged, "unjudged_days": behind,
    }  # fmt: skip


def _refusals(out: Path) -> Iterator[dict[str, Any]]:
    """Yield each analysis that the final gate refused, with the three answers."""
    for path in sorted((out / REFUSED).glob("*.json")):
        try:
            document = json.loads(path.read_bytes())
            yield {key: document[key] for key in ("analysis_id", "exit", "verdicts", "counts")} | {"page": str(path)}
        except (OSError, ValueError, LookupError, TypeError) as problem:
            yield {"analysis_id": path.stem, "exit": 3, "verdicts": {}, "counts": {}, "page": f"{path}: {problem}"}


def _disk(root: Path, chain: DayChain) -> dict[str, Any]:
    """Return free bytes and for how many days they last at the size of the sealed days; None where none is sealed."""
    place = root if root.exists() else Path()
    free = shutil.disk_usage(place).free
    sizes = [sum(file.stat().st_size for file in (chain.folder / row["day"]).rglob("*") if file.is_file())
             for row in chain.rows[-7:]]  # fmt: skip
    mean = sum(sizes) / len(sizes) if sizes else 0
    return {"free_bytes": free, "day_bytes": int(mean), "days_left": int(free / mean) if mean else None}


def _faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what needs a person, a sentence each."""
    for feed in document["feeds"]:
        if feed["state"] in ("failing", "gap", "off"):
            yield f"{feed['venue']} {feed['stream']} is {feed['state']}: {STATES[feed['state']]}"
    days = document["days"]
    if not days["sealed"]:
        yield "no day is sealed"
    elif days["behind"]:
        yield f"{days['behind']} days since {days['last']} are not sealed: run `cme emit`"
    for ledger in document["ledgers"]:
        name = f"ledger {ledger['study']} ({ledger['kind']})"
        if ledger["exit"]:
            yield f"{name} is not intact (exit {ledger['exit']}): {ledger['reason']}"
        if ledger["checkpoint_rows"] != ledger["rows"]:
            yield f"{name} has {ledger['rows']} rows and its newest checkpoint {ledger['checkpoint_rows']}"
    for refusal in document["refused"]:
        yield f"{refusal['analysis_id']} was refused ({refusal['exit']}): see {refusal['page']}"
    left = document["disk"]["days_left"]
    if left is not None and left < 7:
        yield f"the disk is full in {left} days"
