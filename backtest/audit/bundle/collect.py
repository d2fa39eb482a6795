"""Collects the files of a run's bundle: the run, its lock and freeze, its journals, and what lists them.  [audit 12]

The same run and the same journals give the same bytes, independent of time, place and maker.  Market
data are not in it; ``data.manifest`` names every file of the data set by its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from backtest.audit.bundle import layout
from backtest.audit.bundle.crate import crate
from backtest.audit.bundle.freeze_evidence import check_freeze, check_looks, files_beside, split
from backtest.audit.bundle.readme import readme
from backtest.audit.bundle.statement import BUNDLED, hashes, statement
from backtest.audit.run.check import RunReport, verify_run
from backtest.audit.verify_ledger import TrustedInputs, checkpoint_of
from backtest.environment import ROOT, repository
from backtest.gate.freeze.seal import LOOKS_FOLDER, freeze_hash
from backtest.gate.freeze.seal import read as read_freeze
from backtest.gate.looks.registry import LEDGER
from backtest.rundir.checksums import sums_text
from backtest.rundir.files import read_object, registration_of
from backtest.tracking import journal
from backtest.tracking.journal import Record
from engine.errors import CmeError, LedgerError, MissingError
from engine.ledger.format.canonical_json import canonical
from engine.ledger.verification.verify import Report


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of a bundle by name, and remarks on what a reader may expect in it and does not find."""

    files: Mapping[str, bytes]
    remarks: tuple[str, ...]


def bundle_of(run: Path, trusted: TrustedInputs, freeze: Path | None = None) -> Bundle:
    """Return the bundle of the finished run directory ``run``.

    ``trusted`` has kept checkpoints with signatures, and anchors; they go into the bundle once they are checked.
    ``freeze`` is the freeze.json of a confirmatory run; None looks below ``configs/``.  Raises ``MissingError`` (3) if
    the run is not finished, ``LedgerError`` with the code of the first check of the run that fails.
    """
    names = [name for name in layout.NEEDED if not (run / name).is_file()]
    if names:
        raise MissingError(f"{run}: expected a finished run directory, was one without {', '.join(names)}")
    manifest = read_object(run / "manifest.json")
    freeze_path = _freeze_of(manifest, freeze)
    registry = (freeze_path or run).parent / LOOKS_FOLDER / LEDGER
    of_looks, of_run = split(registry, trusted)
    checked = verify_run(run, of_run)
    if checked.exit:
        raise LedgerError(f"{run}: expected a run that holds, was: {checked.reason}", exit_code=checked.exit)
    reports = list(checked.ledgers.values())
    if freeze_path is not None:
        check_freeze(freeze_path.parent, run)
        reports += filter(None, [check_looks(registry, run, of_looks)])
    files = {layout.in_bundle(name): (run / name).read_bytes() for name in _run_files(run)}
    records, remarks = journals_of(run, manifest)
    files |= {f"runs/{record.run_uid}/{record.path.name}": record.path.read_bytes() for record in records}
    files |= (files_beside(freeze_path) if freeze_path else {}) | _checkpoints(reports, trusted) | _anchors(trusted)
    files |= _from_checkout(manifest, remarks)
    facts = _facts(run, files, manifest, records)
    if freeze_path is not None:
        facts["home"] = Path(read_freeze(freeze_path)["config"]["path"]).parent.as_posix()
    files[layout.README] = readme(facts, sorted(files))
    files[layout.CRATE] = crate(facts, hashes(files), {name: len(data) for name, data in files.items()}, records)
    files[layout.ATTESTATION] = statement(BUNDLED, hashes(files), _predicate(facts, manifest, checked, records))
    # Last: it lists every other file, the attestation included.
    files[layout.SUMS] = sums_text(hashes(files))
    return Bundle(files, tuple(remarks))


def journals_of(run: Path, manifest: Mapping[str, Any]) -> tuple[list[Record], list[str]]:
    """Return the journals that name the run, and of the runs on the same data up to then, and remarks.

    The others say how many configurations had been evaluated on this window; without them the deflated ratio cannot
    be recomputed.  [statistics 3.5]
    """
    readable, remarks = [], []
    for path in journal.journals(run.parent):
        try:
            readable.append(journal.read(path))
        # A damaged journal of another run must not keep this one from being bundled.
        except CmeError as problem:
            remarks.append(f"a journal that cannot be read was left out: {problem}")
    of_run = [record for record in readable if names_run(record, manifest["id"])]
    if not of_run:
        return [], [*remarks, "no journal beside the run names it: times and trials are not known"]
    # Only runs up to then: later ones were no trials when this ratio was deflated.  [statistics 3.5]
    last = max(record.end_us for record in of_run)
    data = manifest["dataset_hash"]
    others = [
        other for other in readable if other not in of_run and other.tags.get("data") == data and other.start_us <= last
    ]
    return sorted([*of_run, *others], key=lambda record: (record.start_us, record.run_uid)), remarks


