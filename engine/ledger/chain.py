"""A ledger as a hash chain: rows, heads, and one rule for appending that makes replay harmless.  [audit 4.5, 5]

    row  = {schema, ledger_id, seq, kind, prev_hash, recorded_at_us, content_hash, content}
    line = '{"row":' || CJ(row) || ',"row_hash":"' || H("row", CJ(row)) || '"}' || LF

Pure: a head and a batch go in, a head and the new lines come out.  Storage is elsewhere; whoever stores the lines
stores exactly these bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple

from engine.errors import AppendError, LedgerError
from engine.ledger.format.canonical_json import RECORD_LIMIT, serialised, tagged_hash
from engine.ledger.format.ids import ledger_id
from engine.ledger.format.match_batch import known_contents
from engine.ledger.format.match_text import known_content
from engine.ledger.format.schemas import check_content

GENESIS_PREV: Final = "0" * 64
FRAME_OPEN: Final = b'{"row":'
FRAME_HASH: Final = b',"row_hash":"'
FRAME_CLOSE: Final = b'"}'
FRAME_TAIL: Final = len(FRAME_HASH) + 64 + len(FRAME_CLOSE)
row_state: Final = sha256(b"cme-audit/1/row\x00").copy
"""Return a new SHA-256 that has taken in the tag of rows."""
TOGETHER: Final = 500
"""Contents written at once by columns: more take no less time each, and one that is not seen to hold slows them all."""
FEW: Final = 4
"""Under so many contents the columns cost more than they save."""
LINE_LIMIT: Final = len(FRAME_OPEN) + RECORD_LIMIT + FRAME_TAIL
"""Most bytes of a line, LF excluded."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a ledger stands: all that the next row commits to, and the content behind every id in use.

    A store may leave out of ``contents`` and ``rows`` the ids that the next batch does not hold.
    """

    ledger_id: str
    seq: int
    row_hash: str
    contents: Mapping[str, str] = field(repr=False)  # id -> content_hash
    rows: Mapping[str, str] = field(repr=False)  # id -> row_hash

    @property
    def size(self) -> int:
        return self.seq + 1


class Entry(NamedTuple):
    """One new row: the id it makes known, its hashes, and CJ(row), in the order of a live store's columns."""

    seq: int
    id: str
    content_hash: str
    prev_hash: str
    row_hash: str
    row: bytes

    @property
    def line(self) -> bytes:
        return FRAME_OPEN + self.row + FRAME_HASH + self.row_hash.encode() + FRAME_CLOSE + b"\n"


@dataclass(frozen=True, slots=True)
class Appended:
    """The outcome of one append: the new head, the new rows, and per item in order ``inserted`` or ``duplicate``."""

    head: Head
    entries: tuple[Entry, ...]
    outcomes: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> tuple[bytes, ...]:
        return tuple(entry.line for entry in self.entries)


class LedgerItem(NamedTuple):
    """A checked record on its way in: its id, itself, and CJ(content)."""

    id: str
    content: Mapping[str, Any]
    data: bytes


class Conflict(AppendError):
    """An id is in use with other content (exit 40); nothing was written.

    ``outcomes`` names each item of the batch in order: ``duplicate``, ``conflict``, or ``rolled_back``.
    """

    exit_code = 40

    def __init__(self, message: str, outcomes: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message)
        self.outcomes = outcomes


def open_ledger(genesis: Mapping[str, Any], recorded_at_us: int | None = None) -> tuple[Head, bytes]:
    """Return the head and the first line of the ledger that ``genesis`` names."""
    head, entry = first_entry(genesis, recorded_at_us)
    return head, entry.line


def first_entry(genesis: Mapping[str, Any], recorded_at_us: int | None = None) -> tuple[Head, Entry]:
    """Return the head and row 0 of the ledger that ``genesis`` names.

    ``recorded_at_us`` is the time of the row in live mode, by default that of the opening; null in backtest mode.
    """
    check_content("genesis", genesis)
    name = ledger_id(genesis)
    when = None
    if genesis["mode"] == "live":
        when = recorded_at_us if recorded_at_us is not None else genesis["opened_at_us"]
        if when is None:
            raise LedgerError("genesis: expected recorded_at_us or opened_at_us in live mode, was neither")
    data = serialised(genesis)
    entry = _writer(name, "genesis", when)(0, "genesis", GENESIS_PREV, data, tagged_hash("genesis", data))
    return Head(name, 0, entry.row_hash, {"genesis": entry.content_hash}, {"genesis": entry.row_hash}), entry


