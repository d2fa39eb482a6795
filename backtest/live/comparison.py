"""The final gate: what a run replays is what was emitted, id for id, before any outcome of it is read.  [live L0.5]

Compared are id, ``provenance_hash`` and ``result`` without ``ev_usd``.  A signal is

    missing     emitted, and not in the replay
    extra       in the replay, and not emitted
    different   emitted with another provenance or result

and each has its day, its constraint and the likely cause, read off what the two sides say of one package.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from backtest.live.plans_on_record import plans_in_force
from backtest.pipeline.replays import PlansInForce
from backtest.records import Registration
from engine.errors import GateError, LedgerError, MissingError
from engine.ledger.verification.verify import verify_ledger
from engine.units import MICRO

EXIT: Final = 27
"""Exit code of a replay that is not what was emitted.  [interface, live L0.5]"""
SHOWN: Final = 5
Side = Literal["missing", "extra", "different"]
Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Emitted:
    """An exported live ledger that holds: its signals by id, and the plans it was written under."""

    path: Path
    ledger_id: str
    rows: int
    head: str
    root: str
    plans: PlansInForce
    signals: Mapping[str, Content]

    def facts(self) -> dict[str, Any]:
        """Return the entry of a manifest."""
        return {
            "ledger_id": self.ledger_id, "size": self.rows, "head": self.head, "root": self.root,
            "signals": len(self.signals),
            "plans": [
                {"from_us": from_ns // 1000, "config_hash": plan.config_hash, "judging_hash": plan.judging_hash}
                for from_ns, plan in self.plans
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One signal that is not on both sides as the same."""

    kind: Side
    signal_id: str
    day: str
    constraint: str
    cause: str


def read_emitted(path: Path, registration: Registration, ending: str = "") -> Emitted:
    """Return the exported live ledger at ``path`` of the study with ``ending`` after its name, every row verified.

    Raises ``MissingError`` (3) where there is none, ``LedgerError`` with the code of its first fault, ``GateError``
    (26) where it is of another study or plan.
    """
    try:
        body = path.read_bytes()
    except OSError as problem:
        raise MissingError(
            f"expected the exported live ledger at {path}, was: {problem.strerror}; `cme emit` publishes it, --live "
            "names its folder"
        ) from problem
    verified = verify_ledger(io.BytesIO(body))
    report, genesis = verified.report, verified.genesis
    if report.exit:
        raise LedgerError(f"{path}: {report.reason}", exit_code=report.exit)
    study = registration.study + ending
    if (genesis["ledger_kind"], genesis["mode"], genesis["study"]) != ("emit", "live", study):
        raise GateError(
            f"{path}: expected the live emit ledger of {study}, was the {genesis['mode']} "
            f"{genesis['ledger_kind']} ledger of {genesis['study']}",
            exit_code=26,
        )
    rows = [json.loads(line)["row"] for line in body.splitlines()]
    amended = [row["content"] for row in rows if row["kind"] == "plan"]
    return Emitted(
        path, str(report.ledger_id), report.rows, str(report.head), str(report.root),
        plans_in_force(registration, genesis, amended),
        {row["content"]["signal_id"]: row["content"] for row in rows if row["kind"] == "signal"},
    )  # fmt: skip


def differences(
    replayed: Sequence[Content], emitted: Mapping[str, Content], gap_days: frozenset[str] = frozenset()
) -> tuple[Difference, ...]:
    """Return what is not the same on both sides, by time; empty where all is.

    ``replayed`` and the values of ``emitted`` are ``signal/1`` contents; ``gap_days`` are days with a declared gap.
    """
    ours = {content["signal_id"]: content for content in replayed}
    unmatched = [*(emitted[name] for name in emitted if name not in ours),
                 *(ours[name] for name in ours if name not in emitted)]  # fmt: skip
    packages: dict[tuple[Any, ...], list[Content]] = {}
    for content in unmatched:
        packages.setdefault(_package(content), []).append(content)
    found = []
    for name in sorted({*ours, *emitted}):
        content = emitted.get(name) or ours[name]
        if name in ours and name in emitted:
            if _compared(ours[name]) == _compared(emitted[name]):
                continue
            kind: Side = "different"
            cause = _cause_of_two(emitted[name], ours[name])
        else:
            kind = "missing" if name in emitted else "extra"
            others = [other for other in packages[_package(content)] if other["signal_id"] != name]
            cause = _cause_of_two(content, others[0]) if others else _cause_of_one(content, gap_days)
        found.append((content["provenance"]["as_of_us"],
                      Difference(kind, name, _day(content), content["provenance"]["constraint"], cause)))  # fmt: skip
    return tuple(difference for _, difference in sorted(found, key=lambda item: (item[0], item[1].signal_id)))


