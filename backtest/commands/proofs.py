"""`cme prove`, `cme sign`, `cme anchor`: proofs, signatures and time stamps that a reader can use.  [audit 7]"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, first_line, remark
from engine.errors import MissingError, UsageError

_PATH = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
_QUIET = click.option("--quiet", is_flag=True, help="No remarks on stderr.")


@click.command(epilog="Example: cme prove live/ledgers/STUDY/emit.jsonl --row 12 --out row-12.json")
@click.argument("ledger", type=_PATH, required=False)
@click.option("--row", metavar="ID", help="Prove that this row is in LEDGER: its id, or its place from 0.")
@click.option("--consistent", nargs=2, type=int, metavar="A B", help="Prove that A rows are what B rows began with.")
@click.option("--check", "proof", type=_PATH, help="Check this proof instead; no ledger is needed.")
@click.option("--checkpoint", "checkpoints", type=_PATH, multiple=True, help="Checkpoint kept elsewhere; repeatable.")
@click.option("--out", type=_PATH, help="Write the proof there.")
@_JSON
@_QUIET
@leaves_journal(lambda options: options["out"])
def prove(
    ledger: Path | None,
    row: str | None,
    consistent: tuple[int, int] | None,
    proof: Path | None,
    checkpoints: tuple[Path, ...],
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Print the proof that a row is in LEDGER, or that an earlier size is a prefix of a later one; each is checked.

    A proof is under 1 KB beside its row and needs no ledger to be checked. It leads to a root; that the root is the
    published one is shown by a --checkpoint that someone else kept. Exit code 16: it does not, or leads elsewhere.
    """
    from backtest.audit.proofs import check_proof, prove_prefix, prove_row, read_proof
    from backtest.data.format.atomic_write import write_whole
    from engine.ledger.checkpoint import parse_checkpoint, text_of

    if [ledger is not None and row is not None, ledger is not None and consistent is not None, proof is not None].count(
        True
    ) != 1:
        raise UsageError("expected LEDGER with --row or --consistent, or --check PROOF, one of them")
    if proof is not None:
        document = read_proof(proof)
    elif row is not None:
        document = prove_row(Path(str(ledger)), row)
    else:
        size_a, size_b = consistent or (0, 0)
        document = prove_prefix(Path(str(ledger)), size_a, size_b)
    claims = [parse_checkpoint(text_of(_read(path))) for path in checkpoints]
    unchecked = check_proof(document, claims)
    if out is not None:
        write_whole(out, (json.dumps(document, indent=1) + "\n").encode())
    if as_json:
        echo(json.dumps({"proof": document, "unchecked": unchecked}, indent=1))
        return 0
    for key, value in document.items():
        echo(f"{key:<10} {' '.join(value) if isinstance(value, list) else value}")
    echo("the proof leads to its root")
    for sentence in () if quiet else unchecked:
        remark(sentence)
    return 0


@click.command(epilog="Example: cme sign checkpoints/ID/14.ckpt --key publisher.pem --out 14.note")
@click.argument("checkpoint", type=_PATH)
@click.option("--key", required=True, type=_PATH, help="Ed25519 private key, PEM (openssl genpkey -algorithm ed25519).")
@click.option("--name", help="Name of the key; the checkpoint's first line where not given.")
@click.option("--out", type=_PATH, help="The signed note; beside CHECKPOINT, ending .note, where not given.")
@_JSON
@_QUIET
@leaves_journal()
def sign(checkpoint: Path, key: Path, name: str | None, out: Path | None, as_json: bool, quiet: bool) -> int:
    """Sign CHECKPOINT with a key file and print the verification key, which readers are given apart from it.

    The note is a checkpoint still: `cme verify LEDGER --checkpoint NOTE --key FILE` checks both. CHECKPOINT itself is
    left as it is. A signature says who published a head, not that no other history was signed.
    """
    from backtest.audit.signed_notes import ED25519, Key, sign_note
    from backtest.data.format.atomic_write import write_whole
    from engine.ledger.checkpoint import parse_checkpoint, text_of

    first_line(f"cme sign: reading {checkpoint}", quiet)
    claim = parse_checkpoint(text_of(_read(checkpoint)))
    seed, public = _private_key(key)
    named = name or claim.origin
    target = out or checkpoint.with_suffix(".note")
    write_whole(target, sign_note(claim.text, named, seed).encode())
    verification = Key(named, ED25519, public).text
    if as_json:
        echo(json.dumps({"note": str(target), "key": verification}, indent=1))
    else:
        echo(f"{target}\n{verification}")
    return 0


