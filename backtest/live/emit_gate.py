"""The gate of an emission: that of a confirmatory run, without a look; and the descent of a freeze by amendments.

A live ledger begins under one freeze.  An amended plan has another one, which it may go on under if nothing but
amendments lies between: the trees of engine and analysis are equal.  Another engine writes another ledger (20).  [L0.2]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from backtest.gate.checks import Situation, examine, refusal
from backtest.gate.freeze import seal
from backtest.live.live_folder import LiveFolder
from backtest.live.plans_on_record import plan_of_hash, text_hashes
from backtest.records import Registration
from engine.errors import GateError, MissingError
from engine.freeze import engine_hash

SAME: Final = {"engine": 20, "families": 20, "analysis": 20, "numeric": 20, "seeds": 24}
"""Entries of a freeze that amendments leave as they are, and the exit code of another one."""


@dataclass(frozen=True, slots=True)
class EmitSeal:
    """What rows of a live ledger are emitted under: freeze (None outside a registered window) and hashes."""

    freeze_hash: str | None
    engine_hash: str
    config_hash: str
    judging_hash: str
    seeds_hash: str | None
    amendment: str  # the last one of the plan, "none" without


def registered(registration: Registration) -> bool:
    """Return whether the window of a plan is registered: confirmatory, so that outcomes in it are not looked at."""
    return registration.mode_allowed == "confirmatory"


def pass_gate(situation: Situation, live: LiveFolder, seeds_hash: str | None) -> EmitSeal:
    """Return the seal of an emission in the registered window; keep its freeze below ``live``.

    Raises ``GateError`` or ``MissingError`` with the code of the first check that fails, as a confirmatory run would.
    """
    findings = [finding for finding in examine(replace(situation, opening=False)) if finding.check != "data"]
    error = refusal(findings)
    if error is not None:
        raise GateError(str(error).replace("a confirmatory run", "an emission in the registered window", 1),
                        exit_code=error.exit_code)  # fmt: skip
    kept = live.freezes / f"{situation.freeze_hash}.json"
    if not kept.exists():
        write_whole(kept, (json.dumps(situation.frozen, indent=1, sort_keys=True) + "\n").encode())
    return replace(open_seal(situation.place.registration, seeds_hash), freeze_hash=situation.freeze_hash)


def open_seal(registration: Registration, seeds_hash: str | None) -> EmitSeal:
    """Return the seal of an emission that no freeze is asked for: history, or an exploratory plan."""
    last = registration.amendments[-1] if registration.amendments else "none"
    hashes = (registration.config_hash, registration.judging_hash)
    return EmitSeal(None, engine_hash(), *hashes, seeds_hash, last)


def check_descent(
    live: LiveFolder, registration: Registration, on_record: Mapping[str, Any], current: EmitSeal
) -> None:
    """Raise ``GateError`` unless ``current`` is the seal of the ledger or descends from it by amendments alone.

    ``on_record`` is the genesis in force.  20 another engine or analysis, 24 other seeds, 26 another plan;
    ``MissingError`` (3) where the freeze of the ledger was not kept.
    """
    if on_record["engine_hash"] != current.engine_hash:
        raise _refused(live.root, "engine", on_record["engine_hash"], current.engine_hash, 20)
    if on_record["freeze_hash"] == current.freeze_hash and on_record["config_hash"] == current.config_hash:
        return
    if on_record["freeze_hash"] is None or current.freeze_hash is None:
        if on_record["freeze_hash"] != current.freeze_hash:
            raise _refused(live.root, "freeze", str(on_record["freeze_hash"]), str(current.freeze_hash), 20)
        if plan_of_hash(registration, on_record["config_hash"]) is None:
            raise _refused(live.root, "plan", on_record["config_hash"], current.config_hash, 26)
        return
    before, now = (kept_freeze(live, str(name)) for name in (on_record["freeze_hash"], current.freeze_hash))
    for key, code in SAME.items():
        if before[key] != now[key]:
            raise _refused(live.root, key, str(before[key]), str(now[key]), code)
    if before["prereg"]["text_sha256"] not in text_hashes(registration):
        raise _refused(live.root, "plan", before["config"]["config_hash"], current.config_hash, 26)


def kept_freeze(live: LiveFolder, freeze_hash: str) -> dict[str, Any]:
    """Return the content of a freeze that a ledger names.  Raises ``MissingError`` (3), ``GateError`` (20)."""
    path = live.freezes / f"{freeze_hash}.json"
    if not path.exists():
        raise MissingError(f"expected the freeze that the ledger names at {path}, found none: bring it back from git")
    content = seal.read(path)
    if seal.freeze_hash(content) != freeze_hash:
        raise _refused(path, "freeze", freeze_hash, seal.freeze_hash(content), 20)
    return content


def _refused(where: Path, what: str, expected: str, was: str, code: int) -> GateError:
    return GateError(
        f"{where}: expected the {what} {expected} of the ledger, or an amended plan under it, was {was}: another "
        "engine, analysis or plan writes its own ledger",
        exit_code=code,
    )
