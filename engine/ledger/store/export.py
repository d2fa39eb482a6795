"""The published form of a live ledger: JSON Lines, which are hashed, checkpointed and verified.  [audit 6.1, 6.3]"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import LedgerError
from engine.ledger.chain import FRAME_CLOSE, FRAME_HASH, FRAME_OPEN, row_hash
from engine.ledger.durable import write_whole
from engine.ledger.store.live_store import Store


def export(store: Store, path: Path) -> None:
    """Write every row of ``store`` to ``path``, durably and whole; two exports of one size are byte-identical.

    Raises ``LedgerError`` (11) as `export_lines`, ``WriteError`` (5) if the file cannot be written; then an earlier
    export is still there.
    """
    write_whole(path, export_lines(store))


def export_lines(store: Store) -> Iterator[bytes]:
    """Yield the lines of ``store``, LF included, all from one snapshot of the file.

    Raises ``LedgerError`` (11) if a stored row does not hash to its stored hash, which is recomputed here.
    """
    for row, digest in store.rows():
        if row_hash(row) != digest:
            raise LedgerError(
                f"{store.path}: expected a row that hashes to {digest}, was {row_hash(row)}", exit_code=11
            )
        yield FRAME_OPEN + row + FRAME_HASH + digest.encode() + FRAME_CLOSE + b"\n"