@click.command(epilog="Example: cme anchor 14.ckpt --request 14.tsq; cme anchor 14.ckpt --answer 14.tsr --ca tsa.pem")
@click.argument("checkpoint", type=_PATH)
@click.option("--request", type=_PATH, help="Write the RFC 3161 request for a time-stamp authority.")
@click.option("--answer", type=_PATH, help="What came back: an RFC 3161 answer, or a proof ending .ots.")
@click.option("--ca", type=_PATH, help="Trusted certificates of the authority, PEM; for --answer.")
@click.option("--untrusted", type=_PATH, help="Certificates between it and --ca, PEM.")
@click.option("--anchors", default="anchors.jsonl", show_default=True, type=_PATH, help="The anchor is added there.")
@_JSON
@_QUIET
@leaves_journal()
def anchor(
    checkpoint: Path,
    request: Path | None,
    answer: Path | None,
    ca: Path | None,
    untrusted: Path | None,
    anchors: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """Write what a time-stamp authority needs of CHECKPOINT, or check and keep what it gave.

    \b
    1  cme anchor 14.ckpt --request 14.tsq
    2  curl -H 'Content-Type: application/timestamp-query' --data-binary @14.tsq https://AUTHORITY > 14.tsr
    3  cme anchor 14.ckpt --answer 14.tsr --ca authority.pem

    An RFC 3161 answer is verified offline, by openssl, with the certificates given (18 where it is not of this file or
    not signed under them). OpenTimestamps: `ots stamp 14.ckpt`, then --answer 14.ckpt.ots; that the proof is of this
    file is checked, its attestations are named unchecked.
    """
    from backtest.audit.timestamps import anchor_line, check_ots, request_stamp, verify_stamp
    from backtest.data.format.atomic_write import write_whole

    if (request is None) == (answer is None):
        raise UsageError("expected --request FILE or --answer FILE, was both or neither")
    _read(checkpoint)
    if request is not None:
        request_stamp(checkpoint, request)
        echo(json.dumps({"request": str(request)}) if as_json else str(request))
        return 0
    given = Path(str(answer))
    if given.suffix == ".ots":
        stamp = check_ots(checkpoint, given)
    elif ca is None:
        raise UsageError("--ca: expected the trusted certificates of the authority, was none")
    else:
        stamp = verify_stamp(checkpoint, given, ca, untrusted)
    line = anchor_line(checkpoint, given, stamp, time.time_ns() // 1000)
    before = anchors.read_bytes() if anchors.exists() else b""
    if line not in before.splitlines(keepends=True):
        write_whole(anchors, before + line)
    if as_json:
        echo(json.dumps({"anchor": json.loads(line), "unchecked": list(stamp.unchecked)}, indent=1))
        return 0
    echo(f"{stamp.method}  {stamp.reference}")
    for sentence in () if quiet else stamp.unchecked:
        remark(sentence)
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise MissingError(f"expected a checkpoint at {path}, was: {problem.strerror}") from problem


def _private_key(path: Path) -> tuple[bytes, bytes]:
    """Return the 32 bytes of an Ed25519 private key in a PEM file, and those of its public key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as problem:
        raise MissingError(
            f"{path}: expected an Ed25519 private key, PEM, without a password, was: {problem}"
        ) from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise MissingError(f"{path}: expected an Ed25519 private key, was another kind")
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()
