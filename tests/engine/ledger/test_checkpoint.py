"""Checkpoints and anchors: their texts, and what a ledger must give to fit them.  [audit 7]"""

from __future__ import annotations

import io
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LedgerError
from engine.ledger.checkpoint import Checkpoint, parse_checkpoint, roots_at, text_of, write_checkpoint
from engine.ledger.format.canonical_json import canonical
from engine.ledger.verification.anchors import Anchor, against_anchors, parse_anchors
from engine.ledger.verification.verify import Verified, verify_ledger
from tests.helpers.ledgers import cases, ledger

LINES = ledger(8)
ROWS = [line[7:-80] for line in LINES]
NAME = verify_ledger(io.BytesIO(LINES[0])).report.ledger_id or ""


def at(size: int) -> Checkpoint:
    return Checkpoint(NAME, size, roots_at(ROWS, {size})[size])


def refused(code: int, act: Any, *arguments: Any) -> str:
    with pytest.raises(LedgerError) as error:
        act(*arguments)
    assert code == error.value.exit_code
    return str(error.value)


def test_the_shared_checkpoints_are_read_and_written_back() -> None:
    """Formatting is the inverse of parsing on every checkpoint of the shared cases."""
    texts = {case["checkpoint"] for case in cases("ledger_cases") if case["checkpoint"]}

    assert len(texts) > 2
    for text in texts:
        assert text == parse_checkpoint(text).text


@settings(deadline=None)
@given(st.uuids(version=5), st.integers(0, 2**53 - 1), st.binary(min_size=32, max_size=32))
def test_every_checkpoint_survives_its_text(name: Any, size: int, root: bytes) -> None:
    """Parsing is the inverse of formatting."""
    claim = Checkpoint(str(name), size, root)

    assert claim == parse_checkpoint(claim.text)


@pytest.mark.parametrize(
    "bend",
    [
        lambda t: t[:-1],
        lambda t: t + "\n",
        lambda t: t + "extension\n",
        lambda t: t.replace("\n9\n", "\n09\n"),
        lambda t: t.replace("\n9\n", "\n+9\n"),
        lambda t: t.replace("\n9\n", "\n\u0669\n"),
        lambda t: t.replace("\n9\n", "\n99999999999999999\n"),
        lambda t: t.replace("cme-audit/", "cme-audit"),
        lambda t: t.replace(NAME, NAME.upper()),
        lambda t: t.replace("=", ""),
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t[:-4] + "B=\n",
        lambda t: "",
    ],
)
def test_what_the_formatter_would_not_have_written_is_no_checkpoint(bend: Any) -> None:
    """Leading zeros, other digits, other base64 of the same bytes, extensions and line ends are refused."""
    text = at(9).text
    assert bend(text) != text

    refused(16, parse_checkpoint, bend(text))


def test_a_note_of_any_size_or_encoding_is_refused_without_harm() -> None:
    """A file over the limit and text that is no UTF-8 are refused."""
    refused(16, text_of, b"x" * 70_000)
    refused(16, text_of, b"\xff")


def test_a_checkpoint_is_written_once_and_only_of_a_ledger_that_grew(tmp_path: Path) -> None:
    """The newest earlier checkpoint must be a prefix; a cut, rewritten or shorter ledger writes nothing."""
    folder = tmp_path / "checkpoints"
    path = write_checkpoint(folder, at(4), lambda: ROWS[:4])
    assert folder / NAME / "4.ckpt" == path
    assert path == write_checkpoint(folder, at(4), lambda: ROWS)
    write_checkpoint(folder, at(9), lambda: ROWS, lambda text: text + "\n\u2014 someone c2lnbmVk\n")
    assert at(9) == parse_checkpoint(text_of((folder / NAME / "9.ckpt").read_bytes()))

    forked = [*ROWS[:8], ROWS[8] + b" ", ROWS[1]]
    other = Checkpoint(NAME, 10, roots_at(forked, {10})[10])
    assert "history changed" in refused(16, write_checkpoint, folder, other, lambda: forked)
    refused(16, write_checkpoint, folder, at(5), lambda: ROWS[:5])
    refused(16, write_checkpoint, folder, at(5), lambda: ROWS)
    refused(16, write_checkpoint, tmp_path / "new", Checkpoint(NAME, 4, b"x" * 32), lambda: ROWS)
    assert sorted(p.name for p in (folder / NAME).iterdir()) == ["4.ckpt", "9.ckpt"]


def anchor(**fields: Any) -> Anchor:
    given = {
        "ledger_id": NAME,
        "size": 4,
        "checkpoint_sha256": sha256(at(4).text.encode()).hexdigest(),
        "method": "git_tag",
        "reference": "freeze/study",
        "at_us": 1,
        "evidence_sha256": None,
    }
    return Anchor(**{**given, **fields})


def line(**fields: Any) -> bytes:
    one = anchor()
    document = {name: getattr(one, name) for name in Anchor.__slots__}
    return canonical({"schema": "anchor/1", **document, **fields}) + b"\n"


def checked(*anchors: Anchor, lines: list[bytes] = LINES, files: Any = None) -> Any:
    found: Verified = verify_ledger(io.BytesIO(b"".join(lines)), sizes={a.size for a in anchors})
    return against_anchors(found.report, anchors, found.roots, files or {})


def test_anchors_are_closed_canonical_lines() -> None:
    """A line of the format is read; another spelling, field, method or a torn end is code 18."""
    assert (anchor(),) == parse_anchors([line()])
    for wrong in (b" " + line(), line()[:-1], line(method="blog"), line(note=1), line(size=-1), b"{}\n", b"\xff\n"):
        assert "line 0" in refused(18, parse_anchors, [wrong])


def test_an_anchor_that_fits_is_still_unchecked() -> None:
    """That the ledger gives the anchored checkpoint is not the outside evidence: never ``ok``.  [audit 7.3]"""
    report = checked(anchor())

    assert report.exit == 0
    assert [entry["status"] for entry in report.anchors] == ["unchecked"]
    assert any("git_tag" in note for note in report.unchecked)


def test_a_witness_whose_key_signed_the_anchored_file_is_ok() -> None:
    """With the signed checkpoint at hand and its signature by that witness verified, the anchor holds."""
    signed = anchor(method="witness", reference="witness.example/w", checkpoint_sha256="7" * 64)

    assert checked(signed, files={"7" * 64: frozenset({"witness.example/w"})}).anchors[0]["status"] == "ok"
    assert checked(signed, files={"7" * 64: frozenset({"another"})}).anchors[0]["status"] == "unchecked"
    assert checked(signed).exit == 18


def test_a_rewritten_a_cut_and_an_unanchored_ledger_fail() -> None:
    """Another checkpoint hash, more rows than there are, and no anchor at all are code 18."""
    assert checked(anchor(checkpoint_sha256="0" * 64)).exit == 18
    assert checked(anchor(size=9), lines=LINES[:5]).exit == 18
    assert checked(anchor(ledger_id="0" * 8 + NAME[8:])).exit == 18
    assert checked().exit == 18


def test_a_bad_row_stands_before_an_anchor_beyond_it() -> None:
    """Where a row is bad its code stays, and an anchor of more rows than hold is unchecked."""
    report = checked(anchor(size=8), lines=[*LINES[:5], LINES[6]])

    assert (report.exit, report.first_bad_row) == (12, 5)
    assert report.anchors[0]["status"] == "unchecked"
