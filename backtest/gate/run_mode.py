"""Derives the mode of a run, confirmatory or exploratory, from the findings of the gate.  [S8.1, audit 11.2]

    confirmatory   the registration allows it, a freeze is beside it, and every check of the gate passes
    exploratory    otherwise, with every deviation listed by class

No option makes a run confirmatory: ``--confirmatory`` only refuses the fallback to an exploratory run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from backtest.gate import amendments, receipts
from backtest.gate import deviations as gate_deviations
from backtest.gate.checks import Situation, examine, refusal
from backtest.gate.freeze import seal
from backtest.gate.freeze.seal import Place
from backtest.gate.looks import registry
from backtest.gate.looks.rule import Permit
from backtest.records import Mode, Plan, Registration
from backtest.registration.acknowledged import not_acknowledged
from backtest.registration.load import load_registration
from backtest.tasks.dask_backend import check_address
from engine.errors import CmeError, UsageError
from engine.units import NS_PER_SECOND

RequestedMode = Literal["auto", "confirmatory", "exploratory"]
REGISTERED = Path("configs/prereg/288615/registration.toml")
"""The plan that other studies are compared with, relative to the checkout."""

NOTHING_KNOWN: Final[Mapping[str, Any]] = {"looks": None, "amendment_order": [], "receipts": [], "emitted": None}


@dataclass(frozen=True, slots=True)
class RunMode:
    """The mode of a run with what follows from it; ``permits`` are the looks of its windows, in their order.

    ``refusal`` is the error with which a run that may not start ends; None for a run that may.
    """

    mode: Mode
    deviations: tuple[str, ...] = ()
    freeze_hash: str | None = None
    looks: Path | None = None
    permits: tuple[Permit, ...] = ()
    refusal: CmeError | None = None  # why the run may not start, where it asked for nothing less
    facts: Mapping[str, Any] = field(
        default_factory=lambda: dict(NOTHING_KNOWN)
    )  # of registry, amendments and receipts, for the manifest

    @property
    def may_start(self) -> bool:
        return self.refusal is None

    @property
    def replication(self) -> int:
        return self.permits[0].replication if self.permits else 0

    def permit_of(self, analysis: str) -> Permit | None:
        """Return the look of an analysis; None in an exploratory run."""
        return next((permit for permit in self.permits if permit.inputs.analysis_id == analysis), None)


UNCHECKED: Final = RunMode("exploratory", ("code: no freeze was asked for: the run was not started by the gate",))
"""The mode of a run made from Python, which the gate did not check."""


def analysis_id(registration: Registration, plan: Plan) -> str:
    """Return the name of one window's analysis: the study and the first day of the window."""
    start = datetime.fromtimestamp(plan.t0_ns // NS_PER_SECOND, UTC).date()
    return f"{registration.study}/{start.isoformat()}"


def windows_of(run_mode: RunMode, registration: Registration) -> tuple[Plan, ...]:
    """Return the windows to run: all, or those of a confirmatory run that have a look still to be closed."""
    if run_mode.mode != "confirmatory":
        return registration.windows
    return tuple(plan for plan in registration.windows if run_mode.permit_of(analysis_id(registration, plan)))


def situation_of(
    place: Place, out: Path, variables: Mapping[str, str], replication_of: str | None, repair_of: str | None = None
) -> Situation:
    """Return what the gate examines before a run of ``place`` that writes to ``out``."""
    analyses = tuple(analysis_id(place.registration, plan) for plan in place.registration.windows)
    return Situation(place, analyses, place.home / seal.LOOKS_FOLDER, (out,), variables, replication_of, repair_of)


def when_blinded(
    situation: Situation, requested: RequestedMode, *, scheduler: str | None, again: bool, plan: bool
) -> RequestedMode:
    """Return the mode that a blinded run requests: with a freeze beside the plan that of the run which it rehearses.

    Raises ``UsageError`` (2) for a request that goes with no blinded run: ``scheduler``, ``again``, ``plan``, an
    exploratory run, a replication or a repair.
    """
    others = {
        "--exploratory": requested == "exploratory", "--replication-of": situation.replication_of,
        "--repair-of": situation.repair_of, "--scheduler": scheduler, "--again": again, "--plan": plan,
    }  # fmt: skip
    given = [name for name, value in others.items() if value]
    if given:
        raise UsageError(
            f"expected --blinded without {given[0]}, was both: a blinded run rehearses the first look, whole and with "
            "processes of this command"
        )
    place = situation.place
    frozen = place.registration.mode_allowed == "confirmatory" and place.freeze_path.exists()
    return "confirmatory" if frozen else requested


def requested_mode(
    confirmatory: bool, exploratory: bool, replication_of: str | None, repair_of: str | None = None
) -> RequestedMode:
    """Return the requested mode; a replication and a repair request a confirmatory run.

    Raises ``UsageError`` (2) for a confirmatory run that is exploratory, or a replication that is a repair.
    """
    if replication_of is not None and repair_of is not None:
        raise UsageError("expected --replication-of or --repair-of, was both: a repair is judged by other code")
    confirmatory = confirmatory or replication_of is not None or repair_of is not None
    if confirmatory and exploratory:
        raise UsageError(
            "expected --exploratory or --confirmatory (which --replication-of and --repair-of imply), was both"
        )
    return "confirmatory" if confirmatory else "exploratory" if exploratory else "auto"


def decide_mode(situation: Situation, requested: RequestedMode) -> RunMode:
    """Return the mode of a run; where a check fails, ``confirmatory`` is refused and ``auto`` falls back."""
    place, registration = situation.place, situation.place.registration
    strict = requested == "confirmatory"
    # Without a freeze the gate has nothing to compare; asked for a confirmatory run it must say what fails.
    if not strict and (registration.mode_allowed != "confirmatory" or not place.freeze_path.exists()):
        return RunMode("exploratory", _without_freeze(place, requested), facts=facts(situation))
    findings = examine(situation)
    error = refusal(findings)
    if error is not None and strict:
        return RunMode("confirmatory", refusal=error)
    if error is None and requested != "exploratory":
        return RunMode(
            "confirmatory",
            freeze_hash=situation.freeze_hash,
            looks=situation.looks,
            permits=situation.permits(),
            facts=facts(situation),
        )
    asked = ("config: an exploratory run was asked for",) if requested == "exploratory" else ()
    faults = gate_deviations.of_findings(place, findings) if error else ()
    return RunMode("exploratory", gate_deviations.in_order((*asked, *faults)), facts=facts(situation))


def mode_on_cluster(situation: Situation, requested: RequestedMode, address: str) -> RunMode:
    """Return the mode of a run whose tasks a Dask cluster at ``address`` does: exploratory, with that deviation.

    The command itself starts the processes of a confirmatory run, in an environment it clears.  [audit 9.6]

    Raises ``UsageError`` (2) if a confirmatory run was requested or ``address`` is no address, ``MissingError`` (3) if
    Dask is not installed.
    """
    check_address(address)
    if requested == "confirmatory":
        raise UsageError(
            "expected a confirmatory run on processes of this command, was one with --scheduler, whose workers it did "
            "not start: leave --scheduler out"
        )
    # Nothing vouches for the environment of a worker that another process started.
    run_mode = decide_mode(situation, "exploratory")
    asked = "environment: the tasks were done by a Dask cluster, whose processes this command did not start"
    return replace(run_mode, deviations=gate_deviations.in_order((*run_mode.deviations, asked)))


def facts(situation: Situation) -> dict[str, Any]:
    """Return the manifest's entries on looks, amendments and receipts: ``{"unreadable": why}`` for a damaged file."""
    place = situation.place
    return {
        "looks": _readable(lambda: _looks(situation.looks)),
        "amendment_order": _readable(lambda: [asdict(record) for record in amendments.ordered(place, situation.looks)]),
        "receipts": _readable(lambda: [asdict(record) for record in receipts.read(place.home)]),
        "emitted": None,
    }


def _looks(folder: Path) -> dict[str, Any] | None:
    return registry.read(folder).summary() if (folder / registry.LEDGER).exists() else None


def _readable(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except CmeError as problem:
        return {"unreadable": str(problem)}


def _without_freeze(place: Place, requested: RequestedMode) -> tuple[str, ...]:
    """Return the deviations of a run without a freeze, and those of its plan from the registered plan."""
    registration, deviations = place.registration, []
    if requested == "exploratory":
        deviations.append("config: an exploratory run was asked for")
    # It goes before the mode: such an amendment is what made the study exploratory.
    late = [
        amended
        for amended in registration.content["amendments"]
        if amended["outcome_known"] and "defect" not in amended
    ]
    if late:
        deviations.append(f"config: amendment {late[0]['name']} was made with an outcome known")
    elif registration.mode_allowed != "confirmatory":
        deviations.append("config: the configuration registers an exploratory study")
    else:
        deviations.append("code: there is no freeze to hold code, data, seeds and environment to")
    unread = not_acknowledged(registration.content)
    if unread:
        deviations.append(f"config: {unread}")
    registered = place.root / REGISTERED
    if registration.path.resolve() != registered.resolve() and registered.exists():
        try:
            plan = load_registration(registered)
        # Without the registered plan there is nothing to compare with.
        except CmeError:
            return tuple(deviations)
        if plan.config_hash != registration.config_hash:
            deviations.extend(
                gate_deviations.between(plan.content, registration.content, f"as registered for {plan.study}")
            )
    return gate_deviations.in_order(deviations)
