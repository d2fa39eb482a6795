"""Time stamps of a checkpoint: RFC 3161 by `openssl ts`, verified offline with certificates given.  [audit 7.3]

OpenTimestamps is checked as far as it can be without block headers: that the proof is of this file.  The rest is
``unchecked``.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from backtest.data.format.atomic_write import write_whole
from engine.errors import LedgerError, MissingError
from engine.ledger.checkpoint import parse_checkpoint, text_of
from engine.ledger.format.canonical_json import canonical

EXIT: Final = 18
_OTS: Final = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01"
_OTS_SHA256: Final = b"\x08"
_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an answer shows of a checkpoint: how it was stamped, when (us UTC, None: unknown), what is unchecked."""

    method: str
    reference: str
    at_us: int | None
    unchecked: tuple[str, ...]


def request_stamp(checkpoint: Path, target: Path) -> None:
    """Write the RFC 3161 request for the file ``checkpoint``, SHA-256, with a nonce, asking for the certificate.

    Raises ``MissingError`` (3) where openssl is not there or refuses.
    """
    with tempfile.TemporaryDirectory(prefix="cme-ts-") as folder:
        made = Path(folder) / "request.tsq"
        _openssl("ts", "-query", "-data", str(checkpoint), "-sha256", "-cert", "-out", str(made))
        write_whole(target, made.read_bytes())


def verify_stamp(checkpoint: Path, answer: Path, certificates: Path, untrusted: Path | None = None) -> Stamp:
    """Return what an RFC 3161 answer shows, verified offline by the trusted ``certificates`` (PEM).

    Raises ``LedgerError`` (18) for an answer that is not of this file or not signed under them, ``MissingError`` (3)
    where openssl or a file is not there.
    """
    for path in (checkpoint, answer, certificates):
        if not path.is_file():
            raise MissingError(f"expected a file at {path}, found none")
    chain = ("-untrusted", str(untrusted)) if untrusted else ()
    try:
        _openssl("ts", "-verify", "-data", str(checkpoint), "-in", str(answer), "-CAfile", str(certificates), *chain)
    except _RefusedError as problem:
        raise LedgerError(
            f"{answer}: expected a time stamp of {checkpoint} under {certificates}, was refused: {problem}",
            exit_code=EXIT,
        ) from problem
    shown = _openssl("ts", "-reply", "-in", str(answer), "-text")
    fields = dict(line.split(": ", 1) for line in shown.splitlines() if ": " in line)
    when = fields.get("Time stamp", "").strip()
    try:
        moment = datetime.strptime(when.partition(" GMT")[0].partition(".")[0], "%b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        # openssl writes fractions of a second before the year
        moment = None
    at_us = None if moment is None else int(moment.timestamp()) * 1_000_000
    serial = fields.get("Serial number", "?").strip()
    return Stamp("registry", f"RFC 3161 {fields.get('TSA', 'time-stamp authority').strip()[:300]}, serial {serial}, "
                 f"{when}", at_us, ())  # fmt: skip


def check_ots(checkpoint: Path, answer: Path) -> Stamp:
    """Return what an OpenTimestamps proof shows without block headers: that it is of this file.

    Raises ``LedgerError`` (18) for a file of another form or of another checkpoint.
    """
    body, digest = answer.read_bytes(), sha256(checkpoint.read_bytes()).digest()
    head = len(_OTS)
    if not body.startswith(_OTS) or body[head : head + 1] != _OTS_SHA256:
        raise LedgerError(f"{answer}: expected an OpenTimestamps proof over SHA-256, was another file", exit_code=EXIT)
    if body[head + 1 : head + 33] != digest:
        raise LedgerError(
            f"{answer}: expected a proof of {checkpoint}, SHA-256 {digest.hex()}, was one of "
            f"{body[head + 1 : head + 33].hex()}",
            exit_code=EXIT,
        )
    return Stamp("ots", answer.name, None, ("its attestations need block headers or calendars: unchecked here",))


def anchor_line(checkpoint: Path, answer: Path, stamp: Stamp, now_us: int) -> bytes:
    """Return the line of ``anchors.jsonl`` for a stamped checkpoint, LF included."""
    note = checkpoint.read_bytes()
    claim = parse_checkpoint(text_of(note))
    return canonical({
        "schema": "anchor/1", "ledger_id": claim.ledger_id, "size": claim.size,
        "checkpoint_sha256": sha256(note).hexdigest(), "method": stamp.method, "reference": stamp.reference,
        "at_us": now_us if stamp.at_us is None else stamp.at_us,
        "evidence_sha256": sha256(answer.read_bytes()).hexdigest(),
    }) + b"\n"  # fmt: skip


class _RefusedError(MissingError):
    """Openssl ended with an error."""


def _openssl(*arguments: str) -> str:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as problem:
        raise MissingError(f"expected the program openssl, which reads time stamps, was: {problem}") from problem
    if done.returncode:
        raise _RefusedError(f"openssl {arguments[0]} {arguments[1]}: {done.stderr.decode('utf-8', 'replace')[:300]}")
    return done.stdout.decode("utf-8", "replace")
