"""Every class of tampering with a finished run, each on a copy of it: what the drill does.  [audit 8.4, 14]"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backtest.audit.tamper import cases
from engine.ledger.chain import row_hash
from engine.ledger.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Tampering:
    """One way of tampering.  ``apply`` edits the copy of a run; ``forges`` a checkpoint instead, given the true one."""

    name: str
    apply: Callable[[Path], None]
    forges: Callable[[Checkpoint], bytes] | None = None


def _lines(run: Path, kind: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path = run / "ledger" / f"{kind}.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))


def _edited(line: bytes) -> bytes:
    return line.replace(b'"net_bps":"', b'"net_bps":"9', 1)


def _rehashed(line: bytes) -> bytes:
    """Return an edited line whose own row hash fits again."""
    # 7 bytes of `{"row":` before the row; after it 13 of the key, 64 of the hash, 2 of the end.
    row = _edited(line)[7:-79]
    return b'{"row":' + row + b',"row_hash":"' + row_hash(row).encode() + b'"}'


def _edit_row(run: Path) -> None:
    # A row with neighbours on both sides: the next one holds its hash.
    _lines(run, "emit", lambda rows: [*rows[:3], _edited(rows[3]), *rows[4:]])


def _edit_and_rehash_row(run: Path) -> None:
    _lines(run, "emit", lambda rows: [*rows[:3], _rehashed(rows[3]), *rows[4:]])


def _drop_tail(run: Path) -> None:
    _lines(run, "resolution", lambda rows: rows[:-3])


def _drop_middle(run: Path) -> None:
    _lines(run, "emit", lambda rows: [*rows[:4], *rows[5:]])


def _drop_first(run: Path) -> None:
    _lines(run, "emit", lambda rows: rows[1:])


def _reorder(run: Path) -> None:
    _lines(run, "emit", lambda rows: [*rows[:3], rows[4], rows[3], *rows[5:]])


def _duplicate(run: Path) -> None:
    _lines(run, "emit", lambda rows: [*rows[:4], rows[3], *rows[4:]])


def _insert(run: Path) -> None:
    _lines(run, "emit", lambda rows: [*rows[:3], _rehashed(rows[3]), *rows[3:]])


def _swap_ledgers(run: Path) -> None:
    emit, resolution = (run / "ledger" / f"{kind}.jsonl" for kind in ("emit", "resolution"))
    first = emit.read_bytes()
    emit.write_bytes(resolution.read_bytes())
    resolution.write_bytes(first)


def _truncate_file(run: Path) -> None:
    path = run / "ledger" / "emit.jsonl"
    # Inside the last line; a cut at its end would be a dropped tail.
    path.write_bytes(path.read_bytes()[:-40])


def _another_spelling(run: Path) -> None:
    _lines(run, "emit", lambda rows: [*rows[:2], rows[2].replace(b'{"row":{', b'{"row":{ ', 1), *rows[3:]])


def _edit_genesis(run: Path) -> None:
    def change(rows: list[bytes]) -> list[bytes]:
        row = json.loads(rows[0])["row"]
        row["content"]["study"] += "x"
        # Spelled as canonical JSON, so that the content alone is wrong.
        text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        return [b'{"row":' + text + b',"row_hash":"' + row_hash(text).encode() + b'"}', *rows[1:]]

    _lines(run, "emit", change)


def _nothing(run: Path) -> None:
    """Leave the run as it is: the forgery is beside it."""


def _other_root(true: Checkpoint) -> bytes:
    return Checkpoint(true.ledger_id, true.size, bytes(32)).text.encode()


def _other_spelling(true: Checkpoint) -> bytes:
    return true.text.replace("\n", "\r\n").encode()


def _beyond(true: Checkpoint) -> bytes:
    return Checkpoint(true.ledger_id, true.size + 1, true.root).text.encode()


def _extended(true: Checkpoint) -> bytes:
    return (true.text + base64.b64encode(b"more").decode() + "\n").encode()


TAMPERINGS: Final[tuple[Tampering, ...]] = (
    Tampering("edit a row", _edit_row),
    Tampering("edit a row and re-hash it", _edit_and_rehash_row),
    Tampering("drop the tail", _drop_tail),
    Tampering("drop a row", _drop_middle),
    Tampering("drop the genesis", _drop_first),
    Tampering("reorder two rows", _reorder),
    Tampering("duplicate a row", _duplicate),
    Tampering("insert a row", _insert),
    Tampering("swap the ledgers", _swap_ledgers),
    Tampering("truncate the file", _truncate_file),
    Tampering("another spelling of a row", _another_spelling),
    Tampering("edit the genesis", _edit_genesis),
    Tampering("edit a result", cases.edit_result),
    Tampering("change the digest", cases.change_digest),
    Tampering("edit a result, all made to agree", cases.edit_result_and_digest),
    Tampering("alter a verdict", cases.alter_verdict),
    Tampering("alter a verdict and list it anew", cases.alter_verdict_and_list),
    Tampering("cut a table in half", cases.cut_table),
    Tampering("add a file", cases.add_file),
    Tampering("take a file away", cases.take_file),
    Tampering("alter the page", cases.alter_page),
    Tampering("edit the returns", cases.edit_returns),
    Tampering("drop the capital charge", cases.edit_charge),
    Tampering("edit the trades", cases.edit_trades),
    Tampering("edit the registration", cases.edit_registration),
    Tampering("edit the manifest", cases.edit_manifest),
    Tampering("edit the data manifest", cases.edit_data),
    Tampering("edit the seeds", cases.edit_seeds),
    Tampering("forge a checkpoint: another root", _nothing, _other_root),
    Tampering("forge a checkpoint: a row more", _nothing, _beyond),
    Tampering("forge a checkpoint: another spelling", _nothing, _other_spelling),
    Tampering("forge a checkpoint: a line more", _nothing, _extended),
    Tampering("flatter a result, all made to agree", cases.flatter_and_agree),
    Tampering("drop the worst loser, all made to agree", cases.drop_loser_and_agree),
    Tampering("the same, and the statistics with it", cases.drop_loser_and_agree),
)
"""In the order of the drill, which computes the statistics of the last again: no check without data can fail then."""
RECOMPUTED: Final = TAMPERINGS[-1].name
