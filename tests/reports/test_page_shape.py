"""A page with names as hostile as names can be: no control character in it, and no wider than the window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.load import load
from reports.render import render
from tests.helpers.small_run import Tiny
from tests.reports.verifier.chromium import Browser

LONG = "x" * 1000
CONTROLS = "\x1b[31m\x00\x9b\u202e\u2066\u200b"


@pytest.fixture(scope="module")
def pages(tiny: Tiny) -> tuple[str, str]:
    """Page and Markdown of a run whose title, choices, amendments and sources bring controls and a word of 1,000."""
    run = load(tiny.folder)
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
