"""What the page says where readers go wrong most easily: nothing in a file, two files that do not belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.ledger.chain import append, open_ledger
from tests.helpers.ledgers import genesis, ledger, signals
from tests.reports.verifier.chromium import Page
from tests.reports.verifier.conftest import check, give
from tests.reports.verifier.test_agreement import resolutions

KEEP = "document.querySelectorAll('pre[aria-label=\"checkpoint of this ledger\"]').length"
FOCUS = "document.activeElement.id"
NOTICE = "document.getElementById('notice').textContent"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A signals ledger of another study, of the same name as `emit`."""
    path = tmp_path / "other" / "emit.jsonl"
    path.parent.mkdir()
    head, first = open_ledger(genesis(study="another study"))
    path.write_bytes(first + b"".join(append(head, "signal", signals(3)).lines))
    return path


def test_an_empty_file_is_said_to_be_empty(page: Page, tmp_path: Path) -> None:
    empty = tmp_path / "emit.jsonl"
    empty.write_bytes(b"")
    text = check(page, empty)
    assert "The file is empty: there is no ledger in it." in text
    assert "Ask for the file again." in text
    assert "removed, inserted, moved" not in text


def test_a_file_that_is_no_ledger_is_not_said_to_have_rows_before_its_first(page: Page, tmp_path: Path) -> None:
    garbage = tmp_path / "emit.jsonl"
    garbage.write_bytes(bytes(range(256)) * 9)
    text = check(page, garbage)
    assert "Row 0, the very first, does not hold (malformed row). Nothing of this file was accepted." in text


def test_ledgers_that_are_no_pair_are_said_to_be_none(page: Page, emit: Path, other: Path, tmp_path: Path) -> None:
    """Each may be whole by itself; with its own partner the same outcomes hold."""
    outcomes = tmp_path / "resolution.jsonl"
    outcomes.write_bytes(resolutions(emit.read_bytes()))
    text = check(page, other, outcomes)
    assert "The two ledgers do not belong together" in text
    assert "each outcome names the row of its signal in the emit ledger" in text
    page.run("document.getElementById('clear').click()")
    assert "do not belong together" not in check(page, emit, outcomes)


def test_a_ledger_that_fails_against_a_checkpoint_is_not_offered_as_one(page: Page, emit: Path, tmp_path: Path) -> None:
    """Whoever kept the three lines of a cut ledger would vouch for the cut."""
    check(page, emit)
    assert page.run(KEEP) == 1
    kept = tmp_path / "6.ckpt"
    kept.write_text(page.run("document.querySelector('article pre').textContent"), encoding="utf-8")
    emit.write_bytes(b"".join(ledger(3)))
    assert "the ledger was cut" in check(page, emit, kept)
    assert page.run(KEEP) == 0


def test_a_checkpoint_of_another_ledger_names_itself_once(page: Page, emit: Path, other: Path, tmp_path: Path) -> None:
    check(page, other)
    kept = tmp_path / "4.ckpt"
    kept.write_text(page.run("document.querySelector('article pre').textContent"), encoding="utf-8")
    name = kept.read_text().split("\n")[0].removeprefix("cme-audit/")
    page.run("document.getElementById('clear').click()")
    assert f"4.ckpt: it is of ledger {name}, which was not given" in check(page, emit, kept)
    assert "4.ckpt: 4.ckpt" not in page.run("document.body.innerText")


def test_a_file_that_takes_the_place_of_another_is_named(page: Page, emit: Path, other: Path) -> None:
    """The same file twice is one file; another one of the same name is no second copy without being asked for."""
    give(page, [emit])
    give(page, [emit])
    assert page.run(NOTICE) == ""
    give(page, [other])
    assert page.run(NOTICE).startswith("In the place of a file given before: emit.jsonl.")
    assert page.run("[given.emit.size, given.copy]") == [other.stat().st_size, None]


def test_without_a_ledger_the_page_says_what_is_missing(page: Page, emit: Path, tmp_path: Path) -> None:
    kept = tmp_path / "6.ckpt"
    kept.write_text("cme-audit/x\n6\n", encoding="utf-8")
    assert page.run("document.getElementById('need').hidden")
    give(page, [kept])
    assert not page.run("document.getElementById('need').hidden")
    give(page, [emit])
    assert page.run("document.getElementById('need').hidden")


def test_the_focus_is_never_lost_with_a_button(page: Page, emit: Path) -> None:
    """Stop and Clear vanish or rest once pressed: the words about it, or the next thing to do, have the focus then."""
    give(page, [emit])
    page.run("busy.on = true; showFiles(); document.getElementById('stop').focus(); 0")
    page.run("document.getElementById('stop').click()")
    assert page.run(FOCUS) == "notice"
    assert page.run(NOTICE) == "Stopped. Nothing was decided."
    page.run("document.getElementById('clear').focus(); document.getElementById('clear').click()")
    assert page.run(FOCUS) == "pick-all"


def test_the_verdict_reads_as_words_apart(page: Page, emit: Path) -> None:
    """What a screen reader gets is the text, without the space that the style puts between."""
    check(page, emit)
    assert page.run("document.querySelector('.verdict').textContent") == "holds All 6 rows hold, from the first on."
