"""A ledger file against everything a reader may hold: emit ledger, checkpoints, keys, anchors.  [audit 8.1, 8.2]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from backtest.audit.signed_notes import Key, names_on, open_note, parse_key
from engine.errors import LedgerError, MissingError, UsageError
from engine.ledger.checkpoint import NOTE_LIMIT, Checkpoint, parse_checkpoint, text_of
from engine.ledger.verification.anchors import Anchor, against_anchors, parse_anchors
from engine.ledger.verification.verify import Report, Verified, failing, opened, verify_ledger
from engine.ledger.verification.walk import Emitted, lines

BEHIND: Final = "cutting or rewriting them would not be visible"


@dataclass(frozen=True, slots=True)
class TrustedInputs:
    """What the reader brings along, by path; keys and anchors as read, checkpoints as (path, bytes)."""

    checkpoints: tuple[tuple[str, bytes], ...] = ()
    keys: tuple[Key, ...] = ()
    anchors: tuple[Anchor, ...] | None = None


def trusted_inputs(checkpoints: Sequence[Path], keys: Sequence[Path], anchors: Path | None) -> TrustedInputs:
    """Return the checkpoints, keys and anchors in these files.

    Raises ``MissingError`` 3, ``UsageError`` 2, ``LedgerError`` 18.
    """
    if keys and not checkpoints:
        raise UsageError("--key: expected a --checkpoint whose signature it verifies, was none")
    texts = [line for path in keys for line in _small(path).decode("utf-8", "replace").splitlines() if line.strip()]
    claims = tuple((str(path), _small(path)) for path in checkpoints)
    return TrustedInputs(claims, tuple(parse_key(text.strip()) for text in texts), _anchors(anchors))


def verify_file(path: Path, trusted: TrustedInputs, emitted: Emitted | None = None) -> Verified:
    """Return the verification of the ledger in ``path`` against what was ``trusted``.

    A checkpoint of another form is a failed one (16); with keys, each must be a note that one of them signed (17); an
    anchor that says another size than the checkpoint file of its hash is wrong (18).  Raises ``MissingError`` (3) only.
    """
    claims, faults = [], []
    for source, note in trusted.checkpoints:
        try:
            claims.append((source, parse_checkpoint(text_of(note))))
        except LedgerError as error:
            faults.append((source, error))
    # Roots at these sizes are taken while the rows stream by; afterwards the rows are gone.
    sizes = {anchor.size for anchor in trusted.anchors or ()}
    with opened(path) as stream:
        verified = verify_ledger(stream, checkpoints=claims, emitted=emitted, sizes=sizes)
    report = verified.report
    for source, fault in faults:
        entry = {"source": source, "size": None, "root": None, "status": "failed", "reason": str(fault)}
        report = failing(report, fault.exit_code, None, f"{source}: {fault}")
        report = replace(report, checkpoints=(*report.checkpoints, entry))
    report, files = _signed(report, trusted)
    if trusted.anchors is not None:
        report, sources = _of_their_files(report, trusted)
        files = {digest: names for digest, names in files.items() if digest not in sources}
        report = against_anchors(report, trusted.anchors, verified.roots, files)
    return replace(verified, report=_with_rest(report))


def verify_with_emit(path: Path, emit: Path | None, trusted: TrustedInputs) -> Verified:
    """Return the verification of ``path`` with the emit ledger it refers to, which must hold as well."""
    if emit is None:
        return verify_file(path, trusted)
    with opened(emit) as stream:
        emitted = verify_ledger(stream)
    code, reason, kind = emitted.report.exit, emitted.report.reason, emitted.genesis.get("ledger_kind")
    if not code and kind != "emit":
        code, reason = 15, f"expected a ledger of kind emit, was one of kind {kind}"
    if code:
        # There is nothing to compare with, but the ledger's own rows can still be checked.
        verified = verify_file(path, trusted)
        return replace(verified, report=failing(verified.report, code, None, f"emit ledger {emit}: {reason}"))
    return verify_file(path, trusted, emitted.emitted)


def checkpoint_of(report: Report) -> Checkpoint:
    """Return the checkpoint of a ledger that holds."""
    return Checkpoint(str(report.ledger_id), report.rows, bytes.fromhex(report.root))


def _with_rest(report: Report) -> Report:
    """Return ``report`` with a word on the rows that no checkpoint fixes, where one holds."""
    fixed = max((entry["size"] for entry in report.checkpoints if entry["status"] == "ok"), default=report.rows)
    if fixed >= report.rows:
        return report
    note = f"{report.rows - fixed} of the rows came after the newest checkpoint: {BEHIND}"
    return replace(report, unchecked=(*report.unchecked, note))


def _of_their_files(report: Report, trusted: TrustedInputs) -> tuple[Report, set[str]]:
    """Return ``report`` failing (18) where an anchor says another size than its checkpoint file, and those hashes."""
    sources = set()
    for source, note in trusted.checkpoints:
        digest = sha256(note).hexdigest()
        for anchor in trusted.anchors or ():
            if anchor.checkpoint_sha256 == digest and anchor.ledger_id == report.ledger_id:
                line = f"cme-audit/{anchor.ledger_id} {anchor.size}"
                was = " ".join(note.decode("utf-8", "replace").split("\n")[:2])
                if line != was:
                    sources.add(digest)
                    reason = f"expected its file {source} to be of {line} rows, was of {was[:100]!r}"
                    report = failing(report, 18, None, f"anchor {anchor.method} {anchor.reference}: {reason}")
    return report, sources


def _signed(report: Report, trusted: TrustedInputs) -> tuple[Report, dict[str, frozenset[str]]]:
    """Return ``report`` with the state of each signature, and per checkpoint file which witnesses cosigned it."""
    entries: list[dict[str, Any]] = []
    notes: list[str] = []
    files = {}
    for source, note in trusted.checkpoints:
        signers: tuple[str, ...] = ()
        witnesses: frozenset[str] = frozenset()
        try:
            if trusted.keys:
                opened_note = open_note(note, trusted.keys)
                signers, others = opened_note.signers, opened_note.unknown
                witnesses = frozenset(opened_note.witnesses)
            else:
                # Without keys nothing is verified; the names still show who claims to have signed.
                others = names_on(note)
        except LedgerError as error:
            entries.append({"source": source, "name": None, "status": "failed", "reason": str(error)})
            report = failing(report, error.exit_code, None, f"{source}: {error}")
            continue
        entries += [{"source": source, "name": name, "status": "ok", "reason": None} for name in sorted(signers)]
        for name in others:
            reason = "no verification key given for it"
            entries.append({"source": source, "name": name, "status": "unchecked", "reason": reason})
            notes.append(f"{source}: signature of {name}: {reason}")
        files[sha256(note).hexdigest()] = witnesses
    return replace(report, signatures=tuple(entries), unchecked=(*report.unchecked, *notes)), files


def _anchors(path: Path | None) -> tuple[Anchor, ...] | None:
    if path is None:
        return None
    with opened(path) as stream:
        return parse_anchors(line + b"\n" * complete for line, complete in lines(stream))


def _small(path: Path) -> bytes:
    with opened(path) as stream:
        # One byte more than allowed shows a longer file without reading it.
        data = stream.read(NOTE_LIMIT + 1)
    if len(data) > NOTE_LIMIT:
        raise MissingError(f"{path}: expected a checkpoint or key of at most {NOTE_LIMIT} bytes, was more")
    return data
