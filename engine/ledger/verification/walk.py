"""One pass over the lines of a ledger: each row against itself, its record, the chain, and the rows before it.

The checks of a line, in this order; the first that fails refuses the line and ends the walk.  [audit 8.1]

    a  frame, form of row_hash                       10    g  recorded_at_us against the mode; kind of this ledger  10
    b  row_hash recomputed                           11    h  content_hash recomputed                               13
    c  canonical JSON, closed schema, field rules    10    i  ids derived from the content                          13
    d  no row after a seal                           12    j  id not seen before                                    14
    e  seq, prev_hash, place of the genesis          12    k  supersedes, references into the emit ledger           15
    f  ledger_id: derived in row 0, then the same    13/12 l  live times never fall                                 12

Nothing is re-serialised twice: content and provenance are hashed as the slices of the row that (c) proved canonical.
A row whose text alone shows that it holds (`engine.ledger.format.match_text`) is not parsed; all others are, and are
named exactly. Memory is one line, the Merkle stack, and about 200 bytes for each id.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, BinaryIO, Final

from engine.errors import LedgerError
from engine.ledger.chain import (
    FRAME_CLOSE,
    FRAME_HASH,
    FRAME_OPEN,
    FRAME_TAIL,
    GENESIS_PREV,
    LINE_LIMIT,
    id_of,
    row_hash,
    row_state,
)
from engine.ledger.format.canonical_json import RECORD_LIMIT, serialised, tagged_hash
from engine.ledger.format.fields import is_hex
from engine.ledger.format.ids import check_ids, ledger_id, resolution_id
from engine.ledger.format.match_text import canonical_form, known_row
from engine.ledger.format.schemas import KINDS, check_row
from engine.ledger.merkle import Tree

_DECODE = json.JSONDecoder().decode
_CONTENT: Final = len(b'{"content":')
_OPEN: Final = len(FRAME_OPEN)
_END: Final = FRAME_CLOSE + b"\n"
_MOST: Final = LINE_LIMIT - FRAME_TAIL
_FRAME: Final = 'expected a line {"row":...,"row_hash":"<64 hex>"} and LF, was another frame'


@dataclass(frozen=True, slots=True)
class Emitted:
    """The emit ledger a resolution ledger refers to: its name, its number of signals, and the row hash of each id."""

    ledger_id: str
    signals: int
    rows: Mapping[bytes, bytes]


@dataclass(slots=True)
class Walk:
    """A ledger as far as it has been walked; every row taken in passed every check."""

    emitted: Emitted | None = None
    tree: Tree = field(default_factory=Tree)
    genesis: Mapping[str, Any] = field(default_factory=dict)
    ledger_id: str = ""
    head: str = GENESIS_PREV
    recorded_at_us: int = 0
    sealed: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    resolved: Counter[str] = field(default_factory=Counter)  # rule_id -> signals with a resolution
    ids: dict[bytes, bytes] = field(default_factory=dict)  # id -> row hash

    def take(self, data: bytes, digest: str) -> None:
        """Take in the next row and its recomputed hash.

        Raises ``LedgerError`` (10-15) and changes nothing where it refuses.
        """
        row = known_row(data)
        if row is None:
            row = parsed(data)
            check_row(row)
        kind, content = row["kind"], row["content"]
        self._follows(row)
        self._belongs(row)
        inside = data[_CONTENT : data.rindex(b',"content_hash":"')]
        if (found := tagged_hash(kind, inside)) != row["content_hash"]:
            raise LedgerError(f"expected content_hash {found} of the content, was {row['content_hash']}", exit_code=13)
        check_ids(kind, content, inside)
        key = _key(kind, content)
        if key in self.ids:
            raise LedgerError(f"expected a new id, was {id_of(kind, content)} again", exit_code=14)
        self._refers(kind, content)
        when = row["recorded_at_us"]
        if when is not None and when < self.recorded_at_us:
            raise LedgerError(f"expected recorded_at_us from {self.recorded_at_us} on, was {when}", exit_code=12)

        self.tree.add(data)
        self.head = digest
        self.ids[key] = bytes.fromhex(digest)
        self.counts[kind] += 1
        self.recorded_at_us = when or 0
        self.sealed = kind == "seal"
        if kind == "genesis":
            self.genesis, self.ledger_id = content, row["ledger_id"]
        elif kind == "resolution" and content["revision"] == 0:
            self.resolved[content["rule_id"]] += 1

    def _follows(self, row: Mapping[str, Any]) -> None:
        """(d), (e)."""
        if self.sealed:
            raise LedgerError("expected no row after the seal, was one", exit_code=12)
        if row["seq"] != self.tree.size:
            raise LedgerError(f"expected seq {self.tree.size}, was {row['seq']}", exit_code=12)
        if row["prev_hash"] != self.head:
            raise LedgerError(f"expected prev_hash {self.head}, was {row['prev_hash']}", exit_code=12)
        if (row["kind"] == "genesis") != (self.tree.size == 0):
            raise LedgerError(f"expected the genesis in row 0 and only there, was {row['kind']}", exit_code=12)

    def _belongs(self, row: Mapping[str, Any]) -> None:
        """(f), (g)."""
        if self.tree.size == 0:
            genesis = row["content"]
            if (derived := ledger_id(genesis)) != row["ledger_id"]:
                raise LedgerError(f"expected ledger_id {derived} of the genesis, was {row['ledger_id']}", exit_code=13)
        else:
            genesis = self.genesis
            if row["ledger_id"] != self.ledger_id:
                raise LedgerError(f"expected ledger_id {self.ledger_id}, was {row['ledger_id']}", exit_code=12)
        if (row["recorded_at_us"] is None) != (genesis["mode"] == "backtest"):
            raise LedgerError(
                f"expected recorded_at_us null in backtest mode and a time in live mode, was {row['recorded_at_us']} "
                f"in {genesis['mode']} mode"
            )
        if row["kind"] not in ("genesis", "seal", KINDS[genesis["ledger_kind"]]):
            raise LedgerError(
                f"expected rows of {KINDS[genesis['ledger_kind']]}s in a ledger of kind {genesis['ledger_kind']}, was "
                f"a {row['kind']}"
            )

    def _refers(self, kind: str, content: Mapping[str, Any]) -> None:
        """(k)."""
        if kind == "genesis" and self.emitted is not None and content["emit_ledger_id"] != self.emitted.ledger_id:
            raise LedgerError(
                f"expected emit_ledger_id {self.emitted.ledger_id} of the emit ledger given, was "
                f"{content['emit_ledger_id']}",
                exit_code=15,
            )
        if kind != "resolution":
            return
        if content["revision"]:
            before = resolution_id(content["signal_id"], content["rule_id"], content["revision"] - 1)
            expected = self.ids.get(uuid_bytes(before))
            if expected is None or expected.hex() != content["supersedes"]:
                raise LedgerError(
                    f"expected supersedes to be the row hash of revision {content['revision'] - 1} in this ledger "
                    f"({expected.hex() if expected else 'absent'}), was {content['supersedes']}",
                    exit_code=15,
                )
        if self.emitted is not None:
            expected = self.emitted.rows.get(uuid_bytes(content["signal_id"]))
            if expected is None or expected.hex() != content["signal_row_hash"]:
                raise LedgerError(
                    f"expected signal_row_hash {expected.hex() if expected else 'of a signal in the emit ledger'}, was "
                    f"{content['signal_row_hash']} for signal {content['signal_id']}",
                    exit_code=15,
                )

    def emits(self) -> Emitted:
        """Return what a resolution ledger may refer to; meant for a finished walk of an emit ledger."""
        return Emitted(self.ledger_id, self.counts["signal"], self.ids)


def lines(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield each line without its LF, and whether it had one; never more of a line than a row may be long."""
    for raw in iter(partial(stream.readline, LINE_LIMIT + 2), b""):
        yield (raw[:-1], True) if raw.endswith(b"\n") else (raw, False)


