"""Anchors: records of a checkpoint's publication at a place its author does not control.  [audit 7.3]

    {"schema":"anchor/1", ledger_id, size, checkpoint_sha256, method, reference, at_us, evidence_sha256|null}

An anchor is ``ok`` only if the outside evidence was checked here: a witness whose key signed the checkpoint.  It is
``unchecked`` if the ledger still gives the anchored checkpoint and the evidence (a tag, a block, a page) must be looked
at where it was published.  Otherwise it ``failed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from engine.errors import LedgerError
from engine.ledger.checkpoint import Checkpoint
from engine.ledger.format.canonical_json import RECORD_LIMIT, parse
from engine.ledger.format.closed_tables import RecordShape, closed
from engine.ledger.format.fields import COUNT, HEX, TEXT, UUID, one_of, or_null
from engine.ledger.verification.verify import Report, failing

EXIT: Final = 18
METHODS: Final = ("git_tag", "witness", "ots", "registry", "publication")
SHAPE: Final[RecordShape] = {
    "schema": one_of("anchor/1"),
    "ledger_id": UUID,
    "size": COUNT,
    "checkpoint_sha256": HEX,
    "method": one_of(*METHODS),
    "reference": TEXT,
    "at_us": COUNT,
    "evidence_sha256": or_null(HEX),
}


@dataclass(frozen=True, slots=True)
class Anchor:
    """One line of ``anchors.jsonl``."""

    ledger_id: str
    size: int
    checkpoint_sha256: str
    method: str
    reference: str
    at_us: int
    evidence_sha256: str | None


def parse_anchors(lines: Iterable[bytes]) -> tuple[Anchor, ...]:
    """Return the anchors of CJ1 lines, each with its LF; empty for no lines.

    Raises ``LedgerError`` (18) with the number of the first malformed line, from 0.
    """
    anchors = []
    for at, line in enumerate(lines):
        try:
            if not line.endswith(b"\n"):
                raise LedgerError("expected a whole line that ends with LF, was a torn one")
            value: Any = parse(line[:-1], RECORD_LIMIT)
            closed(value, SHAPE, "anchor")
        except LedgerError as error:
            raise LedgerError(f"anchors, line {at}: {error}", exit_code=EXIT) from error
        anchors.append(Anchor(**{key: item for key, item in value.items() if key != "schema"}))
    return tuple(anchors)


def against_anchors(
    report: Report, anchors: Sequence[Anchor], roots: Mapping[int, bytes], files: Mapping[str, frozenset[str]]
) -> Report:
    """Return ``report`` with the state of each anchor of its ledger; without any anchor of it the exit code is 18.

    ``roots`` are the ledger's tree hashes at the sizes of the anchors; ``files`` are the given checkpoint files:
    SHA-256 of their bytes -> names of the keys whose signature on them was verified.
    """
    own_anchors = [anchor for anchor in anchors if anchor.ledger_id == report.ledger_id]
    entries = []
    for anchor in own_anchors:
        status, reason = _state(anchor, report, roots, files)
        entries.append(
            {
                "size": anchor.size,
                "method": anchor.method,
                "reference": anchor.reference,
                "status": status,
                "reason": reason,
            }
        )
        if status == "failed":
            report = failing(report, EXIT, None, f"anchor {anchor.method} {anchor.reference}: {reason}")
    if not own_anchors:
        report = failing(report, EXIT, None, f"expected an anchor of ledger {report.ledger_id}, was none")
    notes = [f"anchor {e['method']} {e['reference']}: {e['reason']}" for e in entries if e["status"] == "unchecked"]
    return replace(report, anchors=tuple(entries), unchecked=(*report.unchecked, *notes))


def _state(
    anchor: Anchor, report: Report, roots: Mapping[int, bytes], files: Mapping[str, frozenset[str]]
) -> tuple[str, str | None]:
    if anchor.size > report.rows:
        # Rows beyond a bad one were not read: whether they were cut is not known.
        if report.first_bad_row is not None:
            return "unchecked", f"it is of {anchor.size} rows, and only {report.rows} hold"
        return "failed", f"expected {anchor.size} rows, was {report.rows}: the ledger was cut"
    signers = files.get(anchor.checkpoint_sha256)
    if signers is None and sha256(_plain(anchor, roots)).hexdigest() != anchor.checkpoint_sha256:
        return "failed", (
            f"expected a checkpoint with SHA-256 {anchor.checkpoint_sha256} at {anchor.size} rows, was neither this "
            "ledger's nor a checkpoint file given"
        )
    if anchor.method == "witness" and signers and anchor.reference in signers:
        return "ok", None
    return "unchecked", "the ledger gives the anchored checkpoint; look at the anchor where it was published"


def _plain(anchor: Anchor, roots: Mapping[int, bytes]) -> bytes:
    return Checkpoint(anchor.ledger_id, anchor.size, roots[anchor.size]).text.encode()
