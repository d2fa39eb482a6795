"""A ledger file against what its reader holds: checkpoints, witnesses, an emit ledger.  [audit 7, 8]"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from backtest.audit.signed_notes import COSIGNATURE, ED25519, Key, sign_note
from backtest.audit.verify_ledger import BEHIND, TrustedInputs, verify_file, verify_with_emit
from engine.ledger.chain import append, open_ledger
from engine.ledger.verification.anchors import Anchor
from engine.ledger.verification.verify import Report
from tests.helpers.ledgers import genesis, resolution, signal
from tests.helpers.witnesses import LINES, NAME, SEED, claim, cosigned, key


def verified(folder: Path, note: bytes, keys: tuple[Key, ...] = (), anchored: int | None = None) -> Report:
    """The report of the ledger of three signals against one checkpoint file and an anchor of it."""
    path = folder / "emit.jsonl"
    path.write_bytes(b"".join(LINES))
    anchors = None
    if anchored is not None:
        anchors = (Anchor(NAME, anchored, sha256(note).hexdigest(), "witness", "w", 1, None),)
    return verify_file(path, TrustedInputs((("kept.ckpt", note),), keys, anchors)).report


def test_rows_behind_the_newest_checkpoint_are_told(tmp_path: Path) -> None:
    """A checkpoint of nothing or of the genesis holds and fixes none of the signals; one of all rows leaves no word."""
    for size, left in ((0, 4), (1, 3), (4, 0)):
        report = verified(tmp_path, claim(size).encode())
        assert report.exit == 0
        assert [note for note in report.unchecked if BEHIND in note] == [
            f"{left} of the rows came after the newest checkpoint: {BEHIND}" for _ in range(left and 1)
        ]


def test_a_witness_of_one_size_is_none_of_another(tmp_path: Path) -> None:
    """A cosigned checkpoint of row 0 under an anchor that says four rows is code 18; under its own size it is ok."""
    keys = (key("w", COSIGNATURE),)
    early, whole = cosigned(claim(1)), cosigned(claim(4))

    assert [entry["status"] for entry in verified(tmp_path, whole, keys, 4).anchors] == ["ok"]
    report = verified(tmp_path, early, keys, 4)
    assert (report.exit, [entry["status"] for entry in report.anchors]) == (18, ["failed"])
    assert "kept.ckpt" in str(report.reason)


def test_a_publisher_is_no_witness_of_itself(tmp_path: Path) -> None:
    """An ordinary signature says who published; only a cosignature says that a second party looked.  [audit 7.3]"""
    note = sign_note(claim(4), "w", SEED).encode()

    report = verified(tmp_path, note, (key("w", ED25519),), 4)

    assert [entry["status"] for entry in report.signatures] == ["ok"]
    assert [entry["status"] for entry in report.anchors] == ["unchecked"]


def test_a_second_bad_signature_under_one_name_rejects_the_note(tmp_path: Path) -> None:
    """A key that cosigns under the name of one that signs is not passed over: its bad signature is code 17."""
    keys = (key("w", ED25519), key("w", COSIGNATURE))
    other = cosigned(claim(3)).decode().split("\n\n")[1]
    note = sign_note(claim(4), "w", SEED) + other

    assert verified(tmp_path, note.encode(), keys).exit == 17


def test_an_emit_ledger_is_one_that_emits(tmp_path: Path) -> None:
    """A resolution ledger that another one names as its emit ledger resolves nothing (15)."""
    head, first = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id="0" * 8 + NAME[8:]))
    done = append(head, "resolution", [resolution(signal(0), "a" * 64)])
    emit = tmp_path / "emit.jsonl"
    emit.write_bytes(b"".join([first, *done.lines]))
    name, digest = list(done.head.rows.items())[-1]
    start, line = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id=head.ledger_id))
    rows = append(start, "resolution", [resolution(signal(1) | {"signal_id": name}, digest)])
    path = tmp_path / "resolution.jsonl"
    path.write_bytes(b"".join([line, *rows.lines]))

    report = verify_with_emit(path, emit, TrustedInputs()).report

    assert (report.exit, report.unresolved) == (15, None)
    assert "expected a ledger of kind emit, was one of kind resolution" in str(report.reason)
