"""docs/covenants.md is what its sentences and figures say, and every sentence has an answer.  [covenants 10]"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_fresh() -> None:
    done = subprocess.run([sys.executable, str(DOCS / "covenants.py"), "--check"], check=False)

    assert done.returncode == 0, "run python docs/covenants.py"


def test_every_sentence_has_a_mechanism_and_an_answer() -> None:
    rows = list(
        csv.reader((DOCS / "covenants-sentences.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t")
    )[1:]

    assert len({row[0] for row in rows}) == len(rows) >= 60
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)
    assert all(row[3].strip() not in ("", "?") for row in rows)
