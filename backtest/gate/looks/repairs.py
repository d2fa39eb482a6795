"""Decides whether a look may be had again because a defect was proven: pure functions.  [R12.3, spec README]

A repair has another freeze and the same data and seeds; it stands beside the first look and never replaces it.  One
defect test allows one repair, so that no second try at the same defect can choose among results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backtest.gate.looks.rule import Inputs, Look, Permit
from engine.errors import GateError


@dataclass(frozen=True, slots=True)
class Defect:
    """A proven defect as its amendment names it."""

    look: str  # the first look
    commit: str  # the last one with the defect
    test: str
    files: tuple[str, ...]


def repair_permits(earlier: Sequence[Look], wanted: Sequence[Inputs], name: str, defect: Defect) -> tuple[Permit, ...]:
    """Return the look of each window whose first look is repaired with that of look ``name``; ``earlier`` is on record.

    Windows of the same first freeze are repaired together; a repair that was cut off is taken up again.

    Raises ``GateError`` (25) if there is no such look, it is open or itself a repair, the data or seeds are others, the
    freeze is the same, or the same test allowed a repair before.
    """
    first = next((look for look in earlier if look.look_id == name), None)
    if first is None:
        raise _refused(f"no look {name} is on record: `cme looks` lists them")
    if first.repair_of is not None or first.replication_of is not None:
        raise _refused(
            f"{name} is no first look: name {first.repair_of or first.replication_of}, which it stands beside"
        )
    reason = f"repair of {name} after {defect.test}"
    found = []
    for inputs in wanted:
        looks = [look for look in earlier if look.inputs.analysis_id == inputs.analysis_id]
        original = next((look for look in looks if look.inputs == _of(first, inputs.analysis_id)), None)
        if original is None:
            raise _refused(f"{inputs.analysis_id} had no look at the freeze, data and seeds of {name}")
        if original.state == "open":
            raise _refused(f"{original.look_id} is still open: finish or abort it before a repair")
        if (inputs.dataset_hash, inputs.seeds_hash) != (original.inputs.dataset_hash, original.inputs.seeds_hash):
            raise _refused(f"data or seeds are not those of {original.look_id}: a repair changes neither")
        if inputs.freeze_hash == original.inputs.freeze_hash:
            raise _refused(f"the freeze is that of {original.look_id}: mend the defect, and freeze anew")
        before = [look for look in looks if look.repair_of == original.look_id and look.reason == reason]
        begun = next((look for look in before if look.inputs == inputs and look.state == "open"), None)
        if before and begun is None:
            raise _refused(f"{before[0].look_id} was the repair after {defect.test}: one defect test allows one repair")
        found.append(Permit(inputs.name(0), inputs, 0, None, begun is not None, None, original.look_id, reason))
    return tuple(found)


def _of(first: Look, analysis_id: str) -> Inputs:
    return Inputs(analysis_id, first.inputs.freeze_hash, first.inputs.dataset_hash, first.inputs.seeds_hash)


def _refused(text: str) -> GateError:
    return GateError(f"looks: expected a look that may be repaired, but {text}", exit_code=25)