def hashed(stream: BinaryIO) -> Iterator[tuple[bytes, str]]:
    """Yield each row's bytes and its hash, which was recomputed; checks (a) and (b) of `framed`, as fast as can be.

    Raises ``LedgerError`` (10, 11) at the first line that is none, and (10) at a last line without LF.
    """
    for raw in iter(partial(stream.readline, LINE_LIMIT + 2), b""):
        cut = len(raw) - FRAME_TAIL - 1
        data = raw[_OPEN:cut]
        state = row_state()  # `row_hash`, without a call
        state.update(data)
        found = state.hexdigest()
        if raw.endswith(FRAME_HASH + found.encode() + _END) and raw.startswith(FRAME_OPEN) and _OPEN < cut <= _MOST:
            yield data, found
        elif raw.endswith(b"\n"):
            yield framed(raw[:-1])
        else:
            raise LedgerError(f"expected a whole line that ends with LF, was {len(raw)} bytes without one")


def framed(line: bytes) -> tuple[bytes, str]:
    """Return the row's bytes and its hash, which was recomputed; checks (a) and (b)."""
    if len(line) > LINE_LIMIT:
        raise LedgerError(f"expected a row of at most {RECORD_LIMIT} bytes, was a line of more than {LINE_LIMIT}")
    cut = len(line) - FRAME_TAIL
    if (
        cut <= _OPEN
        or not line.startswith(FRAME_OPEN)
        or not line.startswith(FRAME_HASH, cut)
        or not line.endswith(FRAME_CLOSE)
    ):
        raise LedgerError(_FRAME)
    data = line[_OPEN:cut]
    digest = line[cut + len(FRAME_HASH) : -len(FRAME_CLOSE)].decode("latin-1")
    found = row_hash(data)
    if found != digest:
        raise LedgerError(
            f"expected row_hash {found} of these bytes, was {digest}", exit_code=11 if is_hex(digest) else 10
        )
    return data, digest


def parsed(data: bytes) -> Any:
    """Return the value of JSON bytes that are exactly what the serialiser would have written.

    Strict where `check_row` follows: fractions, NaN, repeated keys and other spellings fail the comparison or the
    grammar of their field.  Raises ``LedgerError`` (10).
    """
    try:
        value = _DECODE(data.decode("utf-8"))
        same = canonical_form(data) or serialised(value) == data
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"expected strict UTF-8 JSON, was: {str(error)[:200]}") from error
    if not same:
        raise LedgerError("expected canonical JSON, was another spelling of the same value")
    return value


def uuid_bytes(text: str) -> bytes:
    """Return the 16 bytes of a UUID's text."""
    return bytes.fromhex(text.replace("-", ""))


def _key(kind: str, content: Mapping[str, Any]) -> bytes:
    """Return the id of a record as few bytes."""
    name = id_of(kind, content)
    return uuid_bytes(name) if kind in ("signal", "resolution") else sha256(name.encode()).digest()
