"""Runs the gate: eight checks in a fixed order; each lists its faults, and the first that fails gives the exit code.

    lock files 3 -> clean tree 22 -> code 20 -> plan 26 -> data 21 -> seeds 24 -> environment 23 -> looks 25

A confirmatory run starts only if no check has a fault; no option skips one.  [audit 11.2]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from backtest.data.format import manifest
from backtest.data.format.dataset import open_dataset
from backtest.gate import amendments, repair
from backtest.gate.freeze import git_checkout, git_history, installed_packages, seal, source_trees
from backtest.gate.freeze.seal import Place
from backtest.gate.looks import null_results
from backtest.gate.looks import registry as looks_registry
from backtest.gate.looks.null_results import NEGATIVES_FILE
from backtest.gate.looks.repairs import repair_permits
from backtest.gate.looks.rule import Inputs, Permit, permits
from backtest.registration import named
from backtest.registration.acknowledged import not_acknowledged
from backtest.registration.dates import undated
from backtest.seeds import streams
from engine.errors import CmeError, GateError
from engine.freeze import engine_root


@dataclass(frozen=True)
class Situation:
    """The subject of the gate: a checkout with its registration and freeze, and the looks that are wanted."""

    place: Place
    analyses: tuple[str, ...]  # analysis ids, one a window
    looks: Path  # the folder of the registry
    outputs: tuple[Path, ...]  # folders this program writes to
    variables: Mapping[str, str]  # of the process
    replication_of: str | None = None
    repair_of: str | None = None
    opening: bool = True  # False: compare with the seal only, without asking for a look

    @cached_property
    def frozen(self) -> dict[str, Any]:
        """The content of the freeze beside the registration."""
        return seal.read(self.place.freeze_path)

    @cached_property
    def freeze_hash(self) -> str:
        return seal.freeze_hash(self.frozen)

    def permits(self) -> tuple[Permit, ...]:
        """Return the look of each analysis.  Raises ``GateError`` (25) where one may not be had."""
        known = seal.sealed_data(self.place.home, self.frozen)
        if known is None:
            raise GateError("looks: expected a sealed data set to look at, was none", exit_code=25)
        earlier = looks_registry.read(self.looks).looks
        hashes = (self.freeze_hash, known, self.frozen["seeds"]["seeds_hash"])
        wanted = [Inputs(name, *hashes) for name in self.analyses]
        if self.repair_of is not None:
            return repair_permits(earlier, wanted, self.repair_of, repair.defect_of(self.place, self.repair_of))
        return permits(earlier, wanted, self.replication_of)


Faults = Callable[[Situation], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate: its name, its exit code, and the class its faults belong to as departures.  [S8.1]"""

    name: str
    code: int
    kind: str
    faults: Faults


@dataclass(frozen=True, slots=True)
class GateFinding:
    """What one check found; it holds where there is no fault."""

    check: str
    code: int
    kind: str
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.faults


def examine(situation: Situation) -> tuple[GateFinding, ...]:
    """Return what every check found, in the order of the gate; a check that cannot be made has a fault."""
    return tuple(GateFinding(check.name, check.code, check.kind, _faults(check, situation)) for check in CHECKS)


def exit_code(findings: Sequence[GateFinding]) -> int:
    """Return the code of the first check that does not hold, 0 where all do."""
    return next((finding.code for finding in findings if not finding.holds), 0)


def refusal(findings: Sequence[GateFinding]) -> GateError | None:
    """Return the error that names every fault, its code that of the first; None where all checks hold."""
    code = exit_code(findings)
    sentences = [f"{finding.check} ({finding.code}): {fault}" for finding in findings for fault in finding.faults]
    return GateError("a confirmatory run may not start; " + "; ".join(sentences), exit_code=code) if code else None


def _faults(check: Check, situation: Situation) -> tuple[str, ...]:
    try:
        return tuple(check.faults(situation))
    except CmeError as error:
        return (str(error),)
    except OSError as error:
        return (f"expected to be able to read what is checked, was: {error}",)


