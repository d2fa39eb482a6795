"""A page with names as hostile as names can be: no control character in it, and no wider than the window."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from reports.load import Run
from reports.render import render
from tests.helpers.small_run import Tiny
from tests.reports.verifier.chromium import Browser

LONG = "x" * 1000
SHEET_PX = 718
"""Width of A4 between margins of 10 mm, at 96 pixels an inch."""
CONTROLS = "\x1b[31m\x00\x9b\u202e\u2066\u200b"


@pytest.fixture(scope="module")
def pages(run: Run) -> tuple[str, str]:
    """Page and Markdown of a run whose title, choices, amendments and sources bring controls and a word of 1,000."""
    text = CONTROLS + LONG
    manifest = {
        **run.manifest,
        "title": text,
        "cannot_say": [text],
        "amendments": [text],
        "sources": [{"name": text, "adapter": text, "verified": "", "notes": [text]}],
    }
    registration = {**run.registration, "choices": [{"item": text, "value": text, "reason": text}]}
    return render(replace(run, manifest=manifest, registration=registration))


def test_no_control_character_reaches_the_page(pages: tuple[str, str]) -> None:
    """Each is its escape, in the page and in its Markdown twin."""
    for text in pages:
        assert text.replace("\n", "").isprintable()
        assert "\\x1b" in text
        assert LONG in text


@pytest.mark.parametrize("width", [1280, 400])
def test_a_word_of_1000_characters_does_not_widen_the_page(
    chromium: Browser, pages: tuple[str, str], tmp_path: Path, width: int
) -> None:
    """The page is as wide as the window; what is wider scrolls inside its own box."""
    path = tmp_path / "report.html"
    path.write_text(pages[0], encoding="utf-8")
    page = chromium.open(path.as_uri(), width)
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("Math.max(...[...document.querySelectorAll('h1, p, li')].map(e => e.scrollWidth))") <= width


def test_print_cuts_nothing_off_and_is_short(chromium: Browser, tiny: Tiny) -> None:
    """On A4 no table, picture or paragraph is wider than the sheet, and the whole page takes fewer than 20."""
    page = chromium.open((tiny.folder / "report.html").as_uri(), SHEET_PX)
    page.ask("Emulation.setEmulatedMedia", media="print")
    parts = "[...document.querySelectorAll('table, svg, p, figure')]"
    wide = f"{parts}.filter(e => e.getBoundingClientRect().right > innerWidth)"
    assert page.run(f"{wide}.map(e => e.innerText || e.tagName)") == []
    page.run("document.querySelector('table').style.width = '60rem';0")
    assert page.run(f"{wide}.length") > 0

    sheets = page.ask("Page.printToPDF", preferCSSPageSize=True, paperWidth=8.27, paperHeight=11.69)
    assert 5 < len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(sheets["data"]))) < 20
