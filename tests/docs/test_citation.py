"""CITATION.cff serves those who cite the program: required keys, and the registered page with its year."""

from __future__ import annotations

import re
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "CITATION.cff").read_text(encoding="utf-8")
FILE, _, PAGE = TEXT.partition("\nreferences:\n")


def value(text: str, key: str) -> str:
    """The text of a key that is there once, quotes taken off."""
    (found,) = re.findall(rf"^\s*(?:- )?{key}:[ ]*(.*)$", text, re.MULTILINE)
    return str(found).strip('"')


def test_the_keys_that_the_format_requires_are_there() -> None:
    """Of the file: version of the format, message, title, authors; of a work: type, title, authors.  [CFF 1.2.0]"""
    assert value(FILE, "cff-version") == "1.2.0"
    assert all(value(FILE, key) for key in ("message", "title"))
    assert all(value(PAGE, key) for key in ("type", "title"))
    assert value(FILE, "authors") == value(PAGE, "authors") == ""


def test_the_page_is_cited_with_its_number_and_date() -> None:
    """The date is that of its filing, as the page names it: a citation without a year cannot be printed."""
    assert value(PAGE, "title").startswith(f"AsPredicted #{value(PAGE, 'number')}: ")
    assert value(PAGE, "number") == "288615"
    assert value(PAGE, "issue-date") == "2026-05-01"
    assert value(PAGE, "issue-date") == f"{value(PAGE, 'year')}-{int(value(PAGE, 'month')):02}-01"
