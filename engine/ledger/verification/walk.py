"""One pass over the lines of a ledger: each row against itself, its record, the chain, and the rows before it.

The checks of a line, in this order; the first that fails refuses the line and ends the walk.  [audit 8.1]

    a  frame, form of row_hash                       10    g  recorded_at_us against the mode; kind of this ledger  10
    b  row_hash recomputed                           11    h  content_hash recomputed                               13
    c  canonical JSON, closed schema, field rules    10    i  ids derived from the content                          13
    d  no row after a seal                           12    j  id not seen before                                    14
    e  seq, prev_hash, place of the genesis          12    k  supersedes, references into the emit ledger           15
    f  ledger_id: derived in row 0, then the same    13/12 l  live times never fall                                 12

No row is serialised twice: content and provenance are hashed as slices of the row that (c) proved canonical.  A row
that matches the pattern of valid rows (`engine.ledger.format.match_text`) is not parsed; every other row is parsed, so
that the message names its fault.  Memory is one line, the Merkle stack, and about 200 bytes for each id.
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
from engine.ledger.format.schemas import ADMITTED, KINDS, check_row
from engine.ledger.merkle import Tree

_DECODE = json.JSONDecoder().decode
_CONTENT: Final = len(b'{"content":')
_OPEN: Final = len(FRAME_OPEN)
_END: Final = FRAME_CLOSE + b"\n"
_ROW_LIMIT: Final = LINE_LIMIT - FRAME_TAIL
_FRAME: Final = 'expected a line {"row":...,"row_hash":"<64 hex>"} and LF, was another frame'


@dataclass(frozen=True, slots=True)
class Emitted:
    """The emit ledger a resolution ledger refers to: its id, its number of signals, and id -> row hash, in bytes."""

    ledger_id: str
    signals: int
    rows: Mapping[bytes, bytes]


@dataclass(slots=True)
class Walk:
    """The state of a check after the rows read so far, each of which passed every check."""

    emitted: Emitted | None = None
    tree: Tree = field(default_factory=Tree)
    genesis: Mapping[str, Any] = field(default_factory=dict)
    ledger_id: str = ""
    head: str = GENESIS_PREV
    recorded_at_us: int = 0
    sealed: bool = False
    plan_from_us: int = -1  # of the last plan
    counts: Counter[str] = field(default_factory=Counter)
    resolved: Counter[str] = field(default_factory=Counter)  # rule_id -> signals with a resolution
    ids: dict[bytes, bytes] = field(default_factory=dict)  # id -> row hash

    def take(self, data: bytes, digest: str) -> None:
        """Check the next row, given with its recomputed hash, and add it.

        Raises ``LedgerError`` (10-15) for the first check it fails; then nothing has changed.
        """
        row = known_row(data)
        if row is None:
            row = parsed(data)
            check_row(row)
        kind, content = row["kind"], row["content"]
        self._follows(row)
        self._belongs(row)
        # From the right: no field after the content can hold this text.
        inside = data[_CONTENT : data.rindex(b',"content_hash":"')]
        if (expected := tagged_hash(kind, inside)) != row["content_hash"]:
            raise LedgerError(
                f"expected content_hash {expected} of the content, was {row['content_hash']}", exit_code=13
            )
        check_ids(kind, content, inside)
        key = _key(kind, content)
        if key in self.ids:
            raise LedgerError(f"expected a new id, was {id_of(kind, content)} again", exit_code=14)
        self._refers(kind, content)
        when = row["recorded_at_us"]
        if when is not None and when < self.recorded_at_us:
            raise LedgerError(f"expected recorded_at_us from {self.recorded_at_us} on, was {when}", exit_code=12)

        # Nothing is assigned before the last check: a refused row leaves the state as it was.
        self.tree.add(data)
        self.head = digest
        self.ids[key] = bytes.fromhex(digest)
        self.counts[kind] += 1
        # None in backtest mode, whose rows have no time.
        self.recorded_at_us = when or 0
        self.sealed = kind == "seal"
        if kind == "genesis":
            self.genesis, self.ledger_id = content, row["ledger_id"]
        elif kind == "plan":
            self.plan_from_us = content["from_us"]
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
        if row["kind"] not in ("genesis", "seal", *ADMITTED[genesis["ledger_kind"]]):
            raise LedgerError(
                f"expected rows of {KINDS[genesis['ledger_kind']]}s in a ledger of kind {genesis['ledger_kind']}, was "
                f"a {row['kind']}"
            )

    def _refers(self, kind: str, content: Mapping[str, Any]) -> None:
        """(k), and that a plan begins after the one before it."""
        if kind == "plan" and content["from_us"] <= self.plan_from_us:
            raise LedgerError(
                f"expected a plan from a time after {self.plan_from_us}, was from {content['from_us']}", exit_code=12
            )
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
        """Return the signals that a resolution ledger may refer to, after the last row of an emit ledger."""
        return Emitted(self.ledger_id, self.counts["signal"], self.ids)


def lines(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield (line without LF, whether it had one); of a line that is too long, pieces of at most ``LINE_LIMIT + 2``."""
    for raw in iter(partial(stream.readline, LINE_LIMIT + 2), b""):
        yield (raw[:-1], True) if raw.endswith(b"\n") else (raw, False)


