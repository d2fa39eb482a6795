"""The page and Python on what a reader brings along: the same codes, states and words.  [audit 7.3, 8.6.8]"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from backtest.audit.signed_notes import COSIGNATURE, ED25519, sign_note
from backtest.audit.verify_ledger import trusted_inputs, verify_with_emit
from engine.ledger.chain import append, open_ledger
from engine.ledger.format.canonical_json import canonical
from tests.helpers.ledgers import genesis, resolution, signal
from tests.helpers.witnesses import LINES, NAME, SEED, claim, cosigned, key
from tests.reports.verifier.chromium import Page
from tests.reports.verifier.inpage import report, verify


def anchor(note: bytes, size: int) -> bytes:
    """The line that says a witness saw the checkpoint file ``note`` of ``size`` rows."""
    content = {"schema": "anchor/1", "ledger_id": NAME, "size": size, "checkpoint_sha256": sha256(note).hexdigest()}
    told = {"method": "witness", "reference": "w", "at_us": 1, "evidence_sha256": None}
    return canonical(content | told) + b"\n"


def test_both_say_the_same_of_witnesses_and_of_checkpoints_of_few_rows(open_page: Page, tmp_path: Path) -> None:
    """A witness of this size, of another, a publisher, two keys of one name; checkpoints of nothing, one row, all."""
    keys = [key("w", COSIGNATURE), key("w", ED25519)]
    plain = sign_note(claim(4), "w", SEED)
    twice = (plain + cosigned(claim(3)).decode().split("\n\n")[1]).encode()
    cases = [
        (cosigned(claim(4)), 4, 0), (cosigned(claim(1)), 4, 18), (cosigned(claim(1)), 1, 0), (plain.encode(), 4, 0),
        (twice, 4, 17), (claim(0).encode(), None, 0), (claim(1).encode(), None, 0), (claim(4).encode(), None, 0),
    ]  # fmt: skip
    lines, batch, expected = b"".join(LINES), [], []
    for note, size, code in cases:
        given = {"checkpoints": [note]}
        if size is not None:
            given |= {"key": ["\n".join(one.text for one in keys).encode()], "anchors": [anchor(note, size)]}
        batch.append({"emit": [lines], **given})
        for name, data in (("emit", [lines]), *given.items()):
            (tmp_path / name).write_bytes(data[0])
        found = trusted_inputs(
            [tmp_path / "checkpoints"], *(([tmp_path / "key"], tmp_path / "anchors") if size else ([], None))
        )
        expected.append(verify_with_emit(tmp_path / "emit", None, found).report)
        assert code == expected[-1].exit
    for result, python in zip(verify(open_page, batch), expected, strict=True):
        page = report(result, "emit")
        assert python.exit == page["exit"], page["reason"]
        assert [one["status"] for one in python.anchors] == [one["status"] for one in page["anchors"]]
        assert [one["status"] for one in python.checkpoints] == [one["status"] for one in page["checkpoints"]]
        assert [one for one in python.unchecked if "newest" in one] == [
            one for one in page["unchecked"] if "newest" in one
        ]


def test_both_refuse_an_emit_ledger_that_emits_nothing(open_page: Page, tmp_path: Path) -> None:
    """A resolution ledger that another one names as its emit ledger is code 15 in both."""
    head, first = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id="0" * 8 + NAME[8:]))
    done = append(head, "resolution", [resolution(signal(0), "a" * 64)])
    name, digest = list(done.head.rows.items())[-1]
    start, line = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id=head.ledger_id))
    rows = append(start, "resolution", [resolution(signal(1) | {"signal_id": name}, digest)])
    emit, outcomes = b"".join([first, *done.lines]), b"".join([line, *rows.lines])
    (tmp_path / "emit").write_bytes(emit)
    (tmp_path / "outcomes").write_bytes(outcomes)

    [result] = verify(open_page, [{"emit": [emit], "resolution": [outcomes]}])

    python = verify_with_emit(tmp_path / "outcomes", tmp_path / "emit", trusted_inputs([], [], None)).report
    assert (python.exit, python.exit) == (15, report(result, "resolution")["exit"])
