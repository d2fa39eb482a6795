"""Builders of ledger records that hold: one real-looking signal of the shared vectors, varied by its decision time.

genesis()            an emit ledger of backtest mode; genesis(mode="live", ledger_kind="looks") and so on
signal(3)            the fourth signal of the day; signal(3, net_bps="1") has the same id and other content
resolution(content, row_hash)
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from engine.ledger.chain import append, open_ledger
from engine.ledger.format.ids import derived_ids, look_id, resolution_id
from engine.ledger.store.live_store import Store, open_store

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "audit"
NOON = 1_767_225_600_000_000


def cases(name: str) -> list[dict[str, Any]]:
    """Return the cases of a file of shared vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))["cases"]


REPLAY = cases("replay")
_SIGNAL = REPLAY[0]["steps"][0]["batch"][0]


def genesis(**fields: Any) -> dict[str, Any]:
    return {**REPLAY[0]["genesis"], **fields}


def live(kind: str = "emit", **fields: Any) -> dict[str, Any]:
    return genesis(mode="live", ledger_kind=kind, opened_at_us=NOON, **fields)


def signal(n: int, **result: str) -> dict[str, Any]:
    content = copy.deepcopy(_SIGNAL)
    content["provenance"]["as_of_us"] += 60_000_000 * n
    content.update(derived_ids("signal", content))
    content["result"].update(result)
    return content


def signals(count: int) -> list[dict[str, Any]]:
    return [signal(n) for n in range(count)]


def resolution(of: dict[str, Any], row_hash: str, revision: int = 0, supersedes: str | None = None) -> dict[str, Any]:
    entry = of["provenance"]["as_of_us"] + 1_000_000
    return {
        "schema": "resolution/1",
        "resolution_id": resolution_id(of["signal_id"], "registered", revision),
        "signal_id": of["signal_id"],
        "signal_row_hash": row_hash,
        "rule_id": "registered",
        "revision": revision,
        "supersedes": supersedes,
        "entry_us": entry,
        "exit_us": entry + 3_600_000_000,
        "exit_reason": "converged",
        "gross_pnl_usd": "10.5",
        "fees_usd": "1.25",
        "slippage_usd": "0.5",
        "funding_usd": "-0.25",
        "capital_usd": "0",
        "net_pnl_usd": "9",
        "notional_usd": "25000",
        "return_bps": "3.6",
        "evidence_hash": "e" * 64,
    }


def look(event: str, replication: int = 0) -> dict[str, Any]:
    state = {"ledger_id": "1d799369-2b9d-5c05-ac9c-5d431cb37c1d", "size": 8, "root": "a" * 64}
    return {
        "schema": "look/1",
        "look_id": look_id("study", "f" * 64, "d" * 64, "5" * 64, replication),
        "event": event,
        "analysis_id": "study",
        "freeze_hash": "f" * 64,
        "dataset_hash": "d" * 64,
        "seeds_hash": "5" * 64,
        "emit": state,
        "resolution": state,
        "results_digest": "b" * 64 if event == "close" else None,
        "replication": replication,
        "replication_of": None,
        "reason": "pre-registered analysis",
    }


def ledger(count: int) -> list[bytes]:
    """Return the lines of an emit ledger of ``count`` signals."""
    head, first = open_ledger(genesis())
    return [first, *append(head, "signal", signals(count)).lines]


def store(folder: Path, given: dict[str, Any] | None = None, **options: Any) -> Store:
    """Return a live store in ``folder``, its high-water mark below it."""
    return open_store(folder / "ledger.db", given or genesis(), folder / "marks" / "highwater.json", **options)
