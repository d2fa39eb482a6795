"""A ledger as a hash chain: rows, heads, and the one rule for appending; a replay adds no row.  [audit 4.5]

    row  = {schema, ledger_id, seq, kind, prev_hash, recorded_at_us, content_hash, content}
    line = '{"row":' || CJ(row) || ',"row_hash":"' || H("row", CJ(row)) || '"}' || LF

The functions are pure: a head and a batch go in, a head and the new lines come out.  They store nothing; the caller
stores exactly the bytes of the lines.  [audit 5]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple

from engine.errors import AppendError, LedgerError
from engine.ledger.format.canonical_json import RECORD_LIMIT, serialised, tagged_hash
from engine.ledger.format.ids import ledger_id
from engine.ledger.format.match_text import known_content
from engine.ledger.format.schemas import check_content

GENESIS_PREV: Final = "0" * 64
FRAME_OPEN: Final = b'{"row":'
FRAME_HASH: Final = b',"row_hash":"'
FRAME_CLOSE: Final = b'"}'
FRAME_TAIL: Final = len(FRAME_HASH) + 64 + len(FRAME_CLOSE)
row_state: Final = sha256(b"cme-audit/1/row\x00").copy
"""Return a new SHA-256 state that has hashed the tag of rows already."""
LINE_LIMIT: Final = len(FRAME_OPEN) + RECORD_LIMIT + FRAME_TAIL
"""Most bytes of a line, without its LF."""


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a ledger after its last row: what the next row commits to, and the hashes behind every id in use.

    ``contents`` and ``rows`` map an id to the content hash and the row hash of its row.  A store may leave out the ids
    that do not occur in the next batch.
    """

    ledger_id: str
    seq: int
    row_hash: str
    contents: Mapping[str, str] = field(repr=False)  # id -> content_hash
    rows: Mapping[str, str] = field(repr=False)  # id -> row_hash

    @property
    def size(self) -> int:
        """Return the number of rows, the genesis included."""
        return self.seq + 1


class Entry(NamedTuple):
    """One new row: its id, its hashes, and CJ(row).  The fields are in the order of a live store's columns."""

    seq: int
    id: str
    content_hash: str
    prev_hash: str
    row_hash: str
    row: bytes

    @property
    def line(self) -> bytes:
        """Return the row's line in the ledger file, LF included."""
        return FRAME_OPEN + self.row + FRAME_HASH + self.row_hash.encode() + FRAME_CLOSE + b"\n"


@dataclass(frozen=True, slots=True)
class Appended:
    """The result of one append: the new head, the new rows, and for each item (id, ``inserted`` | ``duplicate``).

    ``entries`` and ``outcomes`` are empty for an empty batch; duplicates have an outcome and no entry.
    """

    head: Head
    entries: tuple[Entry, ...]
    outcomes: tuple[tuple[str, str], ...]

    @property
    def lines(self) -> tuple[bytes, ...]:
        """Return the line of each new row, LF included."""
        return tuple(entry.line for entry in self.entries)


class LedgerItem(NamedTuple):
    """A checked record that is about to be appended: its id, its content, and ``data`` = CJ(content)."""

    id: str
    content: Mapping[str, Any]
    data: bytes


class Conflict(AppendError):
    """An id of the batch is in use with other content (exit 40); nothing was written.

    ``outcomes`` has an (id, outcome) for each item of the batch in order: ``duplicate``, ``conflict``, ``rolled_back``.
    """

    exit_code = 40

    def __init__(self, message: str, outcomes: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message)
        self.outcomes = outcomes


def open_ledger(genesis: Mapping[str, Any], recorded_at_us: int | None = None) -> tuple[Head, bytes]:
    """Return the head and the first line of a new ledger that begins with ``genesis``; see `first_entry`.

    Raises ``LedgerError`` (10) as `first_entry` does.
    """
    head, entry = first_entry(genesis, recorded_at_us)
    return head, entry.line