def _locks(situation: Situation) -> Iterator[str]:
    place = situation.place
    for path in (place.root / seal.LOCK, place.root / seal.SEEDS, place.freeze_path, place.registration.path):
        try:
            path.read_bytes()
        except OSError as problem:
            yield f"expected a readable {path}, was: {problem.strerror}"
    seal.read(place.freeze_path)


def _tree(situation: Situation) -> Iterator[str]:
    place = situation.place
    # `cme freeze --check` may compare a freeze that is not committed yet.
    fresh = () if situation.opening else (place.freeze_path,)
    written = (situation.looks, place.home / NEGATIVES_FILE)  # by this program, as it runs
    yield from git_checkout.faults(place.root, situation.variables, situation.outputs, (*written, *fresh))
    for path in (place.freeze_path, place.home / seal.DATA_SEAL_FILE) if situation.opening else ():
        if path.exists() and git_checkout.committed(place.root, path) != path.read_bytes():  # one that git ignores, too
            yield f"expected {path} as HEAD holds it, was another: commit it"
    # A family of rules that the plan does not use may change after the freeze.
    others = [
        f"{source_trees.ENGINE}/{name}" for name in source_trees.FAMILIES if name not in place.registration.families
    ]
    # Nor is the recorder compared: `backtest/` stands for what is directly in it.
    others.append(source_trees.RECORDER)
    analysis = [f"{path}/" if source_trees.RECORDER.startswith(f"{path}/") else path for path in source_trees.ANALYSIS]
    paths = (f"{source_trees.ENGINE}/", *analysis, place.config_name, *amendments.names(place))
    yield from git_checkout.changes_since(place.root, situation.frozen["git"], paths, others)


def _code(situation: Situation) -> Iterator[str]:
    place, frozen = situation.place, situation.frozen
    # The hashes are of this checkout's files; another installed engine could be the one that runs.
    if engine_root() != (place.root / source_trees.ENGINE).resolve():
        yield f"expected the engine of {place.root} to be running, was {engine_root()}"
    yield from _differs("engine", seal.engine(place), frozen["engine"])
    trees = seal.families(place)
    for name in source_trees.FAMILIES:
        if name in place.registration.families:
            yield from _differs(f"engine/{name}", trees[name], frozen["families"][name])
    yield from _differs("analysis", seal.analysis(place), frozen["analysis"])
    yield from source_trees.unexpected_modules(place.root)
    yield from git_checkout.importable(place.root)
    numeric = {"exact_kernel_version": seal.EXACT_KERNEL_VERSION}
    yield from _differs("exact kernels", numeric, frozen["numeric"])


def _plan(situation: Situation) -> Iterator[str]:
    place, frozen = situation.place, situation.frozen
    if place.registration.mode_allowed != "confirmatory":
        yield "expected a registration that allows a confirmatory run, was exploratory"
    if place.registration.study != frozen["study"]:
        yield f"expected the study {frozen['study']}, was {place.registration.study}"
    for why in (undated(place.registration), not_acknowledged(place.registration.content)):
        if why:
            yield why
    yield from _differs("configuration", seal.config(place), frozen["config"])
    yield from _differs("preregistration", seal.prereg(place), frozen["prereg"])
    yield from amendments.faults(place, situation.looks)


def _data(situation: Situation) -> Iterator[str]:
    place = situation.place
    if place.registration.data.kind != "path":
        yield f"expected data.kind path, a data set built beforehand, was {place.registration.data.kind}"
        return
    known, dataset_hash = seal.sealed_data(place.home, situation.frozen), place.dataset_hash()
    yield from _sealed_before(situation, known)
    # A freeze may be made before its data: then there is nothing to compare yet.
    if known is None and not situation.opening:
        return
    if known is None:
        yield "expected a sealed data set, was a freeze made before the data: collect, then `cme freeze --seal-data`"
    if dataset_hash is None:
        yield f"expected a data set at {place.data_path}, found none: give --data DIR"
        return
    if known is not None and dataset_hash != known:
        yield f"expected the data set {known}, was {dataset_hash} at {place.data_path}"
    for entry in manifest.load(place.data_path)[1].values():
        path = manifest.safe_path(place.data_path, entry.path)
        size = path.stat().st_size if path.is_file() else None
        # Sizes alone: every file is hashed when it is read.
        if size != entry.size:
            yield f"expected {entry.size} bytes in {path}, was {'no file' if size is None else size}"
    yield from named.faults(place.registration, open_dataset(place.data_path).instruments.name)


