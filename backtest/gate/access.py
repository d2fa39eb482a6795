"""Opens a look before the first byte of outcome data is read, and closes it after the run.  [audit 11.1]

A crash in between leaves the look open; a run with the same inputs resumes it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from backtest.gate.freeze.seal import PREREG
from backtest.gate.looks import registry
from backtest.gate.looks.rule import Permit, blinded_reason
from backtest.gate.run_mode import RunMode
from backtest.records import Registration
from backtest.results.ledger import openings
from backtest.tracking.journal import one_line
from engine.errors import GateError, ReproduceError
from engine.freeze import engine_hash


def open_looks(run_mode: RunMode, registration: Registration, now_us: int) -> RunMode:
    """Record the look of every window, durably; return ``run_mode`` with the registry as it is then.

    An exploratory run opens no look.  Raises ``run_mode.refusal`` if the run may not start.
    """
    if run_mode.refusal is not None:
        raise run_mode.refusal
    if run_mode.mode != "confirmatory" or run_mode.looks is None:
        return run_mode
    for permit in run_mode.permits:
        repeated = f"replication of {permit.replication_of}" if permit.replication_of else "the registered analysis"
        # Before any outcome is read: a run that dies later has looked all the same.  [audit 11.1]
        registry.record(
            run_mode.looks,
            permit,
            "open",
            openings(_seal(registration, permit)),
            now_us,
            reason=permit.reason or repeated,
        )
    return replace(run_mode, facts={**run_mode.facts, "looks": registry.read(run_mode.looks).summary()})


def _seal(registration: Registration, permit: Permit) -> dict[str, str | None]:
    return {
        "study": registration.study,
        "prereg": PREREG,
        "freeze_hash": permit.inputs.freeze_hash,
        "engine_hash": engine_hash(),
        "config_hash": registration.config_hash,
        "dataset_hash": permit.inputs.dataset_hash,
        "seeds_hash": permit.inputs.seeds_hash,
    }


def record_blinded(run_mode: RunMode, registration: Registration, now_us: int) -> RunMode:
    """Record a blinded run of every window, durably, once for equal inputs; return ``run_mode`` with the registry then.

    It opens no look and uses none.  A study without a freeze has no registry to write to.  Raises
    ``run_mode.refusal`` if the run may not start, ``GateError`` (25) where a look is open: outcomes may have been read.
    """
    if run_mode.refusal is not None:
        raise run_mode.refusal
    if run_mode.mode != "confirmatory" or run_mode.looks is None:
        return run_mode
    for permit in run_mode.permits:
        if permit.resumes:
            raise GateError(
                f"looks: expected a blinded run before the look, was one after look {permit.look_id} had been opened: "
                "finish that run, or abort the look",
                exit_code=25,
            )
        reason = blinded_reason(len(registration.amendments))
        registry.record(run_mode.looks, permit, "blinded", openings(_seal(registration, permit)), now_us, reason=reason)
    return replace(run_mode, facts={**run_mode.facts, "looks": registry.read(run_mode.looks).summary()})


def check_dataset(run_mode: RunMode, dataset_hash: str) -> None:
    """Check that the data set is the one each look was opened for; an exploratory run has no look.

    Raises ``GateError`` (21) for another data set.
    """
    for permit in run_mode.permits:
        if permit.inputs.dataset_hash != dataset_hash:
            raise GateError(
                f"expected the data set {permit.inputs.dataset_hash} of look {permit.look_id}, was {dataset_hash}: it "
                "was changed after the gate; bring it back and start again",
                exit_code=21,
            )


def close_look(run_mode: RunMode, run: Path, now_us: int) -> None:
    """Close the look of a finished run directory with its digest and its ledgers.

    Raises ``ReproduceError`` (30), after the close, where a replication ended with another digest than the first look.
    """
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    permit = run_mode.permit_of(manifest["analysis_id"])
    if run_mode.looks is None or permit is None:
        return
    digest = (run / "digest.txt").read_text(encoding="utf-8").strip()
    ledgers: dict[str, Any] = manifest["ledgers"]
    registry.record(
        run_mode.looks, permit, "close", ledgers, now_us, results_digest=digest, reason=f"results of {manifest['id']}"
    )
    # After the close: a replication that differs is on record too.
    if permit.digest is not None and digest != permit.digest:
        raise ReproduceError(
            f"{run}: expected the digest {permit.digest} of the look it replicates, was {digest}: the first stands; "
            "compare the two run directories",
            exit_code=30,
        )


def abort_look(folder: Path, name: str, reason: str, now_us: int) -> None:
    """Abort an open look; it remains on record and counts.  Raises ``GateError`` (25) if it is not open."""
    look = next((known for known in registry.read(folder).looks if known.look_id == name), None)
    if look is None or look.state != "open":
        raise GateError(f"{folder}: expected an open look {name}, was {look.state if look else 'none'}", exit_code=25)
    row = registry.opening(folder, name)
    permit = Permit(name, look.inputs, look.replication, look.replication_of, True, None, look.repair_of)
    registry.record(folder, permit, "abort", row, now_us, reason=one_line(reason))
