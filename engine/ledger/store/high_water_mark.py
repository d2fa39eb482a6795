"""The high-water mark: the last acknowledged row of a live ledger, kept in another folder.  [audit 6.3]

    {"ledger_id":"...","row_hash":"...","seq":6}

A restored old backup is behind its mark and is refused (41), so that it cannot grow a second history.  A crash between
commit and mark leaves a mark behind the ledger; the next append advances it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import AppendError, LedgerError, MissingError
from engine.ledger.durable import write_whole
from engine.ledger.format.canonical_json import canonical, parse
from engine.ledger.format.closed_tables import closed
from engine.ledger.format.fields import COUNT, HEX, UUID
from engine.ledger.format.match_text import object_form

SHAPE = {"ledger_id": UUID, "seq": COUNT, "row_hash": HEX}
_READ_LIMIT: Final = 1 << 10
"""Most bytes read of a mark, which has some 180: a large file in its place is not read whole."""
_FORM = re.compile(object_form(SHAPE, SHAPE).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class HighWaterMark:
    """The last row of a ledger that was acknowledged."""

    ledger_id: str
    seq: int
    row_hash: str


def read_mark(path: Path) -> HighWaterMark | None:
    """Return the mark in ``path``, None if there is no file.

    Raises ``MissingError`` (3) if the file cannot be read or is not a mark.
    """
    try:
        # Non-blocking: a named pipe without a writer in the mark's place would block for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            data = os.read(handle, _READ_LIMIT + 1)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MissingError(f"{path}: expected a readable high-water mark, was: {error.strerror or error}") from error
    # The pattern first, without parsing: every append reads the mark twice.
    if match := _FORM.fullmatch(data):
        return HighWaterMark(match["ledger_id"].decode(), int(match["seq"]), match["row_hash"].decode())
    try:
        value = parse(data.removesuffix(b"\n"))
        closed(value, SHAPE, str(path))
    except LedgerError as error:
        raise MissingError(
            f"{path}: expected a high-water mark, was another text ({error}): find out who wrote it; "
            "verify the ledger against a checkpoint before removing the mark"
        ) from error
    return HighWaterMark(**value)  # type: ignore[arg-type]  # closed() holds


def write_mark(path: Path, mark: HighWaterMark) -> None:
    """Replace the mark durably.  Raises ``WriteError`` (5) if it cannot be written; then the old one is still there."""
    document = {"ledger_id": mark.ledger_id, "seq": mark.seq, "row_hash": mark.row_hash}
    write_whole(path, [canonical(document), b"\n"])


def check_mark(
    mark: HighWaterMark | None,
    tail: HighWaterMark | None,
    hash_at: Callable[[int], str | None],
    path: Path,
    ledger: Path,
) -> None:
    """Check that the ledger contains the row of its mark; a ``mark`` of None is accepted.

    ``tail`` is the last row of the ledger, None if it is empty; ``hash_at`` gives a row's hash by its seq; ``path`` is
    the mark's file, ``ledger`` the ledger's.  Raises ``AppendError`` (41) if the ledger is shorter than the mark says,
    is another one, or has another row at that place.
    """
    if mark is None:
        return
    row_hash = None
    if tail is not None and mark.seq <= tail.seq:
        row_hash = tail.row_hash if mark.seq == tail.seq else hash_at(mark.seq)
    if tail is None or mark.ledger_id != tail.ledger_id or row_hash != mark.row_hash:
        was = (
            "empty"
            if tail is None
            else f"ledger {tail.ledger_id} with {row_hash or f'only rows up to {tail.seq}'} there"
        )
        raise AppendError(
            f"{ledger}: expected ledger {mark.ledger_id} with the row {mark.row_hash} at seq {mark.seq} of its "
            f"high-water mark {path}, was {was}: an old backup was restored or another file put in its place. Nothing "
            "was written; bring back the newest file",
            exit_code=41,
        )
