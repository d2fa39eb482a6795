"""What ties a confirmatory run to its plan: its freeze, the seal of its data, the registry of its looks.  [audit 9, 11]

All three come from the folder of the registration and are in the bundle beside the run.  Here they are compared with
what the run says, name by name; that they are the ones that were published only a tag or a checkpoint kept elsewhere
can show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from backtest.audit.bundle import layout
from backtest.audit.run.check import claimed_by, origin_of
from backtest.audit.verify_ledger import TrustedInputs, verify_file
from backtest.gate.freeze import seal
from backtest.gate.looks import registry as looks_registry
from backtest.rundir.files import read_object, require_same
from engine.errors import GateError, LedgerError, MissingError, ReproduceError
from engine.ledger.verification.verify import Report, opened
from engine.ledger.verification.walk import lines, parsed


def files_beside(freeze: Path) -> dict[str, bytes]:
    """Return freeze.json and the files beside it, under their names in a bundle."""
    home, paths = freeze.parent, {layout.FREEZE: freeze}
    paths[layout.DATA_SEAL] = home / seal.DATA_SEAL_FILE
    paths[layout.LOOKS] = home / seal.LOOKS_FOLDER / looks_registry.LEDGER
    for path in sorted((home / seal.LOOKS_FOLDER / looks_registry.CHECKPOINTS).glob("*/*.ckpt")):
        paths[f"checkpoints/{path.parent.name}/{path.name}"] = path
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def split(registry: Path, trusted: TrustedInputs) -> tuple[TrustedInputs, TrustedInputs]:
    """Return the trusted inputs of the looks ledger ``registry``, and the others; all are others without a ledger."""
    name = origin_of(registry) if registry.is_file() else None
    if name is None:
        return replace(trusted, checkpoints=(), anchors=None), trusted
    of_looks = tuple(checkpoint for checkpoint in trusted.checkpoints if claimed_by(checkpoint[1]) == name)
    rest = tuple(checkpoint for checkpoint in trusted.checkpoints if checkpoint not in of_looks)
    if trusted.anchors is None:
        return replace(trusted, checkpoints=of_looks), replace(trusted, checkpoints=rest)
    anchors = tuple(checkpoint for checkpoint in trusted.anchors if checkpoint.ledger_id == name)
    others = tuple(checkpoint for checkpoint in trusted.anchors if checkpoint.ledger_id != name)
    return (
        replace(trusted, checkpoints=of_looks, anchors=anchors or None),
        replace(trusted, checkpoints=rest, anchors=others or (None if anchors else ())),
    )


def check_freeze(folder: Path, run: Path) -> None:
    """Check that the run names the freeze in ``folder``, and that what freeze and data seal name is the run's.

    Raises ``GateError`` with the code of what differs: 20 freeze or engine, 26 plan, 24 seeds, 21 data, 23 lock;
    ``MissingError`` (3) if the freeze of the run is missing.
    """
    manifest, path = read_object(run / "manifest.json"), folder / layout.FREEZE
    if manifest["freeze_hash"] is None and not path.exists():
        return
    frozen = seal.read(path)
    digest = seal.freeze_hash(frozen)
    if digest != manifest["freeze_hash"]:
        wanted = manifest["freeze_hash"]
        raise GateError(f"freeze.json: expected the hash {wanted} of the run, was {digest}", exit_code=20)
    text = sha256((run / "registration.toml").read_bytes()).hexdigest()
    for name, code, actual, wanted in (
        ("study", 26, frozen["study"], manifest["study"]),
        ("engine.tree_hash", 20, frozen["engine"]["tree_hash"], manifest["engine_hash"]),
        ("config.config_hash", 26, frozen["config"]["config_hash"], manifest["config_hash"]),
        ("prereg.text_sha256", 26, frozen["prereg"]["text_sha256"], text),
        ("seeds.seeds_hash", 24, frozen["seeds"]["seeds_hash"], manifest["seeds_hash"]),
        ("env.lock_sha256", 23, frozen["env"]["lock_sha256"], manifest["lock_sha256"]),
    ):
        if actual != wanted:
            raise GateError(f"freeze.json, {name}: expected {wanted} as the run says, was {actual}", exit_code=code)
    sealed = seal.sealed_data(folder, frozen)
    if sealed != manifest["dataset_hash"]:
        raise GateError(
            f"{layout.FREEZE} and {layout.DATA_SEAL}: expected the data set {manifest['dataset_hash']} of the run, was "
            f"{sealed or 'none'}",
            exit_code=21,
        )


def check_looks(path: Path, run: Path, trusted: TrustedInputs) -> Report | None:
    """Check the looks ledger ``path`` against its checkpoints, and the look of this run against the run.

    Returns the report of the ledger, None where the run has no freeze.  Raises ``MissingError`` (3) if a confirmatory
    run has no looks, ``LedgerError`` with the code of a ledger that is not intact, ``GateError`` (25) if the look is
    missing or of other inputs, ``ReproduceError`` (30) if it ended with another digest.
    """
    manifest = read_object(run / "manifest.json")
    if manifest["freeze_hash"] is None and not path.exists():
        return None
    if not path.is_file():
        raise MissingError(f"{path.name}: expected the looks of a confirmatory run, was no such file")
    report = verify_file(path, trusted).report
    if report.exit:
        raise LedgerError(f"{path.name}: {report.reason}", exit_code=report.exit)
    of_run = [row for row in _ends(path) if row["reason"] == f"results of {manifest['id']}"]
    # More than one would be a second look under the name of the first.
    if len(of_run) != 1:
        raise GateError(
            f"{path.name}: expected one closed look with the results of {manifest['id']}, was {len(of_run)}",
            exit_code=25,
        )
    for key in ("analysis_id", "freeze_hash", "dataset_hash", "seeds_hash"):
        if of_run[0][key] != manifest[key]:
            raise GateError(
                f"{path.name}, {key}: expected {manifest[key]} of the run, was {of_run[0][key]}", exit_code=25
            )
    digest = (run / "digest.txt").read_text(encoding="utf-8").strip()
    if of_run[0]["results_digest"] != digest:
        raise ReproduceError(f"{path.name}: expected the digest {digest} of the run, was {of_run[0]['results_digest']}")
    # A look names the ledgers that were looked at: others mean another outcome.
    for kind in ("emit", "resolution"):
        in_manifest = {key: manifest["ledgers"][kind][key] for key in ("ledger_id", "size", "root")}
        require_same(f"{path.name}, {kind}", in_manifest, dict(of_run[0][kind]), 16)
    return report


def _ends(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the content of every row that closes a look, of a ledger whose chain is intact."""
    with opened(path) as stream:
        for line, _ in lines(stream):
            row = parsed(line)["row"]
            if row["kind"] == "look" and row["content"]["event"] == "close":
                yield row["content"]
