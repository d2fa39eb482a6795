"""Proofs, signatures and time stamps of a ledger, by the commands a reader has.  [audit 7]"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.ledger.checkpoint import Checkpoint
from engine.ledger.merkle import root
from engine.ledger.verification.walk import lines
from tests.helpers.cli import RunCommand, refused

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "audit"
OPENSSL = shutil.which("openssl")


@pytest.fixture
def ledger(tmp_path: Path, tiny: object) -> Path:
    """An exported ledger of some rows, its checkpoint beside it."""
    source = Path(tiny.folder) / "ledger" / "emit.jsonl"  # type: ignore[attr-defined]
    path = tmp_path / "emit.jsonl"
    path.write_bytes(source.read_bytes())
    with path.open("rb") as stream:
        rows = [line[7:-79] for line, _ in lines(stream)]
    name = json.loads(rows[0])["ledger_id"]
    (tmp_path / "head.ckpt").write_text(Checkpoint(name, len(rows), root(rows)).text)
    (tmp_path / "early.ckpt").write_text(Checkpoint(name, 4, root(rows[:4])).text)
    return path


def test_a_row_is_proven_and_the_proof_is_checked_without_the_ledger(run_command: RunCommand, ledger: Path) -> None:
    row = json.loads(ledger.read_text().splitlines()[5])["row"]["content"]["signal_id"]
    out, head = ledger.parent / "row.json", ledger.parent / "head.ckpt"
    done = run_command("prove", ledger, "--row", row, "--out", out, "--json")
    assert done.code == 0, done.err
    proof = json.loads(done.out)["proof"]
    assert (proof["index"], json.loads(proof["row"])["content"]["signal_id"]) == (5, row)
    assert len(json.loads(done.out)["unchecked"]) == 1
    checked = run_command("prove", "--check", out, "--checkpoint", head, "--json")
    assert (checked.code, json.loads(checked.out)["unchecked"]) == (0, [])
    out.write_text(json.dumps({**proof, "row": proof["row"].replace('"net_bps":"', '"net_bps":"1')}))
    refused(run_command("prove", "--check", out), 16, "leads to its root")
    refused(run_command("prove", ledger, "--row", "no-such-row"), 3, "no-such-row")


def test_an_earlier_size_is_a_prefix_and_another_checkpoint_is_refused(run_command: RunCommand, ledger: Path) -> None:
    rows = len(ledger.read_text().splitlines())
    early, head = ledger.parent / "early.ckpt", ledger.parent / "head.ckpt"
    both = ("--checkpoint", early, "--checkpoint", head)
    done = run_command("prove", ledger, "--consistent", 4, rows, *both, "--json")
    assert (done.code, json.loads(done.out)["unchecked"]) == (0, [])
    early.write_text(early.read_text().replace("\n4\n", "\n5\n"))
    refused(run_command("prove", ledger, "--consistent", 5, rows, *both, "--quiet"), 16, "checkpoint of 5 rows")
    refused(run_command("prove", ledger, "--consistent", 5, rows + 1), 2, "A <= B")
    refused(run_command("prove", ledger), 2, "--row")


def test_a_signed_checkpoint_is_verified_with_its_key(run_command: RunCommand, ledger: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    folder = ledger.parent
    made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(made)
    done = run_command("sign", folder / "head.ckpt", "--key", folder / "key.pem", "--quiet", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    (folder / "key.txt").write_text(said["key"] + "\n")
    call = ("verify", ledger, "--checkpoint", said["note"], "--key", folder / "key.txt", "--quiet")
    assert run_command(*call).code == 0
    note = Path(said["note"])
    note.write_text(note.read_text().replace("\n4\n", "\n5\n").replace("AAAA", "AAAB")[:-5] + "AAA=\n")
    assert run_command(*call).code == 17


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_a_time_stamp_is_verified_offline_and_kept_as_an_anchor(run_command: RunCommand, ledger: Path) -> None:
    folder, head = ledger.parent, ledger.parent / "head.ckpt"
    authority(folder)
    call = ("anchor", head, "--anchors", folder / "anchors.jsonl")
    assert run_command(*call, "--request", folder / "head.tsq").code == 0
    answered(folder, folder / "head.tsq", folder / "head.tsr")
    answer = ("--answer", folder / "head.tsr", "--ca", folder / "ca.pem")
    done = run_command(*call, *answer, "--json")
    assert done.code == 0, done.err
    kept = json.loads(done.out)["anchor"]
    assert (kept["method"], kept["reference"].startswith("RFC 3161")) == ("registry", True)
    assert kept["at_us"] > 1_700_000_000_000_000
    run_command(*call, *answer)
    assert len((folder / "anchors.jsonl").read_text().splitlines()) == 1  # the same answer once
    verified = run_command("verify", ledger, "--checkpoint", head, "--anchors", folder / "anchors.jsonl", "--quiet")
    assert verified.code == 0, verified.out
    refused(run_command("anchor", folder / "early.ckpt", *answer, "--quiet"), 18, "refused")


def test_a_proof_of_opentimestamps_is_of_this_file_and_the_rest_is_unchecked(
    run_command: RunCommand, ledger: Path
) -> None:
    from hashlib import sha256

    folder, head = ledger.parent, ledger.parent / "head.ckpt"
    magic = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94\x01\x08"
    (folder / "head.ckpt.ots").write_bytes(magic + sha256(head.read_bytes()).digest() + b"\xf0")
    call = ("--answer", folder / "head.ckpt.ots", "--anchors", folder / "anchors.jsonl", "--json", "--quiet")
    done = run_command("anchor", head, *call)
    assert done.code == 0, done.err
    assert json.loads(done.out)["anchor"]["method"] == "ots"
    assert "unchecked" in json.loads(done.out)["unchecked"][0]
    refused(run_command("anchor", folder / "early.ckpt", *call), 18, "early.ckpt")


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder: Path) -> None:
    """A time-stamp authority of the test's own: its certificate signs itself, and is trusted as ca.pem."""
    (folder / "tsa.cnf").write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=Test Authority\n"
        "[ext]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
        f"[one]\nserial={folder}/serial\ncrypto_device=builtin\nsigner_cert={folder}/ca.pem\n"
        f"certs={folder}/ca.pem\nsigner_key={folder}/tsa.key\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\n"
        "digests=sha256\naccuracy=secs:1\nordering=yes\ntsa_name=yes\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n"
    )
    (folder / "serial").write_text("01\n")
    key = ("-newkey", "rsa:2048", "-nodes", "-keyout", folder / "tsa.key")
    openssl("req", "-x509", *key, "-days", 2, "-config", folder / "tsa.cnf", "-out", folder / "ca.pem")


def answered(folder: Path, request: Path, answer: Path) -> None:
    openssl("ts", "-reply", "-queryfile", request, "-config", folder / "tsa.cnf", "-section", "one", "-out", answer)
