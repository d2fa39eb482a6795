"""The registrations that a live ledger was written under, each from a time on: found again by their hashes.  [L0.2]

A ``plan/1`` row names the hash of a whole plan.  A plan with amendments is the text of its file and the first few of
them, so the hash says how many there were.
"""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from backtest.pipeline.replays import PlansInForce
from backtest.records import Registration
from backtest.registration.amend import amendment_files
from backtest.registration.extend import text_of
from backtest.registration.load import load_registration, whole_text
from engine.errors import GateError
from engine.units import NS_PER_US


def registration_with(registration: Registration, count: int) -> Registration:
    """Return ``registration`` with only the first ``count`` of its amendments, read from its own text."""
    tree = tomllib.loads(registration.text)
    tree["amendments"] = tree.get("amendments", [])[:count]
    with tempfile.TemporaryDirectory(prefix="cme-plan-") as folder:
        path = Path(folder) / "plan.toml"
        path.write_text(text_of(tree), encoding="utf-8")
        return replace(load_registration(path), path=registration.path)


def plan_of_hash(registration: Registration, config_hash: str) -> Registration | None:
    """Return the plan of ``config_hash``: ``registration`` or one with fewer amendments; None where it is none."""
    if registration.config_hash == config_hash:
        return registration
    for count in range(len(registration.amendments) - 1, -1, -1):
        earlier = registration_with(registration, count)
        if earlier.config_hash == config_hash:
            return earlier
    return None


def plans_of_manifest(registration: Registration, manifest: Mapping[str, Any]) -> PlansInForce:
    """Return the plans in force of a run by its manifest; empty where one plan judged all of it.

    Raises ``GateError`` (26) as `plans_in_force` does.
    """
    plans = (manifest.get("emitted") or {}).get("plans", [])
    return plans_in_force(registration, plans[0], plans[1:]) if plans else ()


def plans_in_force(
    registration: Registration, genesis: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> PlansInForce:
    """Return each plan that judged differently from the one before it, from its time on; the last judges as
    ``registration`` does, which then stands for it.

    ``genesis`` and the ``plan/1`` contents ``rows`` are those of a ledger.  An amendment that changes nothing that
    judges changes no id, so its days are replayed under the newest text.  Raises ``GateError`` (26) for a plan that is
    not ``registration`` with fewer amendments.
    """
    named = [(0, genesis["config_hash"]), *((row["from_us"], row["config_hash"]) for row in rows)]
    plans: list[tuple[int, Registration]] = []
    for from_us, config_hash in named:
        plan = plan_of_hash(registration, config_hash)
        if plan is None:
            raise GateError(
                f"{registration.path}: expected the plan {config_hash} of the ledger, or one that amendments alone "
                f"lead to from it, was {registration.config_hash}: amend the plan, do not edit it",
                exit_code=26,
            )
        if plans and plans[-1][1].judging_hash == plan.judging_hash:
            plans[-1] = (plans[-1][0], plan)
        else:
            plans.append((from_us * NS_PER_US, plan))
    if plans[-1][1].judging_hash == registration.judging_hash:
        plans[-1] = (plans[-1][0], registration)
    return tuple(plans)


def text_hashes(registration: Registration) -> list[str]:
    """Return the SHA-256 of the plan's text with none, one, ... and all of its amendments, as freezes name it."""
    counts = range(len(amendment_files(registration.path)) + 1)
    return [sha256(whole_text(registration.path, count).encode()).hexdigest() for count in counts]