def _seeds(situation: Situation) -> Iterator[str]:
    place = situation.place
    yield from _differs("seeds", seal.seeds(place), situation.frozen["seeds"])
    # Equal seeds under another generator would draw other numbers.
    streams.load(place.root / seal.SEEDS).check_known_answers()


def _environment(situation: Situation) -> Iterator[str]:
    place, frozen = situation.place, situation.frozen["env"]
    measured = seal.environment(place)
    # Another platform has other wheels: names and versions must match.
    if measured["platform"] != frozen["platform"]:
        measured, frozen = (
            {k: v for k, v in side.items() if k not in ("platform", "env_hash")} for side in (measured, frozen)
        )
        pinned = installed_packages.pins(place.root / seal.LOCK)
        installed = {name: distribution.version for name, distribution in place.environment.distributions.items()}
        wrong = sorted(name for name in {*pinned, *installed} if pinned.get(name) != installed.get(name))
        if wrong:
            yield f"expected the versions of {seal.LOCK} on this platform, was another of {', '.join(wrong[:5])}"
    yield from _differs("environment", measured, frozen)
    yield from place.environment.loose


def _sealed_before(situation: Situation, known: str | None) -> Iterator[str]:
    """Yield where a commit of this clone holds the seal of another data set for the same freeze."""
    place = situation.place
    for path, body in git_history.versions(place.root, seal.DATA_SEAL_FILE):
        with suppress(CmeError):
            earlier = seal.data_seal_of(path, body)
            if earlier["freeze_hash"] == situation.freeze_hash and earlier["dataset_hash"] != known:
                yield (
                    f"expected the data set {earlier['dataset_hash']}, sealed for this freeze in a commit that holds "
                    f"{path}, was {known}: a data set is sealed once"
                )


def _looks(situation: Situation) -> Iterator[str]:
    place, home = situation.place, situation.place.home / seal.LOOKS_FOLDER
    if situation.looks.resolve() != home.resolve():
        yield f"expected the registry of the study, {home}, was {situation.looks}: a study has one"
        return
    registry, failures = looks_registry.read(situation.looks), place.home / NEGATIVES_FILE
    null_results.read(failures)
    ledger = situation.looks / looks_registry.LEDGER
    yield from git_history.forgotten(place.root, ledger, registry.body, place.registration.study)
    yield from git_history.forgotten(place.root, failures, failures.read_bytes() if failures.exists() else b"")
    if situation.opening:
        if git_checkout.committed(place.root, ledger) is None:
            yield f"expected {ledger} in the commit, was not: commit what `cme freeze` began"
        situation.permits()
        if situation.repair_of is not None:
            yield from repair.faults(situation.place, situation.frozen, registry.looks, situation.repair_of)


def _differs(what: str, current: Mapping[str, Any] | None, frozen: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield one sentence for each key that is not as frozen."""
    before, now = frozen or {}, current or {}
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            yield f"{what}: expected {key} {before.get(key)} of the freeze, was {now.get(key)}"


CHECKS: Final = (
    Check("lock files", 3, "environment", _locks),
    Check("clean tree", 22, "code", _tree),
    Check("code", 20, "code", _code),
    Check("plan", 26, "config", _plan),
    Check("data", 21, "data", _data),
    Check("seeds", 24, "seed", _seeds),
    Check("environment", 23, "environment", _environment),
    Check("looks", 25, "statistic", _looks),
)
"""In the order of the gate."""
