"""The emit and resolution ledgers of a backtest: the same records and rows as live ones, without a clock.  [audit 4, 5]

``mode`` is ``backtest`` and every ``recorded_at_us`` null, so a rebuild from the same data gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backtest.pipeline.window import WindowRun
from backtest.results.tables import ev_usd
from engine.ledger.chain import append, open_ledger
from engine.ledger.format.ids import ledger_id
from engine.ledger.identify import provenance_of
from engine.ledger.merkle import root
from engine.ledger.provenance import resolution_record, signal_record


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


def build_ledgers(run: WindowRun, seal: Mapping[str, str | None]) -> dict[str, Ledger]:
    """Return the ``emit`` and the ``resolution`` ledger of the window; a resolution names the row of its signal.

    ``seal`` holds ``study, prereg, freeze_hash, engine_hash, config_hash, dataset_hash, seeds_hash``.
    """
    geneses = _geneses(seal)
    emit, rows = _write(geneses["emit"], "signal", _signals(run))
    resolutions = [resolution_record(trade, rows[trade.position.signal.signal_id]) for trade in run.trades]
    resolution, _ = _write(geneses["resolution"], "resolution", resolutions)
    return {"emit": emit, "resolution": resolution}


def openings(seal: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    """Return the facts of both ledgers when only their geneses are written: known before any datum is read."""
    found = {kind: open_ledger(genesis) for kind, genesis in _geneses(seal).items()}
    return {kind: Ledger(head.ledger_id, (line,), head.row_hash).facts() for kind, (head, line) in found.items()}


def _geneses(seal: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    keys = ("study", "prereg", "freeze_hash", "engine_hash", "config_hash", "dataset_hash", "seeds_hash")
    genesis = {"schema": "genesis/1", "mode": "backtest", "opened_at_us": None, **{key: seal[key] for key in keys}}
    emit = {**genesis, "ledger_kind": "emit", "emit_ledger_id": None}
    return {"emit": emit, "resolution": {**genesis, "ledger_kind": "resolution", "emit_ledger_id": ledger_id(emit)}}


def _signals(run: WindowRun) -> list[dict[str, Any]]:
    params, config_hash = run.registration.params, run.registration.config_hash
    capture = {fit.fold: fit.capture for fit in run.fitted}
    return [
        signal_record(
            signal,
            provenance_of(signal, run.instruments, params, config_hash),
            ev_usd(signal, capture[signal.fold][signal.constraint]),
        )
        for signal in run.signals
    ]


def _write(
    genesis: Mapping[str, Any], kind: str, records: Sequence[Mapping[str, Any]]
) -> tuple[Ledger, Mapping[str, str]]:
    """Return the ledger of ``records`` and the row hash of each of its ids."""
    head, first = open_ledger(genesis)
    done = append(head, kind, records)
    return Ledger(head.ledger_id, (first, *done.lines), done.head.row_hash), done.head.rows
