"""Ids of signals at emission: from the inputs of the decision, before anything later is read.  [audit 3.3]"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.constraints.base import Constraint
from engine.constraints.registry import CONSTRAINTS
from engine.ledger.format.ids import provenance_hash, signal_id
from engine.ledger.provenance import provenance
from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import LegQuote, Signal
from engine.records import Instruments, Kind, Right

BY_CODE = {constraint.code: constraint for constraint in CONSTRAINTS}


def provenance_of(signal: Signal, instruments: Instruments, params: Params, judging_hash: str) -> dict[str, Any]:
    """Return the ``prov/1`` object of ``signal``, which depends on the arguments only.

    Raises ``LedgerError`` (10) as `engine.ledger.provenance.provenance`.
    """
    constraint = BY_CODE[signal.constraint]
    return provenance(
        signal,
        instruments,
        params,
        name=constraint.name,
        version=constraint.version,
        roles=leg_roles(constraint, signal, instruments, params),
        judging_hash=judging_hash,
    )


def identify_by_provenance(
    instruments: Instruments, params: Params, judging_hash: str
) -> Callable[[Signal, PreparedPanel | None], tuple[str, str]]:
    """Return the function (signal, prepared panel) -> (signal id, provenance hash); the panel is not read."""

    def identify(signal: Signal, _view: PreparedPanel | None) -> tuple[str, str]:
        digest = provenance_hash(provenance_of(signal, instruments, params, judging_hash))
        return signal_id(digest), digest

    return identify


def leg_roles(constraint: Constraint, signal: Signal, instruments: Instruments, params: Params) -> Sequence[str]:
    """Return the role of each leg of ``signal``: by position; for C6 by the leg's kind and instrument."""
    if constraint.code != "C6":
        return constraint.roles[: len(signal.legs)]
    return [_corner(leg, signal.underlying, instruments, params) for leg in signal.legs]


def _corner(leg: LegQuote, underlying: str, instruments: Instruments, params: Params) -> str:
    corners = params.underlyings[underlying].four_corner
    name = instruments.name[leg.code]
    if instruments.kind[leg.code] == Kind.OPTION:
        return "call" if instruments.right[leg.code] == Right.CALL else "put"
    if corners is not None and name == corners.dex_perp:
        return "dex_perp"
    return "cex_perp" if corners is not None and name == corners.cex_perp else "spot"
