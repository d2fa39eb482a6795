"""A finished ledger, and the geneses of the two ledgers of a backtest: known before any datum is read.  [audit 4, 5]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.ledger.chain import open_ledger
from engine.ledger.format.ids import ledger_id
from engine.ledger.merkle import root


@dataclass(frozen=True, slots=True)
class Ledger:
    """A finished ledger: its name, its lines, and what a checkpoint of it would hold."""

    ledger_id: str
    lines: tuple[bytes, ...]
    head: str

    @property
    def size(self) -> int:
        return len(self.lines)

    @property
    def root(self) -> str:
        """The Merkle tree hash of the rows, hex; a row is what its line holds between the frame's two ends."""
        return root(line[7:-80] for line in self.lines).hex()

    def facts(self) -> dict[str, Any]:
        """Return the entry of results and manifest."""
        return {"ledger_id": self.ledger_id, "size": self.size, "root": self.root, "head": self.head}


def openings(seal: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    """Return the facts of both ledgers when only their geneses are written: known before any datum is read."""
    ledgers = {kind: open_ledger(genesis) for kind, genesis in geneses_of(seal).items()}
    return {kind: Ledger(head.ledger_id, (line,), head.row_hash).facts() for kind, (head, line) in ledgers.items()}


def geneses_of(seal: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    """Return the genesis records of the ``emit`` and the ``resolution`` ledger, by kind.

    ``seal`` holds ``study, prereg, freeze_hash, engine_hash, config_hash, dataset_hash, seeds_hash``.
    """
    keys = ("study", "prereg", "freeze_hash", "engine_hash", "config_hash", "dataset_hash", "seeds_hash")
    genesis = {"schema": "genesis/1", "mode": "backtest", "opened_at_us": None, **{key: seal[key] for key in keys}}
    emit = {**genesis, "ledger_kind": "emit", "emit_ledger_id": None}
    return {"emit": emit, "resolution": {**genesis, "ledger_kind": "resolution", "emit_ledger_id": ledger_id(emit)}}