def first_entry(genesis: Mapping[str, Any], recorded_at_us: int | None = None) -> tuple[Head, Entry]:
    """Return the head and row 0 of a new ledger that begins with ``genesis``.

    ``recorded_at_us`` (microseconds UTC) is the time of the row in live mode, by default ``genesis["opened_at_us"]``;
    it is ignored in backtest mode.  Raises ``LedgerError`` (10) if the genesis breaks its schema, or if the mode is
    live and neither time is given.
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
    """Append the whole batch or nothing; a record whose id and content are on record is a duplicate and adds no row.

    The batch is sorted first (`in_order`), so that any order of the same items gives the same lines.
    ``recorded_at_us`` (microseconds UTC) is written into every row; None in backtest mode.  Raises `Conflict` (exit
    40) if an id is in use with other content, and ``LedgerError`` (10) if a record is malformed or its row is longer
    than ``RECORD_LIMIT`` bytes.
    """
    return append_in_order(head, kind, in_order(kind, batch), recorded_at_us)


def append_in_order(head: Head, kind: str, items: Sequence[LedgerItem], recorded_at_us: int | None = None) -> Appended:
    """Append what `in_order` returned; returns and raises as `append`."""
    # Copies: a conflict later in the batch must leave the caller's head as it was.
    contents, rows = dict(head.contents), dict(head.rows)
    seq, prev, entries, outcomes = head.seq, head.row_hash, [], []
    write_row = _writer(head.ledger_id, kind, recorded_at_us)
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
        entry = write_row(seq, name, prev, data, content_hash)
        prev = entry.row_hash
        contents[name], rows[name] = content_hash, prev
        entries.append(entry)
        outcomes.append((name, "inserted"))
    return Appended(Head(head.ledger_id, seq, prev, contents, rows), tuple(entries), tuple(outcomes))


def in_order(kind: str, batch: Sequence[Mapping[str, Any]]) -> list[LedgerItem]:
    """Return the checked items with their ids, sorted: signals by (decision time, id), resolutions by (exit, id).

    Other kinds keep the order of the batch.  Raises ``LedgerError`` (10) if a record is malformed.
    """
    # The whole batch is checked before any id is read: a malformed record may lack the fields of its id.
    texts = [_checked_bytes(kind, content) for content in batch]
    items = [LedgerItem(id_of(kind, content), content, data) for content, data in zip(batch, texts, strict=True)]
    if kind == "signal":
        items.sort(key=lambda item: (item.content["provenance"]["as_of_us"], item.id))
    elif kind == "resolution":
        items.sort(key=lambda item: (item.content["exit_us"], item.id))
    return items


def _checked_bytes(kind: str, content: Mapping[str, Any]) -> bytes:
    """Return CJ(content) if the schema accepts the content.  Raises ``LedgerError`` (10) if it does not."""
    try:
        data = serialised(content)
        if known_content(kind, data):
            return data
    except (TypeError, ValueError, RecursionError):
        # A content that cannot be serialised is malformed; `check_content` names the field at fault.
        pass
    check_content(kind, content)
    return serialised(content)


def id_of(kind: str, content: Mapping[str, Any]) -> str:
    """Return the id of a record in its ledger: a look's id and event, a signal's or resolution's id, else the kind."""
    if kind == "look":
        return f"{content['look_id']}/{content['event']}"
    if kind == "plan":
        return f"plan/{content['from_us']}"
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
    """Return the function (seq, id, previous hash, CJ(content), content hash) -> row of one ledger and kind."""
    # Put together as text and not by the serialiser: this is the canonical order of keys, and CJ(content) is at hand.
    middle = f'","kind":"{kind}","ledger_id":"{ledger}","prev_hash":"'
    when = "null" if recorded_at_us is None else str(recorded_at_us)
    close = f'","recorded_at_us":{when},"schema":"row/1","seq":'

    def write_row(seq: int, name: str, prev: str, data: bytes, content_hash: str) -> Entry:
        rest = f',"content_hash":"{content_hash}{middle}{prev}{close}{seq}}}'
        row = b"".join((b'{"content":', data, rest.encode()))
        if len(row) > RECORD_LIMIT:
            raise LedgerError(f"row {seq}: expected at most {RECORD_LIMIT} bytes, was {len(row)}: put less into {name}")
        return Entry(seq, name, content_hash, prev, row_hash(row), row)

    return write_row