def append(head: Head, kind: str, batch: Sequence[Mapping[str, Any]], recorded_at_us: int | None = None) -> Appended:
    """Append the whole batch or nothing; what is already there with equal content is a duplicate and adds no row.

    The batch is put in order first, so that any order of the same items gives the same lines.  Raises `Conflict`
    (exit 40) where an id is in use with other content, and ``LedgerError`` (10) for a malformed record.
    """
    return append_in_order(head, kind, in_order(kind, batch), recorded_at_us)


def append_in_order(head: Head, kind: str, items: Sequence[LedgerItem], recorded_at_us: int | None = None) -> Appended:
    """Append what `in_order` returned; see `append`."""
    contents, rows = dict(head.contents), dict(head.rows)
    seq, prev, entries, outcomes = head.seq, head.row_hash, [], []
    written = _writer(head.ledger_id, kind, recorded_at_us)
    for name, _, data in items:
        content_hash = tagged_hash(kind, data)
        known = contents.get(name)
        if known == content_hash:
            outcomes.append((name, "duplicate"))
            continue
        if known is not None:
            raise Conflict(
                f"ledger {head.ledger_id}: expected {kind} {name} with its content {known}, was {content_hash}; "
                "the same inputs gave another result: the engine changed without a new version. Nothing was written",
                _rolled_back(items, outcomes),
            )
        seq += 1
        entry = written(seq, name, prev, data, content_hash)
        prev = entry.row_hash
        contents[name], rows[name] = content_hash, prev
        entries.append(entry)
        outcomes.append((name, "inserted"))
    return Appended(Head(head.ledger_id, seq, prev, contents, rows), tuple(entries), tuple(outcomes))


def in_order(kind: str, batch: Sequence[Mapping[str, Any]]) -> list[LedgerItem]:
    """Return the checked items with their ids: signals by decision time, resolutions by exit, others as they came.

    Raises ``LedgerError`` (10) for a malformed record.
    """
    stored: list[bytes] = []
    for at in range(0, len(batch), TOGETHER):
        some = batch[at : at + TOGETHER]
        known = known_contents(kind, some) if len(some) >= FEW else None
        stored += known or [_stored(kind, content) for content in some]
    names, places = [id_of(kind, content) for content in batch], list(range(len(batch)))
    if kind == "signal":
        places = [
            at for *_, at in sorted(zip([one["provenance"]["as_of_us"] for one in batch], names, places, strict=True))
        ]
    elif kind == "resolution":
        places = [at for *_, at in sorted(zip([one["exit_us"] for one in batch], names, places, strict=True))]
    return [LedgerItem(names[at], batch[at], stored[at]) for at in places]


def _stored(kind: str, content: Mapping[str, Any]) -> bytes:
    """Return CJ(content) of a content that holds, as seen from those bytes or else asked of the content."""
    try:
        data = serialised(content)
        if known_content(kind, data):
            return data
    except (TypeError, ValueError, RecursionError):
        pass  # a content that cannot be written is refused below, with its place
    check_content(kind, content)
    return serialised(content)


def id_of(kind: str, content: Mapping[str, Any]) -> str:
    """Return the id under which a ledger knows a record."""
    if kind == "look":
        return f"{content['look_id']}/{content['event']}"
    return str(content[f"{kind}_id"]) if kind in ("signal", "resolution") else kind


def row_hash(row: bytes) -> str:
    """Return ``H("row", row)`` of the canonical bytes of a row."""
    state = row_state()
    state.update(row)
    return state.hexdigest()


def _rolled_back(items: Sequence[LedgerItem], done: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    kept = [(name, outcome if outcome == "duplicate" else "rolled_back") for name, outcome in done]
    name = items[len(done)].id
    return (*kept, (name, "conflict"), *((item.id, "rolled_back") for item in items[len(done) + 1 :]))


def _writer(ledger: str, kind: str, recorded_at_us: int | None) -> Callable[[int, str, str, bytes, str], Entry]:
    """Return what makes a row of its seq, id, previous hash, CJ(content) and content hash; its keys are in order."""
    middle = f'","kind":"{kind}","ledger_id":"{ledger}","prev_hash":"'
    when = "null" if recorded_at_us is None else str(recorded_at_us)
    close = f'","recorded_at_us":{when},"schema":"row/1","seq":'

    def written(seq: int, name: str, prev: str, data: bytes, content_hash: str) -> Entry:
        rest = f',"content_hash":"{content_hash}{middle}{prev}{close}{seq}}}'
        row = b"".join((b'{"content":', data, rest.encode()))
        if len(row) > RECORD_LIMIT:
            raise LedgerError(
                f"row {seq}: expected at most {RECORD_LIMIT} bytes, was {len(row)}: record less in {name}"
            )
        return Entry(seq, name, content_hash, prev, row_hash(row), row)

    return written