def names_run(record: Record, name: str) -> bool:
    """Return whether a journal recorded files of the run directory ``name``."""
    return any(path.startswith(f"{name}/") for path in record.artifacts)


def _run_files(run: Path) -> Iterable[str]:
    folds = (path.relative_to(run).as_posix() for path in run.glob("folds/*/*"))
    return [name for name in layout.RUN_FILES if (run / name).is_file()] + sorted(filter(layout.FOLD.fullmatch, folds))


def _checkpoints(reports: Iterable[Report], trusted: TrustedInputs) -> dict[str, bytes]:
    """Return a checkpoint of each whole ledger, and the trusted ones, named by their ledger and size."""
    notes = {}
    for report in reports:
        claim = checkpoint_of(report)
        # Named by ledger and size, so a kept checkpoint of the same size takes the place of ours.
        notes[f"checkpoints/{claim.ledger_id}/{claim.size}.ckpt"] = claim.text.encode()
        for entry in report.checkpoints:
            note = next(note for source, note in trusted.checkpoints if source == entry["source"])
            notes[f"checkpoints/{report.ledger_id}/{entry['size']}.ckpt"] = note
    return notes


def _anchors(trusted: TrustedInputs) -> dict[str, bytes]:
    if not trusted.anchors:
        return {}
    lines = [{"schema": "anchor/1", **{f: getattr(anchor, f) for f in anchor.__slots__}} for anchor in trusted.anchors]
    return {layout.ANCHORS: b"".join(canonical(line) + b"\n" for line in lines)}


def _freeze_of(manifest: Mapping[str, Any], freeze: Path | None) -> Path | None:
    """Return the freeze.json of the run; None for a run without a freeze."""
    wanted = manifest["freeze_hash"]
    if wanted is None:
        return None
    # A run names its freeze by hash only, so one that was not given is looked for among all plans.
    for path in [freeze] if freeze else sorted((ROOT / "configs").rglob("freeze.json")):
        if freeze_hash(read_freeze(path)) == wanted:
            return path
    raise MissingError(f"expected freeze.json with the hash {wanted} of the run, found none: name it with --freeze")


def _from_checkout(manifest: Mapping[str, Any], remarks: list[str]) -> dict[str, bytes]:
    """Return the lock file and the verifier's page; a lock that is not the run's is left out, with a remark."""
    files = {}
    for name, path in ((layout.LOCK, ROOT / layout.LOCK), (layout.PAGE, ROOT / "reports" / "verifier" / layout.PAGE)):
        if path.is_file():
            files[name] = path.read_bytes()
        else:
            remarks.append(f"{name} is not in this checkout and was left out")
    lock = files.get(layout.LOCK)
    # The checkout may have moved on since the run: another lock would be attested as the run's.
    if lock is not None and sha256(lock).hexdigest() != manifest["lock_sha256"]:
        del files[layout.LOCK]
        remarks.append(
            f"{layout.LOCK} is another than the one the run names ({manifest['lock_sha256']}) and was left out"
        )
    return files


def _facts(run: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any], records: list[Record]) -> dict[str, Any]:
    """Return what README, crate and attestation say of the run; times only as its own journals have them."""
    of_run = [record for record in records if names_run(record, manifest["id"])]
    return {
        "id": manifest["id"],
        "study": manifest["study"],
        "title": manifest["title"],
        "mode": manifest["mode"],
        "drawn": registration_of(run).data.kind == "synthetic",
        "window": manifest["window"],
        "commit": manifest["commit"],
        "clean": manifest["clean"],
        "digest": files["digest.txt"].decode().strip(),
        "results": "results.exact.json" if "results.exact.json" in files else "results.exploratory.json",
        "freeze_hash": manifest["freeze_hash"],
        "dataset_hash": manifest["dataset_hash"],
        "engine_hash": manifest["engine_hash"],
        "python": manifest["versions"]["python"],
        "repository": repository(),
        # From the journal and not from the clock: the same run gives the same bytes on any day.
        "published_us": max((record.end_us for record in of_run), default=None),
    }


def _predicate(
    facts: Mapping[str, Any], manifest: Mapping[str, Any], checked: RunReport, records: list[Record]
) -> dict[str, Any]:
    return {
        "run": facts["id"],
        "mode": facts["mode"],
        "freeze_hash": facts["freeze_hash"],
        "engine_hash": facts["engine_hash"],
        "dataset_hash": facts["dataset_hash"],
        "seeds_hash": manifest["seeds_hash"],
        "config_hash": manifest["config_hash"],
        "results_digest": facts["digest"],
        "ledgers": manifest["ledgers"],
        "exit_codes": {item.name: item.exit for item in checked.findings}
        | {f"journal/{item.run_uid}": item.exit_code for item in records if names_run(item, facts["id"])},
        "environment": {key: manifest[key] for key in ("lock_sha256", "commit", "clean", "versions", "machine")},
    }
