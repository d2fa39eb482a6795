"""The negative registry: every claim that failed, with the power to have shown it; written by the tool, never removed.

``negatives.jsonl`` holds CJ1 lines chained like a journal (``H("journal", line)``).  Beside the registration it gathers
what confirmatory runs did not support; beside the runs, what exploratory ones did not.  A claim of one run is written
once.  An edit or a removal inside breaks the chain; a cut tail shows against the commit, or a journal with the head.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from engine.errors import CmeError, LedgerError
from engine.ledger.format.canonical_json import canonical, decimal_text, parse, tagged_hash
from engine.ledger.format.fields import COUNT, DEC, HEX, OBJECT, TEXT, one_of, or_null
from engine.ledger.format.schemas import RecordShape, closed

NEGATIVES_FILE: Final = "negatives.jsonl"
ZERO: Final = "0" * 64
SUPPORTED: Final = "supported"
NO_POWER: Final = "the plan gives a power for the portfolio's Sharpe ratio only"
_SHAPE: Final[RecordShape] = {
    "schema": one_of("negative/1"), "seq": COUNT, "prev_hash": HEX, "at_us": COUNT, "study": TEXT, "run_id": TEXT,
    "mode": TEXT, "freeze_hash": or_null(HEX), "dataset_hash": HEX, "results_digest": HEX, "claim": TEXT,
    "decision": one_of("not_supported", "inconclusive"), "statistic": or_null(DEC), "ci_low": or_null(DEC),
    "ci_high": or_null(DEC), "p_num": or_null(COUNT), "p_den": or_null(COUNT), "power": or_null(OBJECT),
    "power_reason": or_null(TEXT),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Negatives:
    """A registry that holds: its lines in order, and the hash of the last."""

    rows: tuple[Mapping[str, Any], ...]
    head: str


def read(path: Path) -> Negatives:
    """Return the registry at ``path``, its form and chain checked; empty where there is no file.

    Raises ``LedgerError`` (10 for a line of another form, 12 for one off the chain) with the line's number.
    """
    body = path.read_bytes() if path.exists() else b""
    head, rows = ZERO, []
    if body and not body.endswith(b"\n"):
        raise LedgerError(f"{path}: expected whole lines, was a last one without its end")
    for at, line in enumerate(body.split(b"\n")[:-1]):
        try:
            row: Any = parse(line)
        except CmeError as problem:
            raise LedgerError(f"{path}: line {at}: {problem}") from problem
        closed(row, _SHAPE, f"{path}: line {at}")
        if row["seq"] != at or row["prev_hash"] != head:
            raise LedgerError(
                f"{path}: line {at}: expected seq {at} after {head}, was {row['seq']} after {row['prev_hash']}: a line "
                "was removed, moved or changed",
                exit_code=12,
            )
        rows.append(row)
        head = tagged_hash("journal", line)
    return Negatives(tuple(rows), head)


def heads(path: Path) -> Iterator[str]:
    """Yield the head after each line of a registry that holds: a journal names the one that it saw."""
    body = path.read_bytes() if path.exists() else b""
    yield from (tagged_hash("journal", line) for line in body.split(b"\n")[:-1])


def record(path: Path, run: Path, now_us: int) -> Negatives:
    """Append every claim that the run directory ``run`` did not support; return the registry after it.

    A claim that is there already with the same digest is not written again.  The file is replaced whole, durably.
    """
    known = read(path)
    there = {(row["run_id"], row["claim"], row["results_digest"]) for row in known.rows}
    rows, head = list(known.rows), known.head
    body = path.read_bytes() if path.exists() else b""
    for claim in failed(run):
        if (claim["run_id"], claim["claim"], claim["results_digest"]) in there:
            continue
        row = {"schema": "negative/1", "seq": len(rows), "prev_hash": head, "at_us": now_us, **claim}
        line = canonical(row)
        body, head = body + line + b"\n", tagged_hash("journal", line)
        rows.append(row)
    if len(rows) > len(known.rows):
        write_whole(path, body)
    return Negatives(tuple(rows), head)


def failed(run: Path) -> Iterator[dict[str, Any]]:
    """Yield each claim of a run that is not supported, as a record without its place in the chain."""
    verdicts = json.loads((run / "verdicts.json").read_text(encoding="utf-8"))
    mode = verdicts["run"]["mode"]
    name = "results.exact.json" if mode == "confirmatory" else "results.exploratory.json"
    results = json.loads((run / name).read_text(encoding="utf-8"))
    power = _power(verdicts["H1"].get("power"))
    for claim in results["hypotheses"]:
        if claim["decision"] == SUPPORTED:
            continue
        portfolio = claim["id"].split("/")[0] == "h1" and power is not None
        yield {
            "study": results["study"],
            "run_id": verdicts["run"]["id"],
            "mode": mode,
            "freeze_hash": results["freeze_hash"],
            "dataset_hash": results["dataset_hash"],
            "results_digest": verdicts["run"]["digest"],
            "claim": claim["id"],
            **{key: claim[key] for key in ("decision", "statistic", "ci_low", "ci_high", "p_num", "p_den")},
            "power": power if portfolio else None,
            "power_reason": None if portfolio else NO_POWER,
        }


def _power(table: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the power of the plan at each true Sharpe ratio, as decimal text."""
    if not table:
        return None
    return {
        "days": table["n_days"],
        "sharpe": [decimal_text(value, 9) for value in table["sharpe"]],
        "rows": [
            {"rule": row["name"], "kind": row["kind"], "power": [decimal_text(value, 9) for value in row["power"]]}
            for row in table["rows"]
        ],
    }
