"""`cme reproduce` from the first byte to the last level asked.  [audit 12]"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from backtest.audit.bundle.check import Staged, level_0, staged, step
from backtest.audit.bundle.layout import SUMS
from backtest.audit.bundle.level0_report import Step
from backtest.audit.bundle.variations import Variation
from backtest.audit.verify_ledger import TrustedInputs
from backtest.rundir.files import read_object
from engine.errors import CmeError, ReproduceError
from hypotheses.reproduction.claims import Claim, claims_of
from hypotheses.reproduction.levels import (
    Results,
    rebuilt,
    recomputed,
    registration_of,
    reported,
    same_floats,
    same_results,
    trials_beside,
)
from hypotheses.reproduction.matrix import Ran, run_all
from hypotheses.reproduction.report import Report


def reproduce(
    source: Path,
    level: int,
    brought: TrustedInputs,
    data: Path | None = None,
    workers: int = 1,
    variations: Sequence[Variation] = (),
    on_progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Return what holds of a bundle or run directory up to ``level``; ``source`` is only read.

    A level is asked only where the exact tier of those below holds.  Raises ``MissingError`` (3) for a bundle that is
    none; every other fault is in the report.
    """
    with staged(source) as place, tempfile.TemporaryDirectory(prefix="cme-reproduce-") as work:
        on_progress("level 0")
        checked = level_0(place, brought)
        result = ReproductionResult(place, list(checked.steps))
        # Each level rests on the one below: recomputing damaged tables would name the wrong fault.
        if level >= 1 and not result.failed:
            on_progress("level 1")
            ask_level_1(result)
        if level >= 2 and not result.failed:
            on_progress("level 2")
            result.ask(2, "data, engine and ledgers", lambda: _level_2(result, data, workers, Path(work)))
        ran: tuple[Ran, ...] = ()
        if level >= 3 and not result.failed:
            ran = run_all(source, data, variations, on_progress)
            result.steps.append(step(3, f"one digest in {len(ran)} environments", lambda: _level_3(result, ran)))
        return _report(source, place, level, result, ran, checked.unchecked)


class ReproductionResult:
    """What the levels have come to so far."""

    def __init__(self, place: Staged, steps: list[Step]) -> None:
        self.place = place
        self.steps = steps
        self.reported: Results | None = None
        self.recomputed: Results | None = None

    @property
    def failed(self) -> bool:
        return any(step.exit for step in self.steps)

    def ask(self, level: int, name: str, check: Callable[[], object]) -> None:
        self.steps.append(step(level, name, check))

    def compare(self, results: Results) -> None:
        self.recomputed = results
        if self.reported is not None:
            same_results(self.reported, results, _manifest(self.place).get("commit"))


def ask_level_1(result: ReproductionResult) -> None:
    """Add the step of level 1."""
    result.ask(1, "statistics from tables and seeds", lambda: _level_1(result))


def _level_1(result: ReproductionResult) -> None:
    run = result.place.run
    result.reported = reported(run)
    result.compare(recomputed(run, registration_of(result.place), trials_beside(run)))


def _level_2(result: ReproductionResult, data: Path | None, workers: int, work: Path) -> None:
    registration = registration_of(result.place)
    folder = rebuilt(result.place, registration, data, workers, work)
    result.compare(recomputed(folder, registration, trials_beside(result.place.run)))


def _level_3(result: ReproductionResult, ran: Sequence[Ran]) -> None:
    wanted = result.reported.digest if result.reported else None
    # 31 is the float tier, which may differ between machines.  [audit 10.1]
    odd = [run for run in ran if run.digest != wanted or run.exit not in (0, 31)]
    if odd:
        raise ReproduceError(
            f"expected the digest {wanted} in every environment, was {odd[0].digest or odd[0].reason} under "
            f"{odd[0].variation}",
            exit_code=32,
        )


def _report(
    source: Path, place: Staged, level: int, result: ReproductionResult, ran: tuple[Ran, ...], notes: tuple[str, ...]
) -> Report:
    manifest = _manifest(place)
    recorded, other = result.reported, result.recomputed
    compared = same_floats(recorded, other) if recorded is not None and other is not None else None
    unchecked = [*notes, *(compared.unchecked if compared else ())]
    digest = place.run / "digest.txt"
    stated = (
        recorded.digest
        if recorded
        else digest.read_text(encoding="utf-8", errors="replace").strip()[:64]
        if digest.is_file()
        else None
    )
    return Report(
        subject={"name": source.name, "sha256": _subject(source, place)},
        run={key: manifest.get(key) for key in ("id", "mode", "study", "commit", "freeze_hash", "dataset_hash")},
        level=level,
        steps=tuple(result.steps),
        claims=_claims(place, recorded, other),
        digest={"reported": stated, "recomputed": other.digest if other else None},
        floats=compared,
        environments=ran,
        unchecked=tuple(unchecked),
    )


def _claims(place: Staged, recorded: Results | None, other: Results | None) -> tuple[Claim, ...]:
    """Return the claims; none where the registration or the results cannot be read, which a step says."""
    try:
        stated = recorded or reported(place.run)
        return claims_of(registration_of(place), stated, other)
    # The report of a bundle that cannot be read is still written.
    except (CmeError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def _manifest(place: Staged) -> dict[str, Any]:
    try:
        return read_object(place.run / "manifest.json")
    except CmeError:
        return {}


def _subject(source: Path, place: Staged) -> str:
    """Return the SHA-256 of what was given: of the archive, of the sums of a folder, or of a run's manifest."""
    if source.is_file():
        with source.open("rb") as stream:
            digest = sha256()
            # In pieces: a bundle may be larger than the memory.
            while piece := stream.read(2**20):
                digest.update(piece)
        return digest.hexdigest()
    name = place.bundle / SUMS if place.bundle is not None else place.run / "manifest.json"
    return sha256(name.read_bytes()).hexdigest() if name.is_file() else ""
