"""Words that a reader would have to ask for: at their first place on the page, and in a section of their own.

Their one source is docs/glossary.md; this file only says which of them the page uses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from engine.errors import MissingError
from reports.base import Block, Points, Section, Table
from reports.citation import Cited, key_name, sourced
from reports.load import Run

FILE = "docs/glossary.md"
FIRST = ("package", "grade", "joint loss", "N1, N2, N3", "sleeve")
"""Words of the answers and of their risks, which come before any section could explain them."""
OTHERS = (
    "block", "capture", "certificate", "confirmatory", "dislocation", "episode", "expected value (EV)", "fold",
    "funnel", "gross, net", "leg", "look", "placebo entry", "plant", "quarantine", "refill window", "tail-fragile",
    "violation",
)  # fmt: skip
_ROW = re.compile(r"\| (?P<term>[^|]+) \| (?P<meaning>[^|]+) \| (?P<rule>[^|]+) \| [^|]+ \|")


def first_words() -> Block:
    """Return the words of the answers, each with its meaning."""
    known = meanings()
    return Points(
        "Words of the answers above",
        tuple(Cited("{}: {}.").format(term, known[term][0]) for term in FIRST),
    )


def build(run: Run) -> Sequence[Block]:
    """Return every word that the page uses and explains, in the order of the alphabet; the same for every run."""
    del run
    known = meanings()
    rows = tuple((term, *known[term]) for term in sorted((*FIRST, *OTHERS), key=str.lower))
    return [Table("Words of this page", ("word", "meaning", "where the method has it"), rows)]


def meanings() -> dict[str, tuple[str, str]]:
    """Return meaning and rule of each term of the glossary.  Raises ``MissingError`` (3) where it cannot be read."""
    path = Path(__file__).resolve().parents[2] / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise MissingError(f"expected {FILE} in the checkout, was: {problem}; restore it with git") from problem
    return {
        row["term"]: (sourced(row["meaning"].replace("`", ""), f"{FILE}: {key_name(row['term'])}"), row["rule"])
        for row in map(_ROW.fullmatch, text.split("\n"))
        if row is not None
    }


SECTION = Section("glossary", "Words", "", build)
