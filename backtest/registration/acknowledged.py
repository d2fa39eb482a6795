"""Which power statement a plan acknowledges: what the plan can show, read before any outcome is.  [statistics 1.4]

A power statement (`cme power CONFIG`) follows from a few tables of the plan and the frozen code alone.  Its name is the
hash of those tables; a plan that holds the name says that it was read.  Another window, another level, another floor or
another expectation is another statement, and has to be read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.ledger.format.canonical_json import canonical, tagged_hash

SCHEMA = "power/2"
"""Since the floor counts dislocations: a statement that counted trades was another one."""


def basis(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a registration's ``content`` from which its power statement is computed, as CJ1."""
    power = content["power"]
    return {
        "schema": SCHEMA,
        "split": content["split"],
        # which statistic N2 compares is in no figure of the statement
        "statistics": {key: value for key, value in content["statistics"].items() if key != "n2_statistic"},
        "expected_active_days": power["expected_active_days"],
        "expected_trades": power["expected_trades"],
    }


def power_hash(content: Mapping[str, Any]) -> str:
    """Return the name of the power statement of a registration's ``content``."""
    return tagged_hash("power", canonical(basis(content)))


def not_acknowledged(content: Mapping[str, Any]) -> str | None:
    """Return what is wrong with ``power.acknowledged``, or None where it names the plan's own statement."""
    acknowledged, wanted = content["power"]["acknowledged"], power_hash(content)
    if acknowledged == wanted:
        return None
    return (
        f"expected power.acknowledged to name the plan's power statement {wanted}, was {acknowledged or 'empty'}: "
        "read what `cme power CONFIG` prints, then write its name there"
    )
