"""What a time-stamp authority needs after an emission: requests of (day seal, emit root).  [live L2.3, audit 7.3]

    LIVE/anchors/days/<size>.ckpt  .tsq            the sealed days: a checkpoint over the lines of days.jsonl
    LIVE/anchors/<study>/<size>.ckpt  .tsq         a live ledger: its checkpoint, as published

Sent and answered, each is kept by `cme anchor <size>.ckpt --answer <size>.tsr`.  What has a request keeps it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from backtest.audit.timestamps import request_stamp
from backtest.data.format.atomic_write import write_whole
from backtest.live.day_chain import DAYS_FILE, DayChain
from backtest.live.emit import Judged
from backtest.live.live_folder import LiveFolder
from engine.ledger.checkpoint import Checkpoint
from engine.ledger.format.ids import NS_LEDGER, uuid_of
from engine.ledger.hash_chain import whole_lines
from engine.ledger.merkle import root

FOLDER: Final = "anchors"


def days_checkpoint(chain: DayChain) -> Checkpoint:
    """Return the checkpoint of the sealed days: number of lines of ``days.jsonl`` and their tree hash.

    Its origin is named by the first line, which is never written anew but by `cme emit --reseal`.
    """
    lines, _ = whole_lines((chain.folder / DAYS_FILE).read_bytes())
    return Checkpoint(uuid_of(NS_LEDGER, lines[0].decode()), len(lines), root(lines))


def request_anchors(live: LiveFolder, chain: DayChain, judged: tuple[Judged, ...]) -> list[Path]:
    """Write the requests that are not there yet and return them; none where no day is sealed.

    Raises ``MissingError`` (3) where openssl is not there, ``WriteError`` (5) if the disk refuses.
    """
    if not chain.rows:
        return []
    notes = {"days": days_checkpoint(chain)}
    notes |= {one.study: Checkpoint(one.ledger_id, one.rows, bytes.fromhex(one.root)) for one in judged}
    made = []
    for name, checkpoint in notes.items():
        note = live.root / FOLDER / name / f"{checkpoint.size}.ckpt"
        request = note.with_suffix(".tsq")
        if not request.exists():
            write_whole(note, checkpoint.text.encode())
            request_stamp(note, request)
            made.append(request)
    return made