def hashed(stream: BinaryIO) -> Iterator[tuple[bytes, str]]:
    """Yield each row's bytes and its recomputed hash, after checks (a) and (b); faster than `framed` line by line.

    Raises ``LedgerError`` at the first line with another frame (10) or hash (11), and (10) at a last line without LF.
    """
    # One byte more than the longest line and its LF: a longer one shows, and is not read as a whole.
    for raw in iter(partial(stream.readline, LINE_LIMIT + 2), b""):
        cut = len(raw) - FRAME_TAIL - 1
        data = raw[_OPEN:cut]
        # `row_hash` in line and one comparison of the whole tail: the floor is 0.40 of the raw hash rate.  [audit 8.5]
        state = row_state()
        state.update(data)
        digest = state.hexdigest()
        if (
            raw.endswith(FRAME_HASH + digest.encode() + _END)
            and raw.startswith(FRAME_OPEN)
            and _OPEN < cut <= _ROW_LIMIT
        ):
            yield data, digest
        elif raw.endswith(b"\n"):
            yield framed(raw[:-1])
        else:
            raise LedgerError(f"expected a whole line that ends with LF, was {len(raw)} bytes without one")


def framed(line: bytes) -> tuple[bytes, str]:
    """Return the row's bytes and its recomputed hash, after checks (a) and (b) of one line without its LF.

    Raises ``LedgerError`` (10) for a line that is too long, has another frame or an ill-formed hash, and (11) for a
    well-formed hash of other bytes.
    """
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
    # latin-1 decodes any byte: a hash field that is no ASCII text is then shown in the message, with exit 10.
    digest = line[cut + len(FRAME_HASH) : -len(FRAME_CLOSE)].decode("latin-1")
    expected = row_hash(data)
    if expected != digest:
        raise LedgerError(
            f"expected row_hash {expected} of these bytes, was {digest}", exit_code=11 if is_hex(digest) else 10
        )
    return data, digest


def parsed(data: bytes) -> Any:
    """Return the value of JSON bytes that are exactly what the serialiser would have written.

    Strict only together with `check_row`: repeated keys and other spellings fail the comparison here, fractions and NaN
    fail the grammar of their field there.  Raises ``LedgerError`` (10) for anything else.
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
    """Return a key of at most 32 bytes for the id of a record, so that a million ids fit in memory."""
    name = id_of(kind, content)
    return uuid_bytes(name) if kind in ("signal", "resolution") else sha256(name.encode()).digest()
