"""Hash-chained files of canonical JSON lines: one record a line, each naming the hash of the line before.  [audit 13.1]

    {"at_us":1,...,"prev_hash":"<64 zeros>","seq":0}          head = H(tag, line 0)
    {"at_us":2,...,"prev_hash":"<H(tag, line 0)>","seq":1}    head = H(tag, line 1)

The journal of a command, the negative registry and the daily chains of a recorder are such files.  An edit, a removal
or a swap of lines inside breaks the chain.  A removed tail does not; to detect it, keep a head elsewhere.  A ledger has
more (content hashes, ids, a Merkle tree) and its own format: `engine.ledger.chain`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedWriter
from typing import Any, Final, NamedTuple

from engine.errors import CmeError, LedgerError, WriteError
from engine.ledger.format.canonical_json import canonical, parse, tagged_hash

ZERO_HASH: Final = "0" * 64
"""The previous hash of a file's first line."""
BROKEN: Final = 12
"""Exit code of a line off the chain, as of a ledger row; a line of another form is 10.  [audit 8.3]"""


@dataclass(frozen=True, slots=True)
class ChainFormat:
    """The tag of a file's hashes, and the keys under which a line carries its place and the hash before it."""

    tag: str
    sequence_key: str = "seq"
    previous_key: str = "prev_hash"


class ChainHead(NamedTuple):
    """The end of a chain: its number of lines, and the hash of the last one."""

    size: int = 0
    hash: str = ZERO_HASH


EMPTY: Final = ChainHead()


def next_line(form: ChainFormat, head: ChainHead, fields: Mapping[str, Any]) -> tuple[ChainHead, bytes]:
    """Return the head after a new record, and the record's line without its LF.

    ``fields`` is the record without its place and previous hash.  Raises ``LedgerError`` (10) if it is outside the
    domain of canonical JSON.

    >>> next_line(ChainFormat("journal"), EMPTY, {"event": "end"})[1][:40]
    b'{"event":"end","prev_hash":"000000000000'
    """
    line = canonical({**fields, form.sequence_key: head.size, form.previous_key: head.hash})
    return ChainHead(head.size + 1, tagged_hash(form.tag, line)), line


def whole_lines(body: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines that end with LF, without it, and the bytes after the last LF.

    The rest is empty unless a process was killed while it wrote; such a torn line is not part of the chain.
    """
    *lines, rest = body.split(b"\n")
    return lines, rest


def read_chain(
    form: ChainFormat, body: bytes, check: Callable[[Any], None]
) -> Iterator[tuple[ChainHead, dict[str, Any]]]:
    """Yield each whole line's record, and the head after it; a torn last line is left out (see `whole_lines`).

    ``check`` refuses a record that is not of the file's tables by a ``CmeError``, and is called before the place and
    the previous hash are compared: it must require both keys.  Raises ``LedgerError`` with the line's number from 0:
    10 for a line of another form, 12 for one off the chain.
    """
    head = EMPTY
    for number, line in enumerate(whole_lines(body)[0]):
        try:
            record: Any = parse(line)
            check(record)
        except CmeError as problem:
            raise LedgerError(f"line {number}: {problem}") from problem
        place, previous = record[form.sequence_key], record[form.previous_key]
        if (place, previous) != head:
            raise LedgerError(
                f"line {number}: expected {form.sequence_key} {head.size} after {head.hash}, was {place} after "
                f"{previous}: a line was removed, moved or changed",
                exit_code=BROKEN,
            )
        head = ChainHead(number + 1, tagged_hash(form.tag, line))
        yield head, record


def heads_of(form: ChainFormat, body: bytes) -> Iterator[str]:
    """Yield the head (hash) after each whole line of a chain that `read_chain` has accepted, without checking it."""
    yield from (tagged_hash(form.tag, line) for line in whole_lines(body)[0])


class ChainWriter:
    """Appends records to an open file, in order, as its only writer.

    A line is in the file's buffer after `append` and on the disk after `sync`: a kill between the two loses whole
    lines, or leaves the last one torn, and never breaks the chain before them.
    """

    def __init__(self, form: ChainFormat, stream: BufferedWriter, head: ChainHead = EMPTY) -> None:
        self.head = head
        self._form = form
        self._stream = stream

    def append(self, fields: Mapping[str, Any]) -> None:
        """Append one record.

        Raises ``LedgerError`` (10), leaving the chain as it was, if ``fields`` cannot be written, and ``WriteError``
        (5) if the file cannot.
        """
        head, line = next_line(self._form, self.head, fields)
        try:
            self._stream.write(line + b"\n")
        except OSError as problem:
            raise WriteError(f"{self._stream.name} could not be written: {problem}") from problem
        # Only now: a record that could not be written leaves the chain as it was.
        self.head = head

    def sync(self) -> None:
        """Flush all appended lines to the disk.  Raises ``WriteError`` (5)."""
        try:
            self._stream.flush()
            # `flush` reaches the system only, and a power cut loses what that still keeps back.
            os.fsync(self._stream.fileno())
        except OSError as problem:
            raise WriteError(f"{self._stream.name} could not be flushed: {problem}") from problem

    def close(self) -> None:
        """Flush all appended lines to the disk and close the file.  Raises ``WriteError`` (5)."""
        self.sync()
        self._stream.close()
