"""Words that a reader would have to ask for: at their first place on the page, and in a section of their own.

Their one source is reports/glossary.toml, of which docs/glossary.md is made; this file says which the page uses.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from reports.base import Block, Points, Section, Table
from reports.citation import Cited, key_name, sourced
from reports.load import Run

FILE = "reports/glossary.toml"
FIRST = ("package", "grade", "joint loss", "N1, N2, N3", "sleeve")
"""Words of the answers and of their risks, which come before any section could explain them."""
OTHERS = (
    "block", "capture", "certificate", "confirmatory", "dislocation", "episode", "expected value (EV)", "fold",
    "funnel", "gross, net", "leg", "look", "placebo entry", "plant", "quarantine", "refill window", "tail-fragile",
    "violation",
)  # fmt: skip


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
    """Return meaning and rules of each term of the glossary."""
    text = (Path(__file__).resolve().parents[2] / FILE).read_text(encoding="utf-8")
    return {
        row["name"]: (
            sourced(row["meaning"].replace("`", ""), f"{FILE}: {key_name(row['name'])}"),
            ", ".join(row["rules"]),
        )
        for row in tomllib.loads(text)["term"]
    }


SECTION = Section("glossary", "Words", "", build)
