"""Checks a ledger file and says against what it was checked: the report of audit 8.2.

The chain shows that nothing changed since the last checkpoint that someone else keeps.  It cannot show that the tail
was not removed or the whole rewritten, that inputs were true, or that every signal was emitted; the report says so.
[audit 1, 8.4]
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from engine.errors import LedgerError, MissingError
from engine.ledger.checkpoint import Checkpoint
from engine.ledger.verification.walk import Emitted, Walk, hashed

NO_CHECKPOINT: Final = "no checkpoint given: truncation or a complete rewrite would not be visible"
NO_EMIT: Final = "no emit ledger given: that each resolution names a row of its signal was not checked"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of checking one ledger.  ``rows``, ``head`` and ``root`` are of the rows before the first bad one.

    ``exit`` is 0 if everything asked for was checked and is valid; ``unchecked`` lists what was not, and never counts
    as valid.  ``unresolved`` is rule -> number of signals without a resolution; None without an emit ledger.  ``head``
    and ``ledger_id`` are None if no row passed.
    """

    exit: int
    ledger_id: str | None
    rows: int
    head: str | None
    root: str
    first_bad_row: int | None
    reason: str | None
    counts: Mapping[str, int]
    unresolved: Mapping[str, int] | None = None
    checkpoints: tuple[Mapping[str, Any], ...] = ()
    signatures: tuple[Mapping[str, Any], ...] = ()
    anchors: tuple[Mapping[str, Any], ...] = ()
    unchecked: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the object of audit 8.2."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verified:
    """A report, with what later checks need: size -> tree hash, the genesis, and the row hashes of the signals."""

    report: Report
    roots: Mapping[int, bytes] = field(repr=False)
    genesis: Mapping[str, Any] = field(repr=False)
    emitted: Emitted = field(repr=False)


def verify_ledger(
    stream: BinaryIO,
    *,
    checkpoints: Sequence[tuple[str, Checkpoint]] = (),
    emitted: Emitted | None = None,
    sizes: Collection[int] = (),
) -> Verified:
    """Return the report of the ledger in ``stream``, which is read once, in bounded pieces.

    ``checkpoints`` are pairs (source, checkpoint); ``emitted`` is the ledger of the signals that resolutions refer to.
    Tree hashes are kept at the sizes of the checkpoints and at ``sizes``.  A ``LedgerError`` of a row is caught and
    becomes the report's ``exit``, ``first_bad_row`` and ``reason``; only errors of reading the stream are raised.
    """
    walk = Walk(emitted)
    # A checkpoint of size 0 has a root too, that of the empty tree.
    roots = {0: walk.tree.root()}
    wanted = {claim.size for _, claim in checkpoints} | set(sizes)
    code, bad, reason = 0, None, None
    try:
        for data, digest in hashed(stream):
            walk.take(data, digest)
            if walk.tree.size in wanted:
                roots[walk.tree.size] = walk.tree.root()
        if not walk.tree.size:
            raise LedgerError("expected a genesis row, was an empty file", exit_code=12)
    except LedgerError as error:
        code, bad, reason = error.exit_code, walk.tree.size, f"row {walk.tree.size}: {error}"
    report = Report(
        exit=code,
        ledger_id=walk.ledger_id or None,
        rows=walk.tree.size,
        head=walk.head if walk.tree.size else None,
        root=walk.tree.root().hex(),
        first_bad_row=bad,
        reason=reason,
        counts=dict(walk.counts),
        unresolved=_unresolved(walk),
        unchecked=_unchecked(walk, bool(checkpoints)),
    )
    return Verified(_against(report, checkpoints, roots), roots, walk.genesis, walk.emits())


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading.  Raises ``MissingError`` (3) for anything else, and if reading it fails."""
    try:
        # Before it is opened: opening a pipe without a writer would block for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise MissingError(f"{path}: expected a file, was a folder or device: name the ledger's .jsonl file")
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise MissingError(f"{path}: expected a readable file, was: {error.strerror or error}") from error


def failing(report: Report, code: int, row: int | None, reason: str) -> Report:
    """Return ``report`` with this fault; a report that has one already keeps it."""
    return report if report.exit else replace(report, exit=code, first_bad_row=row, reason=reason)


def _against(report: Report, claims: Sequence[tuple[str, Checkpoint]], roots: Mapping[int, bytes]) -> Report:
    """Return ``report`` with each checkpoint: ``ok``, ``failed``, or ``unchecked`` beyond a bad row."""
    entries = []
    for source, claim in claims:
        row, fault, status = None, None, "failed"
        if claim.ledger_id != report.ledger_id:
            fault = f"expected the origin of ledger {report.ledger_id}, was that of {claim.ledger_id}"
        elif claim.size > report.rows:
            row = report.rows
            fault = f"expected {claim.size} rows, was {report.rows}: the ledger was cut"
            # Beyond a bad row nothing was read: the ledger need not have been cut.
            status = "unchecked" if report.first_bad_row is not None else "failed"
        elif roots[claim.size] != claim.root:
            fault = (
                f"expected the root {claim.root.hex()} at {claim.size} rows, was {roots[claim.size].hex()}: "
                "the ledger was rewritten or forked"
            )
        entries.append(
            {
                "source": source,
                "size": claim.size,
                "root": claim.root.hex(),
                "status": status if fault else "ok",
                "reason": fault,
            }
        )
        if fault is not None:
            report = failing(report, 16, row, f"{source}: {fault}")
    return replace(report, checkpoints=tuple(entries))


def _unresolved(walk: Walk) -> dict[str, int] | None:
    if walk.emitted is None:
        return None
    return {rule: walk.emitted.signals - count for rule, count in sorted(walk.resolved.items())}


def _unchecked(walk: Walk, has_checkpoint: bool) -> tuple[str, ...]:
    notes = [] if has_checkpoint else [NO_CHECKPOINT]
    if walk.genesis.get("ledger_kind") == "resolution" and walk.emitted is None:
        notes.append(NO_EMIT)
    return tuple(notes)
