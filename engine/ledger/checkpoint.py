"""Checkpoints: the text that commits to a ledger at a size, to be kept by someone else.  [audit 7, 7.1]

    cme-audit/ce0d755e-e7d5-56c9-8819-356f41c1aa34
    6
    U74TS1ZMB6PMd4Xzo0Rq99G4k4EDEcNDX3s/7YZbwUc=

Line 1 is the origin, line 2 the number of rows with the genesis, line 3 the base64 of the Merkle tree hash; each ends
with LF, and there are no further lines (C2SP tlog-checkpoint without extensions).  A signed note has this as its text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import LedgerError
from engine.ledger.durable import write_whole
from engine.ledger.format.canonical_json import MAX_INT
from engine.ledger.format.fields import is_uuid
from engine.ledger.merkle import Tree

ORIGIN: Final = "cme-audit/"
EXIT: Final = 16
NOTE_LIMIT: Final = 65_536
"""Most bytes of a checkpoint file with all its signatures."""
# 2^53 - 1 has 16 digits; a longer text is refused before int() reads it.
_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A ledger of ``size`` rows whose tree hash is ``root`` (32 bytes)."""

    ledger_id: str
    size: int
    root: bytes

    @property
    def origin(self) -> str:
        """Return the first line, without LF."""
        return ORIGIN + self.ledger_id

    @property
    def text(self) -> str:
        """Return the three lines, each with LF; the inverse of `parse_checkpoint`."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint of ``text``; the inverse of ``Checkpoint.text``.

    Raises ``LedgerError`` (16) for any text that ``Checkpoint.text`` does not write: leading zeros, other base64 of the
    same bytes, extension lines, a missing last LF.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise LedgerError(f"checkpoint: expected three lines that end with LF, was {text[:200]!r}", exit_code=EXIT)
    origin, size, root = lines[:3]
    if not origin.startswith(ORIGIN) or not is_uuid(origin[len(ORIGIN) :]):
        raise LedgerError(f"checkpoint: expected the origin {ORIGIN}<ledger id>, was {origin[:80]!r}", exit_code=EXIT)
    if not _SIZE.match(size) or int(size) > MAX_INT:
        raise LedgerError(f"checkpoint: expected a number of rows in plain digits, was {size[:40]!r}", exit_code=EXIT)
    try:
        digest = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    # Encoded again, because base64 spells the same bytes in several ways.
    if len(digest) != 32 or base64.b64encode(digest).decode() != root:
        raise LedgerError(f"checkpoint: expected the base64 of 32 bytes, was {root[:80]!r}", exit_code=EXIT)
    return Checkpoint(origin[len(ORIGIN) :], int(size), digest)


def text_of(note: bytes) -> str:
    """Return the text of a checkpoint file: all of it, or the part before the signatures of a signed note.

    Raises ``LedgerError`` (16) if the file is longer than ``NOTE_LIMIT`` bytes or is not UTF-8.
    """
    if len(note) > NOTE_LIMIT:
        raise LedgerError(f"checkpoint: expected at most {NOTE_LIMIT} bytes, was {len(note)}", exit_code=EXIT)
    try:
        text = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LedgerError(f"checkpoint: expected UTF-8 text, was: {error}", exit_code=EXIT) from error
    body, blank, _ = text.rpartition("\n\n")
    return body + "\n" if blank else text


def write_checkpoint(
    folder: Path,
    checkpoint: Checkpoint,
    rows: Callable[[], Iterable[bytes]],
    sign: Callable[[str], str] = str,
) -> Path:
    """Write ``folder/<ledger_id>/<size>.ckpt`` durably and return its path; a file that exists already is kept.

    ``rows`` gives the canonical bytes of all rows from row 0; ``sign`` turns the text into a signed note.  Raises
    ``LedgerError`` (16), and writes nothing, unless ``rows`` reproduces this checkpoint and the newest earlier one, and
    if that one has more rows; ``WriteError`` (5) if the file cannot be written.
    """
    home = folder / checkpoint.ledger_id
    earlier = newest(home)
    wanted = {checkpoint.size} | ({earlier.size} if earlier else set())
    roots = roots_at(rows(), wanted)
    for claim in (earlier, checkpoint):
        if claim is not None and (claim.ledger_id, roots.get(claim.size)) != (checkpoint.ledger_id, claim.root):
            raise LedgerError(
                f"checkpoint: expected the ledger {checkpoint.ledger_id} to have at {claim.size} rows the root "
                f"{claim.root.hex()}, was {_hex(roots.get(claim.size))}: its history changed, so nothing was written",
                exit_code=EXIT,
            )
    path = home / f"{checkpoint.size}.ckpt"
    if earlier is not None and earlier.size > checkpoint.size:
        raise LedgerError(
            f"checkpoint: expected at least the {earlier.size} rows of the newest one, was {checkpoint.size}: "
            "write the checkpoint of the whole ledger",
            exit_code=EXIT,
        )
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        write_whole(path, [sign(checkpoint.text).encode()])
    return path


def newest(home: Path) -> Checkpoint | None:
    """Return the checkpoint of the most rows in the folder of one ledger, None if there is none.

    Raises ``LedgerError`` (16) if that file is not a checkpoint.
    """
    sizes = [int(path.stem) for path in home.glob("*.ckpt") if _SIZE.match(path.stem)]
    return parse_checkpoint(text_of((home / f"{max(sizes)}.ckpt").read_bytes())) if sizes else None


def roots_at(rows: Iterable[bytes], sizes: set[int]) -> dict[int, bytes]:
    """Return size -> tree hash (32 bytes) for each of ``sizes`` up to the number of rows; larger sizes are absent."""
    tree, roots = Tree(), {}
    if 0 in sizes:
        roots[0] = tree.root()
    for row in rows:
        tree.add(row)
        if tree.size in sizes:
            roots[tree.size] = tree.root()
    return roots


def _hex(root: bytes | None) -> str:
    return "no such row" if root is None else root.hex()