def refusal_text(found: Sequence[Difference], emitted: Emitted, replayed: int) -> str:
    """Return the message of a refusal: how many of each kind, and the first few."""
    counts = ", ".join(f"{sum(one.kind == kind for one in found)} {kind}" for kind in ("missing", "extra", "different"))
    first = "; ".join(
        f"{one.kind} {one.signal_id} ({one.day}, {one.constraint}; likely {one.cause})" for one in found[:SHOWN]
    )
    rest = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"expected the replay to have the {len(emitted.signals)} signals of {emitted.path}, was {replayed} signals: "
        f"{counts}: {first}{rest}; no look was opened and no outcome read: an amendment of class defect names rows and "
        "cause before another run"
    )


def refusal_document(found: Sequence[Difference], emitted: Emitted, analysis: str) -> dict[str, Any]:
    """Return the refusal as a document: the three answers, and every difference by day, constraint and cause."""
    answers = dict.fromkeys(("H1", "H2", "H3"), f"cannot tell ({EXIT})")
    return {
        "schema": "refusal/1", "exit": EXIT, "analysis_id": analysis, "emitted": emitted.facts(), "verdicts": answers,
        "counts": {kind: sum(one.kind == kind for one in found) for kind in ("missing", "extra", "different")},
        "differences": [asdict(one) for one in found],
    }  # fmt: skip


def refusal_page(document: Mapping[str, Any]) -> str:
    """Return the refusal as Markdown, for a reader."""
    lines = [
        f"# {document['analysis_id']}: cannot tell (27)",
        "",
        "The replay of the registered window is not what was emitted. No look was opened, no outcome was read, no "
        "result was written.",
        "",
        "| claim | answer |",
        "|---|---|",
        *(f"| {claim} | {answer} |" for claim, answer in document["verdicts"].items()),
        "",
        f"Ledger {document['emitted']['ledger_id']}, {document['emitted']['size']} rows, root "
        f"{document['emitted']['root']}.",
        "",
        "| signal | kind | day | constraint | likely cause |",
        "|---|---|---|---|---|",
        *(
            f"| {one['signal_id']} | {one['kind']} | {one['day']} | {one['constraint']} | {one['cause']} |"
            for one in document["differences"]
        ),
    ]
    return "\n".join(lines) + "\n"


def _compared(content: Content) -> tuple[Any, ...]:
    result = {key: value for key, value in content["result"].items() if key != "ev_usd"}
    return content["provenance_hash"], result


def _package(content: Content) -> tuple[Any, ...]:
    """Return what makes two signals of one package: constraint, coin, time, and the roles with their instruments."""
    provenance = content["provenance"]
    legs = tuple((part["role"], part["venue"], part["instrument"]) for part in provenance["inputs"]
                 if part["kind"] == "quote")  # fmt: skip
    return provenance["constraint"], provenance["underlying"], provenance["as_of_us"], legs


def _cause_of_two(one: Content, other: Content) -> str:
    """Return why one package has two ids or results: what of its provenance is another on the two sides."""
    left, right = one["provenance"], other["provenance"]
    if left["engine"] != right["engine"]:
        return "plan: what judges is another"
    series = [_named_inputs(side, "series") for side in (left, right)]
    if left["constraint"] == "calendar" and (series[0] != series[1] or _threshold(left) != _threshold(right)):
        return "fold fit: curves or threshold of the fold are others"
    # before the terms: fees as shares of a price follow from its row
    if left["inputs"] != right["inputs"]:
        roles = sorted({part["role"] for part in (*left["inputs"], *right["inputs"])
                        if part not in left["inputs"] or part not in right["inputs"]})  # fmt: skip
        return f"restated row: {', '.join(roles[:3])}"
    terms = sorted(
        key for key in {*left["params"], *right["params"]} if left["params"].get(key) != right["params"].get(key)
    )
    if terms:
        return f"plan: the terms in force are others ({', '.join(terms[:3])})"
    return "engine: the same inputs gave another result"


def _cause_of_one(content: Content, gap_days: frozenset[str]) -> str:
    if _day(content) in gap_days:
        return "gap of that day"
    if content["provenance"]["constraint"] == "calendar":
        return "fold fit"
    return "restated row, here or in an earlier signal that took its depth or its episode"


def _named_inputs(provenance: Content, kind: str) -> list[Any]:
    return [part for part in provenance["inputs"] if part["kind"] == kind]


def _threshold(provenance: Content) -> list[tuple[str, str]]:
    return sorted((key, value) for key, value in provenance["params"].items() if key.startswith("z_"))


def _day(content: Content) -> str:
    return datetime.fromtimestamp(content["provenance"]["as_of_us"] // MICRO, UTC).date().isoformat()
