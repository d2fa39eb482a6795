"""A bundle or a run directory set up for checking, and level 0: what needs no statistics and no data.  [audit 8, 12]"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backtest.audit.bundle import layout
from backtest.audit.bundle.crate import check_crate
from backtest.audit.bundle.freeze_evidence import check_freeze, check_looks, split
from backtest.audit.bundle.level0_report import KEPT_ELSEWHERE, Checked, Step
from backtest.audit.bundle.statement import check_statement, check_sums
from backtest.audit.bundle.unpack import unpack
from backtest.audit.run.check import is_run, verify_run
from backtest.audit.verify_ledger import TrustedInputs, trusted_inputs
from backtest.environment import ROOT
from backtest.rundir import checksums
from backtest.rundir.files import read_object
from backtest.seeds import streams
from backtest.tracking import journal
from engine.errors import CmeError, GateError, MissingError, ReproduceError
from engine.ledger.verification.verify import Report, opened

UNEXPECTED = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ArithmeticError, MemoryError, Warning,
    AssertionError, StopIteration, pa.ArrowException,
)  # fmt: skip
"""What libraries raise on files that are not what their names say; each becomes code 3."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A run directory for reading; for a bundle, the folder it was unpacked into as well."""

    source: Path
    run: Path
    bundle: Path | None


@contextmanager
def staged(source: Path) -> Iterator[Staged]:
    """Yield ``source`` as a run directory: itself, or what a bundle unpacks to in a temporary folder.

    Raises ``MissingError`` (3) for anything that is neither.
    """
    if not source.exists():
        raise MissingError(f"{source}: expected a bundle or a run directory, was nothing")
    if source.is_dir() and is_run(source):
        yield Staged(source, source, None)
        return
    with tempfile.TemporaryDirectory(prefix="cme-bundle-") as place:
        bundle = Path(place) / "bundle"
        unpack(source, bundle)
        yield Staged(source, _laid_out(bundle, Path(place) / "runs"), bundle)


def is_bundle(path: Path) -> bool:
    """Return whether ``path`` is an unpacked bundle, or a file that begins as a zip does."""
    if path.is_dir():
        return (path / "manifest.json").is_file() and (path / "ledgers" / "emit.jsonl").is_file()
    if not path.is_file():
        return False
    with opened(path) as stream:
        return stream.read(2) == b"PK"


def _laid_out(bundle: Path, runs: Path) -> Path:
    """Return the run directory a bundle holds, its journals beside it, as they were packed."""
    run = runs / "run"
    run.mkdir(parents=True)
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        inside = layout.in_run(name)
        target = run / inside if inside else runs.parent / name if layout.JOURNAL.fullmatch(name) else None
        if path.is_file() and target is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    if not is_run(run):
        raise MissingError(f"{bundle.name}: expected a run in the bundle (manifest.json, ledgers/), was none")
    return run


def level_0(place: Staged, trusted: TrustedInputs) -> Checked:
    """Return what holds of the bytes: sums, attestation, freeze, looks, ledgers, results, tables, files, journals."""
    steps: list[Step] = []
    looks: list[Report | None] = []
    pages: tuple[str, ...] = ()
    # Asked before the bundle's own join: those are by whoever packed it, and show no cut.
    has_checkpoint = bool(trusted.checkpoints)
    if place.bundle is not None:
        bundle = place.bundle
        sums: dict[str, str] = {}
        pages = _page(bundle)
        steps.append(step(0, "sums", lambda: sums.update(check_sums(bundle))))
        steps.append(step(0, "attestation", lambda: _attested(bundle, sums)))
        steps.append(step(0, "freeze", lambda: check_freeze(bundle, place.run)))
        try:
            registry = bundle / layout.LOOKS
            of_looks, trusted = split(registry, _with_own(bundle, trusted))
            steps.append(step(0, "looks", lambda: looks.append(check_looks(registry, place.run, of_looks))))
        except CmeError as error:
            steps.append(Step(0, "checkpoints and anchors", error.exit_code, str(error)))
    # Before anything reads a table: its footer may promise more than memory holds.
    steps.append(step(0, "size of tables", lambda: _bounded(place.run)))
    report = None
    try:
        report = verify_run(place.run, trusted)
        steps += [Step(0, one.name, one.exit, one.reason) for one in report.findings]
    except CmeError as error:
        steps.append(Step(0, "ledgers", error.exit_code, str(error)))
    except UNEXPECTED as error:
        steps.append(Step(0, "ledgers", 3, f"expected a readable run, was: {error!r:.300}"))
    # The checks below read files that only a readable run has.
    if report is not None:
        known = place.run / "seeds.lock"
        steps.append(step(0, "known answers of the seeds", lambda: streams.load(known).check_known_answers()))
        if place.bundle is not None:
            steps.append(step(0, "journals", lambda: _journals(place.run)))
            steps.append(step(0, "lock file", lambda: _lock(bundle, place.run)))
            steps.append(step(0, "crate", lambda: check_crate(bundle, sums)))
    kept = () if has_checkpoint else (KEPT_ELSEWHERE,)
    remarks = [f"{kind}: {note}" for kind, one in (report.ledgers if report else {}).items() for note in one.unchecked]
    remarks += [f"looks: {note}" for one in looks if one is not None for note in one.unchecked]
    return Checked(tuple(steps), report, looks[0] if looks else None, (*kept, *pages, *remarks))


