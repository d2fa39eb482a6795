"""Where the daily operation keeps what it makes, below one folder.

live/days/<day>/ days.jsonl                  sealed days                                 `cme emit`
live/ledgers/<study>/emit.jsonl              the export of a live ledger, published
live/ledgers/<study>/checkpoints/<id>/       one at least a day
live/ledgers/<study>/mark/ store/            high-water mark and live store
live/ledgers/<study>/judged.json             the last day that was judged
live/ledgers/<study>/progress.json           what could be judged and was emitted, by constraint; counts alone
live/freezes/<freeze_hash>.json              every freeze that a ledger names
live/journals/<run_uid>/journal.jsonl        one a command
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backtest.file_lock import try_lock
from engine.errors import AppendError
from engine.ledger.durable import make_folder

HISTORY: Final = "-history"
"""Ends the name of the study that days before the window are judged into: read by no verdict.  [live L0.1]"""
SHADOW: Final = "-shadow"
"""Ends the name of the study that dropped constraints are emitted into.  [live L2.2]"""


@dataclass(frozen=True, slots=True)
class LedgerFolder:
    """The folder of one live ledger of the study ``name``; ``kind`` is emit or resolution."""

    root: Path
    name: str
    kind: str = "emit"

    @property
    def export(self) -> Path:
        return self.root / f"{self.kind}.jsonl"

    @property
    def store(self) -> Path:
        return self.root / "store" / f"{self.kind}.sqlite"

    @property
    def mark(self) -> Path:
        return self.root / "mark" / f"{self.kind}.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def judged(self) -> Path:
        return self.root / "judged.json"

    @property
    def progress(self) -> Path:
        return self.root / "progress.json"


@dataclass(frozen=True, slots=True)
class LiveFolder:
    """The folder of a study's daily operation."""

    root: Path

    @property
    def days(self) -> Path:
        return self.root / "days"

    @property
    def work(self) -> Path:
        return self.root / ".work"

    @property
    def journals(self) -> Path:
        return self.root / "journals"

    @property
    def freezes(self) -> Path:
        return self.root / "freezes"

    def ledger(self, name: str, kind: str = "emit") -> LedgerFolder:
        """Return the ledger of the study ``name``."""
        return LedgerFolder(self.root / "ledgers" / name, name, kind)

    @contextmanager
    def sole_writer(self) -> Iterator[None]:
        """Keep every other process from writing here while the block runs; the system gives the lock back.

        Raises ``AppendError`` (42) where another process has it.
        """
        make_folder(self.root)
        handle = os.open(self.root, os.O_RDONLY)
        try:
            if not try_lock(handle):
                raise AppendError(
                    f"expected to be the only process that emits below {self.root}, was another one: nothing was "
                    "written; it does the same days, so wait until it has ended",
                    exit_code=42,
                )
            yield
        finally:
            os.close(handle)
