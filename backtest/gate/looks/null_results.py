"""The negative registry: every claim that a run did not support, with the power of its plan; nothing is removed.

``negatives.jsonl`` holds CJ1 lines chained with the tag ``journal`` (`engine.ledger.hash_chain`).  The file beside the
registration collects the claims of confirmatory runs, the file beside the runs those of exploratory runs.  A claim of
one run is written once.  An edit or a removal inside breaks the chain; a cut tail shows against the commit, or against
a journal that recorded the head.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from engine.errors import LedgerError
from engine.ledger.format.canonical_json import decimal_text
from engine.ledger.format.closed_tables import RecordShape, closed
from engine.ledger.format.fields import COUNT, DEC, HEX, OBJECT, TEXT, one_of, or_null
from engine.ledger.hash_chain import EMPTY, ChainFormat, ChainHead, heads_of, next_line, read_chain, whole_lines

NEGATIVES_FILE: Final = "negatives.jsonl"
FORMAT: Final = ChainFormat("journal")
SUPPORTED: Final = "supported"
NO_POWER: Final = "the plan gives no power for this claim"
PowerByClaim = Mapping[str, Mapping[str, Any]]
"""What the plan can show of a claim, by its id."""
_SHAPE: Final[RecordShape] = {
    "schema": one_of("negative/1"), "seq": COUNT, "prev_hash": HEX, "at_us": COUNT, "study": TEXT, "run_id": TEXT,
    "mode": TEXT, "freeze_hash": or_null(HEX), "dataset_hash": HEX, "results_digest": HEX, "claim": TEXT,
    "decision": one_of("not_supported", "inconclusive"), "statistic": or_null(DEC), "ci_low": or_null(DEC),
    "ci_high": or_null(DEC), "p_num": or_null(COUNT), "p_den": or_null(COUNT), "power": or_null(OBJECT),
    "power_reason": or_null(TEXT),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Negatives:
    """A registry whose chain is intact: its rows in order, and the hash of the last line (zeros if empty)."""

    rows: tuple[Mapping[str, Any], ...]
    head: str


def read(path: Path) -> Negatives:
    """Return the registry at ``path``, its form and chain checked; empty if there is no file.

    Raises ``LedgerError`` with the line's number: 10 for a line of another form or without its end, 12 for a line off
    the chain.
    """
    body = path.read_bytes() if path.exists() else b""
    head, rows = EMPTY, []
    # The file is replaced whole, so a torn last line is damage here, not the trace of a killed process.
    if whole_lines(body)[1]:
        raise LedgerError(f"{path}: expected whole lines, was a last one without its end")
    try:
        for head_after, row in read_chain(FORMAT, body, _check_row):
            rows.append(row)
            head = head_after
    except LedgerError as problem:
        raise LedgerError(f"{path}: {problem}", exit_code=problem.exit_code) from problem
    return Negatives(tuple(rows), head.hash)


def _check_row(row: Any) -> None:
    closed(row, _SHAPE, "negative")


def heads(path: Path) -> Iterator[str]:
    """Yield the head after each line of a registry that `read` accepts: a journal names the head that it saw."""
    yield from heads_of(FORMAT, path.read_bytes() if path.exists() else b"")


def record(path: Path, run: Path, now_us: int, power_by_claim: Callable[[], PowerByClaim]) -> Negatives:
    """Append every claim that the run directory ``run`` does not support, and return the registry after it.

    ``power_by_claim`` is asked for the power of claims other than H1's, at most once, if one is to be written.  A claim
    that is already recorded with the same digest is not written again.  The file is replaced whole and flushed to the
    disk.  Raises ``LedgerError`` as `read` does.
    """
    known = read(path)
    # With the digest: the same run with other results is another failed claim.
    recorded = {(row["run_id"], row["claim"], row["results_digest"]) for row in known.rows}
    rows, head = list(known.rows), ChainHead(len(known.rows), known.head)
    body = path.read_bytes() if path.exists() else b""
    new = [c for c in failed(run) if (c["run_id"], c["claim"], c["results_digest"]) not in recorded]
    others = power_by_claim() if any(claim["power"] is None for claim in new) else {}
    for claim in new:
        known_power = claim["power"] or others.get(claim["claim"])
        claim |= {"power": known_power, "power_reason": None if known_power else NO_POWER}
        row = {"schema": "negative/1", "at_us": now_us, **claim}
        place = {"seq": head.size, "prev_hash": head.hash}
        head, line = next_line(FORMAT, head, row)
        body += line + b"\n"
        rows.append({**row, **place})
    if len(rows) > len(known.rows):
        write_whole(path, body)
    return Negatives(tuple(rows), head.hash)


def failed(run: Path) -> Iterator[dict[str, Any]]:
    """Yield each claim of a run that is not supported, as a record without its place in the chain.

    Those of H1 have the power of the run's own verdicts.
    """
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
