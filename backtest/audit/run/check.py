"""A run directory against itself: ledgers, seal, results, tables.  What is recomputed here needs no market data.

    ledgers   both hold (10-15), against checkpoints and anchors where given (16-18)
    facts     manifest.json names exactly these ledgers (16)
    seal      registration.toml, data.json and seeds.lock hash to what manifest and genesis say (26, 21, 24, 20)
    results   results.*.json is canonical, hashes to digest.txt and verdicts.json, and counts these ledgers (30)
    verdicts  verdicts.json and retained.json say what the results document says, field by field (30)
    tables    signals, trades, accruals, returns and funnel say what the ledgers say, to the micro-dollar (15)
    files     every file has the hash that files.sha256 lists; none is missing, none is more (30, 26, 24, 21, 16, 3)

That the numbers follow from the data is another question: `cme reproduce`.  [audit 8, 10.4, 12]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from backtest.audit.run import check_bytes, check_results, check_tables
from backtest.audit.verify_ledger import TrustedInputs, verify_file
from backtest.data.format.manifest import hash_of
from backtest.rundir.files import read_object, registration_of, require_same
from backtest.seeds import streams
from engine.errors import CmeError, LedgerError
from engine.ledger.checkpoint import parse_checkpoint, text_of
from engine.ledger.format.canonical_json import parse_any_spelling
from engine.ledger.verification.verify import Report, Verified, opened
from engine.ledger.verification.walk import lines, parsed

KINDS = ("emit", "resolution")
SHOWN: Final = 20
"""Files that are named one by one before the rest is counted."""
UNREADABLE: Final = (
    OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ArithmeticError, pa.ArrowException,
)  # fmt: skip
"""What a file raises that is not what its name says."""


@dataclass(frozen=True, slots=True)
class RunFinding:
    """One thing asked of a run directory: 0, or the code and the sentence of what does not hold."""

    name: str
    exit: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """All that was checked of a run directory; ``exit`` is the first fault in the order of the checks."""

    exit: int
    reason: str | None
    ledgers: Mapping[str, Report]
    findings: tuple[RunFinding, ...]

    def document(self) -> dict[str, Any]:
        """Return the object of audit 8.2 for the first ledger that does not hold, else of the emit ledger, and more."""
        shown = next((report for report in self.ledgers.values() if report.exit), self.ledgers["emit"])
        unchecked = [f"{kind}: {note}" for kind, report in self.ledgers.items() for note in report.unchecked]
        return {
            **shown.document(),
            "exit": self.exit,
            "reason": self.reason,
            "unchecked": [*unchecked, check_bytes.NO_PROOF],
            "ledgers": {kind: report.document() for kind, report in self.ledgers.items()},
            "checks": [
                {"name": finding.name, "exit": finding.exit, "reason": finding.reason} for finding in self.findings
            ],
        }


def is_run(path: Path) -> bool:
    """Return whether ``path`` is a run directory."""
    return (path / "ledger" / "emit.jsonl").is_file() and (path / "manifest.json").is_file()


def verify_run(folder: Path, trusted: TrustedInputs) -> RunReport:
    """Return what holds of the run directory ``folder``; checkpoints and anchors go to the ledger they name."""
    shares = _shares(folder, trusted)
    emit = verify_file(folder / "ledger" / "emit.jsonl", shares["emit"])
    # References into a damaged ledger would name the wrong fault.
    known = emit.emitted if not emit.report.exit else None
    resolution = verify_file(folder / "ledger" / "resolution.jsonl", shares["resolution"], known)
    ledgers = {"emit": emit, "resolution": resolution}
    reports = {kind: item.report for kind, item in ledgers.items()}
    findings = [RunFinding(f"ledger/{kind}", report.exit, report.reason) for kind, report in reports.items()]
    # Beyond a bad row nothing is known of the ledgers that the other checks read.
    if not any(report.first_bad_row is not None for report in reports.values()):
        findings += [_checked(name, code, check, folder, ledgers) for name, code, check in CHECKS]
    # Last: a check above says what of a file is wrong, the listing only that it is another one.
    findings += _files(folder)
    first = next((item for item in findings if item.exit), None)
    reason = None if first is None else f"{first.name}: {first.reason}"
    return RunReport(0 if first is None else first.exit, reason, reports, tuple(findings))


def _shares(folder: Path, trusted: TrustedInputs) -> dict[str, TrustedInputs]:
    """Return the trusted inputs of each ledger; a checkpoint of neither goes to the emit ledger, where it fails."""
    names = {kind: origin_of(folder / "ledger" / f"{kind}.jsonl") for kind in KINDS}
    of_resolution = [
        item for item in trusted.checkpoints if names["resolution"] and names["resolution"] == claimed_by(item[1])
    ]
    rest = [item for item in trusted.checkpoints if item not in of_resolution]
    anchors: dict[str, Any] = {"emit": trusted.anchors, "resolution": None}
    if trusted.anchors is not None:
        split = {kind: tuple(a for a in trusted.anchors if a.ledger_id == names[kind]) for kind in KINDS}
        anchors = {kind: split[kind] or None for kind in KINDS}
        if not any(split.values()):
            # Anchors of neither ledger must fail somewhere, as checkpoints of neither do.
            anchors["emit"] = ()
    return {
        "emit": replace(trusted, checkpoints=tuple(rest), anchors=anchors["emit"]),
        "resolution": replace(trusted, checkpoints=tuple(of_resolution), anchors=anchors["resolution"]),
    }


def _checked(
    name: str, code: int, check: Callable[[Path, Mapping[str, Verified]], None], folder: Path, ledgers: Any
) -> RunFinding:
    """Return the finding of one check; a file that cannot be read the way it should is code 3."""
    try:
        check(folder, ledgers)
    except LedgerError as error:
        # 10 is the form of a ledger: of another file the check's own code says more.
        return RunFinding(name, code if error.exit_code == 10 else error.exit_code, str(error))
    except CmeError as error:
        return RunFinding(name, error.exit_code, str(error))
    except UNREADABLE as error:
        return RunFinding(name, 3, f"expected a readable file of this run, was: {error!r}"[:400])
    return RunFinding(name, 0, None)


def _files(folder: Path) -> Iterator[RunFinding]:
    """Yield a finding for each file that is not as listed, the rest counted; one that holds where all are."""
    problems = check_bytes.faults(folder)
    try:
        named = list(islice(problems, SHOWN))
        more = sum(1 for _ in problems)
    except CmeError as error:
        named, more = [error], 0
    except OSError as error:
        yield RunFinding("files", 3, f"expected readable files of this run, was: {error!r}"[:400])
        return
    yield from (RunFinding("files", problem.exit_code, str(problem)) for problem in named)
    if more:
        yield RunFinding("files", 3, f"and {more} more files are not as listed")
    if not named:
        yield RunFinding("files", 0, None)


def _facts(folder: Path, ledgers: Mapping[str, Verified]) -> None:
    in_manifest = read_object(folder / "manifest.json")["ledgers"]
    for kind, verified in ledgers.items():
        require_same(f"manifest.json, ledgers.{kind}", check_tables.facts_of(verified.report), in_manifest[kind], 16)


def _seal(folder: Path, ledgers: Mapping[str, Verified]) -> None:
    manifest = read_object(folder / "manifest.json")
    recomputed = {
        "engine_hash": (20, manifest["engine_hash"]),
        "config_hash": (26, registration_of(folder).config_hash),
        "dataset_hash": (21, _dataset_hash(folder / "data.json")),
        "seeds_hash": (24, streams.load(folder / "seeds.lock").seeds_hash),
        "study": (26, manifest["study"]),
        "prereg": (26, manifest["prereg"]),
        "freeze_hash": (20, manifest["freeze_hash"]),
    }
    # The mode follows from the freeze: a run without one cannot call itself confirmatory.  [S8.1]
    mode = "exploratory" if manifest["freeze_hash"] is None else "confirmatory"
    require_same("manifest.json, mode of a run with this freeze_hash", mode, manifest["mode"], 20)
    for field, (code, value) in recomputed.items():
        require_same(f"manifest.json, {field}", value, manifest[field], code)
        for kind, verified in ledgers.items():
            require_same(f"genesis of the {kind} ledger, {field}", value, verified.genesis[field], code)
    emit = ledgers["emit"].report.ledger_id
    referred = ledgers["resolution"].genesis["emit_ledger_id"]
    require_same("genesis of the resolution ledger, emit_ledger_id", emit, referred, 15)


def _dataset_hash(path: Path) -> str:
    try:
        return hash_of(parse_any_spelling(path.read_bytes()))
    except LedgerError as error:
        raise LedgerError(f"{path.name}: {error}", exit_code=21) from error


CHECKS = (
    ("facts", 16, _facts),
    ("seal", 26, _seal),
    ("results", 30, check_results.results),
    ("verdicts", 30, check_results.verdicts),
    ("tables", 15, check_tables.tables),
)


def origin_of(path: Path) -> str | None:
    """Return the ledger id that the first line of a ledger file states; None where it states none."""
    with opened(path) as stream:
        first = next(lines(stream), (b"", False))[0]
    try:
        return str(parsed(first)["row"]["ledger_id"])
    except (LedgerError, TypeError, KeyError):
        return None


def claimed_by(note: bytes) -> str | None:
    """Return the ledger id of a checkpoint; None for bytes that are none."""
    try:
        return parse_checkpoint(text_of(note)).ledger_id
    except LedgerError:
        return None
