"""What the daily operation is doing: operational counts only, no money, no EV.  [live L3, L0.6]"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backtest.data.raw.segments import segments_of
from backtest.live.day_chain import DayChain, day_number, read_days
from backtest.live.emit import plan_of_recording
from backtest.live.emit_ledger import last_judged
from backtest.live.emit_progress import coverage_of, floors_of, read_progress
from backtest.live.feeds import STATES, feed_states, time_text
from backtest.live.final_gate import REFUSED
from backtest.live.live_folder import HISTORY, SHADOW, LedgerFolder, LiveFolder
from backtest.live.operate import yesterday
from backtest.live.resolve import life_is_over
from backtest.records import Registration
from engine.ledger.checkpoint import newest
from engine.ledger.verification.verify import opened, verify_ledger
from engine.units import NS_PER_DAY, NS_PER_US


def status_of(registration: Registration, live: LiveFolder, raw: Path | None, out: Path, now_us: int) -> dict[str, Any]:
    """Return the state of feeds, days and ledgers, and each fault in a sentence.

    ``raw`` is the folder of the recording, None where nothing records; ``out`` that of runs, whose refusals are shown.
    Raises what reading the chain of days raises; a ledger that is not intact is a fault, not an error.
    """
    chain = read_days(live.days)
    ledgers = [_ledger(folder, chain, now_us) for folder in _folders(live, registration.study)]
    constraints = _constraints(live, chain, registration)
    document: dict[str, Any] = {
        "schema": "status/1",
        "study": registration.study,
        "at": time_text(now_us),
        "feeds": [] if raw is None else list(feed_states(raw, now_us)),
        "days": _days(chain, registration, now_us),
        "constraints": constraints,
        "funnel": _funnel(registration.study, constraints, ledgers),
        "ledgers": ledgers,
        "refused": list(_refusals(out)),
        "next_run_us": (yesterday(now_us) + 2) * NS_PER_DAY // NS_PER_US,
        "disk": _disk(live.root, chain, raw),
    }
    document["faults"] = list(_faults(document))
    return document


def _folders(live: LiveFolder, study: str) -> list[LedgerFolder]:
    names = [study + end for end in (HISTORY, "", SHADOW)]
    kinds = [(name, kind) for name in names for kind in ("emit", "resolution")]
    return [folder for folder in (live.ledger(*pair) for pair in kinds) if folder.export.exists()]


def _days(chain: DayChain, registration: Registration, now_us: int) -> dict[str, Any]:
    """Return how many days are sealed of how many, with coverage and gaps."""
    if not chain.rows:
        return {"sealed": 0, "of": None, "first": None, "last": None, "behind": None, "gap_minutes": 0.0,
                "least_up_share": None, "missing": 0, "quoted_share": {}, "window": None,
                "head": chain.head.hash}  # fmt: skip
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
        # days that an earlier version sealed do not say it
        "quoted_share": chain.evidence(chain.rows[-1]).get("quoted_share", {}),
        "window": [time_text(plan.t0_ns // NS_PER_US)[:10], time_text(plan.t1_ns // NS_PER_US)[:10]],
        "head": chain.head.hash,
    }


def _constraints(live: LiveFolder, chain: DayChain, registration: Registration) -> list[dict[str, Any]]:
    """Return a row a constraint: coverage of the history and of the window, what was emitted, and H3's floors.

    The floors are of the window alone; they are None before the first sealed day says when it begins.
    """
    codes = [code for code, rule in registration.params.rules.items() if rule.enabled]
    history = coverage_of(read_progress(live.ledger(registration.study + HISTORY)), codes)
    progress = read_progress(live.ledger(registration.study))
    floors: Sequence[Mapping[str, Any] | None] = [None] * len(codes)
    if chain.rows:
        floors = floors_of(progress, codes, plan_of_recording(registration, chain.days[0]), registration.stats)
    return [
        {**window, "history": {key: past[key] for key in ("coverage", "days_judged", "examined")},
         "floors": None if floor is None else {key: floor[key] for key in floor if key != "code"}}
        for window, past, floor in zip(coverage_of(progress, codes), history, floors, strict=True)
    ]  # fmt: skip


def _funnel(
    study: str, constraints: Sequence[Mapping[str, Any]], ledgers: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return packages examined, signals emitted, due and resolved of each part that has a ledger of signals."""
    rows = []
    for ledger in ledgers:
        if ledger["kind"] == "emit":
            parts = [row["history"] if ledger["study"] == study + HISTORY else row for row in constraints]
            shadow = ledger["study"] == study + SHADOW
            resolved = [one["counts"].get("resolution", 0) for one in ledgers
                        if (one["study"], one["kind"]) == (ledger["study"], "resolution")]  # fmt: skip
            rows.append({
                "study": ledger["study"], "examined": None if shadow else sum(part["examined"] for part in parts),
                "emitted": ledger["counts"].get("signal", 0), "due": ledger["due"], "resolved": sum(resolved),
            })  # fmt: skip
    return rows


def _ledger(folder: LedgerFolder, chain: DayChain, now_us: int) -> dict[str, Any]:
    """Return rows, head, checkpoint and counts of one ledger; ``exit`` is that of its verification.

    ``due`` are the signals whose life is over; None for another kind of ledger, and where rows are not intact.
    """
    with opened(folder.export) as stream:
        report = verify_ledger(stream).report
    due = None
    if folder.kind == "emit" and not report.exit and chain.rows:
        due = sum(life_is_over(content, (chain.days[-1] + 1) * NS_PER_DAY) for content in _signals(folder.export))
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
        "judged": judged, "unjudged_days": behind, "due": due,
    }  # fmt: skip


def _signals(export: Path) -> Iterator[Mapping[str, Any]]:
    for line in export.read_bytes().splitlines():
        row = json.loads(line)["row"]
        if row["kind"] == "signal":
            yield row["content"]


def _refusals(out: Path) -> Iterator[dict[str, Any]]:
    """Yield each analysis that the final gate refused, with the three answers."""
    for path in sorted((out / REFUSED).glob("*.json")):
        try:
            document = json.loads(path.read_bytes())
            yield {key: document[key] for key in ("analysis_id", "exit", "verdicts", "counts")} | {"page": str(path)}
        except (OSError, ValueError, LookupError, TypeError) as problem:
            yield {"analysis_id": path.stem, "exit": 3, "verdicts": {}, "counts": {}, "page": f"{path}: {problem}"}


def _disk(root: Path, chain: DayChain, raw: Path | None) -> dict[str, Any]:
    """Return free bytes and for how many days they last at the size of the last sealed days, with what was recorded.

    None where no day is sealed.
    """
    place = root if root.exists() else Path()
    free = shutil.disk_usage(place).free
    days = [row["day"] for row in chain.rows[-7:]]
    size = sum(file.stat().st_size for day in days for file in (chain.folder / day).rglob("*") if file.is_file())
    if raw is not None and days:
        size += sum(one.path.stat().st_size for one in segments_of(raw, days[0], f"{days[-1]}T23"))
    mean = size / len(days) if days else 0
    return {"free_bytes": free, "day_bytes": int(mean), "days_left": int(free / mean) if mean else None}


def _faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what needs a person, a sentence each."""
    for feed in document["feeds"]:
        if feed["state"] != "live":
            lag = f" (lag {feed['lag_ms']} ms, limit {feed['lag_limit_ms']} ms)" if feed["state"] == "late" else ""
            yield f"{feed['venue']} {feed['stream']} is {feed['state']}: {STATES[feed['state']]}{lag}"
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
