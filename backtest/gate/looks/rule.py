"""Decides from the rows of the registry which look may begin: pure functions.  [audit 11.1, 11.2]"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from engine.errors import GateError
from engine.ledger.format.ids import look_id


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of one look: the analysis, and the three hashes that must not change between looks."""

    analysis_id: str
    freeze_hash: str
    dataset_hash: str
    seeds_hash: str

    def name(self, replication: int) -> str:
        """Return the ``look_id`` of the look of this number."""
        return look_id(self.analysis_id, self.freeze_hash, self.dataset_hash, self.seeds_hash, replication)


@dataclass(frozen=True, slots=True)
class Look:
    """One look: its inputs, its number, when it was opened and closed (microseconds), how it ended."""

    look_id: str
    inputs: Inputs
    replication: int
    replication_of: str | None
    state: Literal["open", "closed", "aborted"]
    opened_us: int
    ended_us: int | None
    results_digest: str | None
    reason: str
    repair_of: str | None = None  # the look whose proven defect was mended


@dataclass(frozen=True, slots=True)
class Permit:
    """A look that may begin or be taken up again; ``digest`` is what a replication must end with."""

    look_id: str
    inputs: Inputs
    replication: int
    replication_of: str | None
    resumes: bool
    digest: str | None
    repair_of: str | None = None
    reason: str = ""  # of a repair: which look, which test


ENDS: Mapping[str, Literal["closed", "aborted"]] = {"close": "closed", "abort": "aborted"}


_BLINDED: Final = "blinded run of the plan with {} amendments"


def blinded_reason(amendments: int) -> str:
    """Return the reason in the row of a blinded run: it holds how many amendments its plan had.

    >>> blinded_reason(2)
    'blinded run of the plan with 2 amendments'
    """
    return _BLINDED.format(amendments)


def amendments_when_blinded(rows: Iterable[Mapping[str, Any]]) -> int | None:
    """Return how many amendments the plan had at its first blinded run; None without one.

    ``rows`` are contents of ``look/2``.  [live L0.7]
    """
    words = _BLINDED.split("{}")[0]
    counts = [int(row["reason"].removeprefix(words).split()[0]) for row in rows if row["event"] == "blinded"]
    return min(counts, default=None)


def looks_of(rows: Iterable[tuple[Mapping[str, Any], int]]) -> tuple[Look, ...]:
    """Return the looks that (content of ``look/1`` or ``look/2``, recorded_at_us) tell of, in the order of opening.

    A blinded rehearsal saw no outcome and is no look.  Raises ``GateError`` (25) for an end without its opening: a
    registry that cannot be read is not an empty one.
    """
    looks: dict[str, Look] = {}
    for content, when in rows:
        name, event = content["look_id"], content["event"]
        if event == "blinded":
            continue
        if event == "open":
            inputs = Inputs(*(content[key] for key in ("analysis_id", "freeze_hash", "dataset_hash", "seeds_hash")))
            number, repeats = content["replication"], content["replication_of"]
            mended = content.get("repair_of")
            looks[name] = Look(name, inputs, number, repeats, "open", when, None, None, content["reason"], mended)
        # An end counts once: a second one could swap the results of a look.
        elif name in looks and looks[name].state == "open":
            ended = {"ended_us": when, "results_digest": content["results_digest"], "reason": content["reason"]}
            looks[name] = replace(looks[name], state=ENDS[event], **ended)
        else:
            raise GateError(f"looks: expected {event} of an open look, was of {name}: no such look", exit_code=25)
    return tuple(looks.values())


def permits(earlier: Sequence[Look], wanted: Sequence[Inputs], replication_of: str | None) -> tuple[Permit, ...]:
    """Return the look of each window of one study: those of a run that was cut off are the ones it left open.

    Its windows whose look of the same number is closed are done, and get none.  A replication of the look of one window
    repeats the first look of each other.  Raises ``GateError`` (25).
    """
    begun = {look.replication for look in earlier if look.state == "open" and look.inputs in wanted}
    done = {look.inputs for look in earlier if look.state == "closed" and look.replication in begun}
    # Reversed, so that the first look of an analysis is what stays.
    firsts = {look.inputs.analysis_id: look.look_id for look in reversed(earlier)}
    named = {look.look_id: look.inputs.analysis_id for look in earlier}.get(replication_of or "")
    return tuple(
        permit(earlier, inputs, replication_of if named in (None, name) else firsts.get(name, replication_of))
        for inputs in wanted
        for name in (inputs.analysis_id,)
        if inputs not in done
    )


def permit(earlier: Sequence[Look], inputs: Inputs, replication_of: str | None) -> Permit:
    """Return the look that may be had at ``inputs``; ``earlier`` holds every look on record.

    None earlier: a first look.  One open with the same three hashes: that one again.  Ended with the same: only as a
    declared replication of it.  Any with other hashes: none, and nothing overrides that.  Raises ``GateError`` (25).
    """
    same_analysis = [look for look in earlier if look.inputs.analysis_id == inputs.analysis_id]
    others = [look for look in same_analysis if look.inputs != inputs]
    # Other inputs for one analysis are a second choice of data, freeze or seeds.  [audit 11.2]
    if others:
        raise _refused(
            f"{others[0].look_id} was a look of {inputs.analysis_id} at another freeze, data set or seeds: "
            "new inputs need a new analysis and a new preregistration"
        )
    known = {look.look_id: look for look in same_analysis}
    if replication_of is not None and replication_of not in known:
        raise _refused(f"no look {replication_of} of {inputs.analysis_id} is on record: nothing can replicate it")
    for look in same_analysis:
        if look.state == "open":
            if replication_of not in (None, look.replication_of):
                raise _refused(f"look {look.look_id} is still open: finish or abort it before a replication")
            digest = _recorded(same_analysis) if look.replication else None
            return Permit(look.look_id, inputs, look.replication, look.replication_of, True, digest)
    if same_analysis and replication_of is None:
        raise _refused(
            f"look {same_analysis[-1].look_id} of {inputs.analysis_id} was {same_analysis[-1].state}: it cannot be had "
            f"again; --replication-of {same_analysis[0].look_id} repeats it beside the first"
        )
    number = max((look.replication for look in same_analysis), default=-1) + 1
    return Permit(inputs.name(number), inputs, number, replication_of, False, _recorded(same_analysis))


def _recorded(looks: Sequence[Look]) -> str | None:
    return next((look.results_digest for look in looks if look.results_digest), None)


def _refused(text: str) -> GateError:
    return GateError(f"looks: expected a look that may still be had, but {text}", exit_code=25)
