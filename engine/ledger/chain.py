"""A ledger as a hash chain: rows, heads, and one rule for appending that makes replay harmless.  [audit 4.5, 5]

Pure: a head and a batch go in, a head and the new lines come out.  Storage is elsewhere; whoever stores the lines
stores exactly these bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.errors import AppendError, LedgerError
from engine.ledger.canon import RECORD_LIMIT, canonical, tagged_hash
from engine.ledger.ids import ledger_id

GENESIS_PREV: Final = "0" * 64
ORDER: Final = {"signal": ("as_of_us", "signal_id"), "resolution": ("exit_us", "resolution_id")}


@dataclass(frozen=True, slots=True)
class Head:
    """Where a ledger stands: all that the next row commits to, and the content behind every id in use."""

    ledger_id: str
    seq: int
    row_hash: str
    contents: Mapping[str, str] = field(repr=False)  # id -> content_hash
    rows: Mapping[str, str] = field(repr=False)  # id -> row_hash

    @property
    def size(self) -> int:
        return self.seq + 1


@dataclass(frozen=True, slots=True)
class Appended:
    """The outcome of one append: the new head, the new lines, and per item ``inserted`` or ``duplicate``."""

    head: Head
    lines: tuple[bytes, ...]
    outcomes: tuple[str, ...]


def open_ledger(genesis: Mapping[str, Any]) -> tuple[Head, bytes]:
    """Return the head and the first line of the ledger that ``genesis`` names."""
    name = ledger_id(genesis)
    line, row_hash, content_hash = _line(name, 0, "genesis", GENESIS_PREV, genesis, genesis["opened_at_us"])
    return Head(name, 0, row_hash, {"genesis": content_hash}, {"genesis": row_hash}), line


def append(head: Head, kind: str, batch: Sequence[Mapping[str, Any]], recorded_at_us: int | None = None) -> Appended:
    """Append the whole batch or nothing; what is already there with equal content is a duplicate and adds no row.

    The batch is put in order first, so that any order of the same items gives the same lines.  Raises
    `AppendError` (exit 40) where an id is in use with other content.
    """
    contents, rows = dict(head.contents), dict(head.rows)
    seq, prev, lines, outcomes = head.seq, head.row_hash, [], []
    for content in sorted(batch, key=lambda item: _order(kind, item)):
        name = str(content[f"{kind}_id"])
        content_hash = tagged_hash(kind, canonical(content, RECORD_LIMIT))
        known = contents.get(name)
        if known == content_hash:
            outcomes.append("duplicate")
            continue
        if known is not None:
            raise AppendError(
                f"ledger {head.ledger_id}: expected {kind} {name} with its content {known}, was {content_hash}; "
                "the same inputs gave another result: the engine changed without a new version. Nothing was written"
            )
        seq += 1
        line, prev, _ = _line(head.ledger_id, seq, kind, prev, content, recorded_at_us)
        contents[name], rows[name] = content_hash, prev
        lines.append(line)
        outcomes.append("inserted")
    return Appended(Head(head.ledger_id, seq, prev, contents, rows), tuple(lines), tuple(outcomes))


def _order(kind: str, content: Mapping[str, Any]) -> tuple[int, str]:
    if kind not in ORDER:
        raise LedgerError(f"ledger: expected a batch of {' or '.join(ORDER)}, was {kind!r}")
    time, name = ORDER[kind]
    return int(content["provenance"][time] if kind == "signal" else content[time]), str(content[name])


def _line(
    name: str, seq: int, kind: str, prev: str, content: Mapping[str, Any], recorded_at_us: int | None
) -> tuple[bytes, str, str]:
    """Return the line of one row, its row hash and its content hash.  [audit 4.5]"""
    content_hash = tagged_hash(kind, canonical(content))
    row = canonical(
        {
            "schema": "row/1",
            "ledger_id": name,
            "seq": seq,
            "kind": kind,
            "prev_hash": prev,
            "recorded_at_us": recorded_at_us,
            "content_hash": content_hash,
            "content": content,
        },
        RECORD_LIMIT,
    )
    row_hash = tagged_hash("row", row)
    return b'{"row":' + row + b',"row_hash":"' + row_hash.encode() + b'"}\n', row_hash, content_hash