def step(level: int, name: str, check: Callable[[], object]) -> Step:
    """Return the outcome of one check; whatever a hostile file provokes becomes a code and a sentence."""
    try:
        check()
    except CmeError as error:
        return Step(level, name, error.exit_code, str(error))
    except UNEXPECTED as error:
        return Step(level, name, 3, f"expected readable files, was: {error!r:.300}")
    return Step(level, name, 0)


def _with_own(bundle: Path, trusted: TrustedInputs) -> TrustedInputs:
    """Return the trusted inputs together with the checkpoints and anchors of the bundle itself."""
    anchors = bundle / layout.ANCHORS
    of_bundle = trusted_inputs(sorted(bundle.glob("checkpoints/*/*.ckpt")), (), anchors if anchors.is_file() else None)
    named = tuple((Path(source).relative_to(bundle).as_posix(), note) for source, note in of_bundle.checkpoints)
    if trusted.keys:
        # A key is asked of every checkpoint given, and the bundle's own need no signature.
        named = ()
    return replace(
        trusted,
        checkpoints=(*trusted.checkpoints, *named),
        anchors=of_bundle.anchors if trusted.anchors is None else trusted.anchors,
    )


def _attested(bundle: Path, sums: dict[str, str]) -> None:
    """Check that the attestation names these files and this run's digest."""
    predicate = check_statement(bundle, sums) if sums else {}
    if not sums:
        raise ReproduceError("attestation.json: not checked, because the sums do not hold")
    digest = (bundle / "digest.txt").read_text(encoding="utf-8").strip()
    if predicate.get("results_digest") != digest:
        raise ReproduceError(f"attestation.json: expected the digest {digest}, was {predicate.get('results_digest')}")


def _lock(bundle: Path, run: Path) -> None:
    """Check that the lock file, where one is packed, is the run's."""
    path, wanted = bundle / layout.LOCK, read_object(run / "manifest.json")["lock_sha256"]
    if path.is_file() and checksums.digest_of(path) != wanted:
        raise GateError(f"{layout.LOCK}: expected the SHA-256 {wanted} of the run, was another", exit_code=23)


def _page(bundle: Path) -> tuple[str, ...]:
    """Return a remark where the packed verifier is not the one of this checkout."""
    theirs, ours = bundle / layout.PAGE, ROOT / "reports" / "verifier" / layout.PAGE
    if not theirs.is_file() or (ours.is_file() and checksums.digest_of(theirs) == checksums.digest_of(ours)):
        return ()
    return (f"{layout.PAGE}: it is not the page of this checkout, which it is packed from: use the checkout's own",)


def _bounded(run: Path) -> None:
    """Refuse a table whose own footer promises more than memory should hold, before anything reads it."""
    for path in sorted(run.rglob("*.parquet")):
        facts = _footer(path, path.relative_to(run).as_posix())
        if facts.num_rows * max(facts.num_columns, 1) > layout.MOST_CELLS:
            raise MissingError(
                f"{path.name}: expected at most {layout.MOST_CELLS} cells, was {facts.num_rows} rows of "
                f"{facts.num_columns} columns"
            )
        unpacked = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
        if unpacked > layout.MOST_BYTES:
            raise MissingError(f"{path.name}: expected at most {layout.MOST_BYTES} bytes unpacked, was {unpacked}")


def _footer(path: Path, name: str) -> Any:
    try:
        return pq.read_metadata(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise MissingError(f"{name}: expected a whole table, was: {error!r:.300}") from error


def _journals(run: Path) -> None:
    """Check the chain of every journal, and that one which recorded this run's files recorded these."""
    name = read_object(run / "manifest.json")["id"]
    for path in journal.journals(run.parent):
        record = journal.read(path)
        digest = (run / "digest.txt").read_text(encoding="utf-8").strip()
        start = read_object(run / "manifest.json")["window"]["start"]
        if any(artifact.startswith(f"{name}/") for artifact in record.artifacts):
            recorded = record.tags.get(f"digest.{start}", digest)
            if recorded != digest:
                raise ReproduceError(
                    f"journal {record.run_uid}: expected the digest {digest} of the run, was {recorded}"
                )
