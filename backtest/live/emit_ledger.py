"""One live ledger of the daily operation: opened under the plan on record, continued, published.  [live L2.2, L2.3]"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backtest.data.format.atomic_write import write_whole
from backtest.gate.freeze.seal import PREREG
from backtest.live.emit_gate import EmitSeal
from backtest.live.live_folder import LedgerFolder
from engine.errors import MissingError
from engine.ledger.checkpoint import Checkpoint, write_checkpoint
from engine.ledger.durable import make_folder
from engine.ledger.merkle import root
from engine.ledger.store.export import export
from engine.ledger.store.live_store import Store, open_store
from engine.ledger.store.state import StoreState, state_of


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What a live ledger holds: its state, and the content of every row of its own kind by id, in order."""

    state: StoreState
    contents: Mapping[str, Mapping[str, Any]]


def genesis_of_ledger(folder: LedgerFolder, seal: EmitSeal, now_us: int, emit_id: str | None = None) -> dict[str, Any]:
    """Return the genesis of a new live ledger under ``seal``; ``emit_id`` is that of the signals it resolves."""
    return {
        "schema": "genesis/1",
        "ledger_kind": folder.kind,
        "mode": "live",
        "study": folder.name,
        "prereg": PREREG,
        "freeze_hash": seal.freeze_hash,
        "engine_hash": seal.engine_hash,
        "config_hash": seal.config_hash,
        "dataset_hash": None,
        "seeds_hash": seal.seeds_hash,
        "emit_ledger_id": emit_id,
        "opened_at_us": now_us,
    }


@contextmanager
def opened(folder: LedgerFolder, genesis: Mapping[str, Any], now_us: int) -> Iterator[Store]:
    """Yield the live store of ``folder``, begun with ``genesis`` where there is none."""
    make_folder(folder.store.parent)
    with open_store(folder.store, genesis, folder.mark, recorded_at_us=now_us) as store:
        yield store


def on_record(folder: LedgerFolder, kind: str) -> OnRecord | None:
    """Return what the live ledger of ``folder`` holds, rows of ``kind``; None where it was not begun."""
    state = state_of(folder.store)
    if state is None:
        return None
    contents: dict[str, Mapping[str, Any]] = {}
    with open_store(folder.store, state.in_force, folder.mark) as store:
        for data, _ in store.rows():
            row = json.loads(data)
            if row["kind"] == kind:
                contents[row["content"][f"{kind}_id"]] = row["content"]
    return OnRecord(state, contents)


def append_plan(store: Store, seal: EmitSeal, from_us: int, now_us: int) -> None:
    """Record the plan that is in force from ``from_us`` on, before the first signal under it."""
    plan = {
        "schema": "plan/1", "from_us": from_us, "config_hash": seal.config_hash, "judging_hash": seal.judging_hash,
        "freeze_hash": seal.freeze_hash, "amendment": seal.amendment,
    }  # fmt: skip
    store.append("plan", [plan], recorded_at_us=now_us)


def publish(folder: LedgerFolder, store: Store) -> Checkpoint:
    """Write the export of ``store`` and a checkpoint of all of it; what is there already stays as it is."""
    # the export first: a kill in between must not leave a checkpoint of rows that the file lacks
    export(store, folder.export)
    rows = [row for row, _ in store.rows()]
    checkpoint = Checkpoint(store.ledger_id, len(rows), root(rows))
    write_checkpoint(folder.checkpoints, checkpoint, lambda: rows)
    return checkpoint


def last_judged(folder: LedgerFolder) -> str | None:
    """Return the last day (YYYY-MM-DD) that was judged into a ledger; None before the first.

    Raises ``MissingError`` (3) if the file that says so is not readable.
    """
    if not folder.judged.exists():
        return None
    try:
        day = json.loads(folder.judged.read_bytes())["day"]
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise MissingError(f"expected the last judged day in {folder.judged}, was: {problem}") from problem
    return str(day)


def set_judged(folder: LedgerFolder, day: str, head: str) -> None:
    """Record that days up to ``day`` were judged, durably; ``head`` is that of the chain of days."""
    write_whole(folder.judged, (json.dumps({"day": day, "days_head": head}, sort_keys=True) + "\n").encode())


def contents_of(records: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return signal records by their ids."""
    return {record["signal_id"]: record for record in records}
