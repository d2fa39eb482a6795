"""docs/covenants.md is what its sentences and figures say, and every sentence has an answer.  [covenants 10]"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

STATUS = {"measured", "vector", "built", "not testable", "outside", "no claim"}
WITHOUT_A_FIGURE = ["K5", "T4"]
"""Sentences whose figures are those of the comparison table on the same page."""
DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_fresh() -> None:
    done = subprocess.run([sys.executable, str(DOCS / "covenants.py"), "--check"], check=False)

    assert done.returncode == 0, "run python docs/covenants.py"


def test_every_sentence_has_a_mechanism_and_an_answer() -> None:
    rows = list(
        csv.reader((DOCS / "covenants-sentences.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t")
    )[1:]

    assert len({row[0] for row in rows}) == len(rows) >= 60
    assert all(len(row) == 5 and all(cell.strip() for cell in row) for row in rows)
    assert {row[3] for row in rows} <= STATUS
    # What is measured has a figure of a run: a name in braces.
    assert [row[0] for row in rows if row[3] == "measured" and "{" not in row[4]] == WITHOUT_A_FIGURE
