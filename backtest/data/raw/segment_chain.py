"""``segments.jsonl``: the hash chain of the closed files of a recording, appended within the hour.  [live L1]

    {"at_us", "bytes", "connection", "hour", "number", "part", "previous", "sha256"}

One canonical JSON line a closed file (`engine.ledger.hash_chain`): ``connection`` is the feed, ``number`` counts lines
from 0, ``previous`` is the hash of the line before, ``sha256`` and ``bytes`` are of the whole file, a torn tail
included, ``at_us`` is when it was closed.  The control log is committed like a feed, under `CONTROL`.  What a killed
recorder left open is closed when the next one starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.errors import DataError, LedgerError, MissingError
from engine.ledger.format.closed_tables import closed
from engine.ledger.format.fields import COUNT, HEX, NAMED
from engine.ledger.hash_chain import EMPTY, ChainFormat, ChainHead, read_chain

CHAIN_FILE: Final = "segments.jsonl"
CHAIN: Final = ChainFormat("segments", "number", "previous")
CONTROL: Final = "control"
"""The name under which files of the control log stand in the chain."""
_LINE: Final = {
    "at_us": COUNT, "bytes": COUNT, "connection": NAMED, "hour": NAMED, "number": COUNT, "part": COUNT, "previous": HEX,
    "sha256": HEX,
}  # fmt: skip
_DIFFERS: Final = 21


class CommittedFile(NamedTuple):
    """A line of the chain, and the head after it."""

    connection: str
    hour: str
    part: int
    sha256: str
    bytes: int
    at_us: int
    head: ChainHead


def read_segment_chain(folder: Path) -> list[CommittedFile]:
    """Return the lines of the recording's chain in order, each checked; a torn last line is left out.

    Empty where no chain was begun.  Raises ``DataError`` (4) with the number of a line that is not of the table or not
    on the chain.
    """
    path = folder / CHAIN_FILE
    try:
        body = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise MissingError(f"expected the chain {path}, was: {error.strerror or error}") from error
    try:
        return list(_lines(body))
    except LedgerError as problem:
        raise DataError(f"{path}: {problem}; bring the file back from a copy") from problem


def head_of(lines: list[CommittedFile]) -> ChainHead:
    """Return the head of a chain as read: number of lines, and the hash of the last one."""
    return lines[-1].head if lines else EMPTY


def check_file(line: CommittedFile, path: Path) -> None:
    """Compare a file with its line.  Raises ``MissingError`` (3) if it is gone, ``DataError`` (21) if it differs."""
    try:
        with path.open("rb") as stream:
            found = file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise MissingError(f"expected {path}, which {CHAIN_FILE} names, was: {error.strerror or error}") from error
    if found != line.sha256:
        raise DataError(
            f"{path}: expected SHA-256 {line.sha256} of {CHAIN_FILE}, line {line.head.size - 1}, was {found}: the file "
            "was changed after it was closed; bring it back from a copy",
            exit_code=_DIFFERS,
        )


def _lines(body: bytes) -> Iterator[CommittedFile]:
    for head, line in read_chain(CHAIN, body, lambda record: closed(record, _LINE, "segments")):
        fields: dict[str, Any] = line
        yield CommittedFile(
            fields["connection"], fields["hour"], fields["part"], fields["sha256"], fields["bytes"], fields["at_us"],
            head,
        )  # fmt: skip
