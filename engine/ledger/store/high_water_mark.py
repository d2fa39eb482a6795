"""The high-water mark: how far a ledger had come, kept away from it.  [audit 6.3]

    {"ledger_id":"...","row_hash":"...","seq":6}

A restored old backup is behind its mark and is refused (41) instead of growing a second history.  A mark behind the
ledger is what a crash between commit and mark leaves; the next append advances it.
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
_MOST: Final = 1 << 10
"""Bytes read of a mark, which has some 180: another file in its place is not read whole."""
_FORM = re.compile(object_form(SHAPE, SHAPE).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class HighWaterMark:
    """The last row of a ledger that was acknowledged."""

    ledger_id: str
    seq: int
    row_hash: str


def read_mark(path: Path) -> HighWaterMark | None:
    """Return the mark in ``path``, None where there is none yet; ``MissingError`` (3) where it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe nobody writes to must not hold us up
        try:
            data = os.read(handle, _MOST + 1)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MissingError(f"{path}: expected a readable high-water mark, was: {error.strerror or error}") from error
    if found := _FORM.fullmatch(data):
        return HighWaterMark(found["ledger_id"].decode(), int(found["seq"]), found["row_hash"].decode())
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
    """Replace the mark durably."""
    document = {"ledger_id": mark.ledger_id, "seq": mark.seq, "row_hash": mark.row_hash}
    write_whole(path, [canonical(document), b"\n"])


def check_mark(
    mark: HighWaterMark | None,
    tail: HighWaterMark | None,
    hash_at: Callable[[int], str | None],
    path: Path,
    ledger: Path,
) -> None:
    """Refuse a ledger that is behind its mark or has another row there.  Raises ``AppendError`` (41).

    ``tail`` is the last row of the ledger, None where it is empty; ``hash_at`` gives a row's hash by its seq;
    ``path`` and ``ledger`` are the files of both.
    """
    if mark is None:
        return
    found = None
    if tail is not None and mark.seq <= tail.seq:
        found = tail.row_hash if mark.seq == tail.seq else hash_at(mark.seq)
    if tail is None or mark.ledger_id != tail.ledger_id or found != mark.row_hash:
        was = (
            "empty" if tail is None else f"ledger {tail.ledger_id} with {found or f'only rows up to {tail.seq}'} there"
        )
        raise AppendError(
            f"{ledger}: expected ledger {mark.ledger_id} with the row {mark.row_hash} at seq {mark.seq} of its "
            f"high-water mark {path}, was {was}: an old backup was restored or another file put in its place. Nothing "
            "was written; bring back the newest file",
            exit_code=41,
        )
