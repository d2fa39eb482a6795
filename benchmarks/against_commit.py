"""Each figure of some questions against the same figure at another commit, in one run.

The other commit is checked out beside this tree (``git worktree``) with the questions of this one, and the two trees
take turns, so that both meet the same neighbours.  A figure is a rate, compared as time a piece: below 1 this tree is
faster; where a row has no rate, the two ratios are compared.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from backtest.gate.freeze.commit_checkout import checked_out
from benchmarks.measure import Row, cells_of

ROOT = Path(__file__).resolve().parent.parent
TURNS = 3
ASK = """
import json, sys
from dataclasses import asdict
from importlib import import_module
sys.path.insert(0, sys.argv[1])
rows = import_module(f"benchmarks.{sys.argv[2]}").rows()
print("\\n" + json.dumps([asdict(row) for row in rows]))
"""
RATE = re.compile(r"([\d.,]+(?:e[+-]?\d+)?) ?([GMk]?) ?\S.*/s")
SIZES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Yield a folder with the tree of ``commit`` and the questions of this tree; it is gone afterwards."""
    with checked_out(ROOT, commit) as folder:
        shutil.rmtree(folder / "benchmarks")
        shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
        yield folder


def ask(tree: Path, question: str) -> list[Row]:
    """Return the rows of ``question`` as the packages in ``tree`` answer it, in a process of its own.

    Raises ``CalledProcessError`` where that tree cannot be asked.
    """
    command = [sys.executable, "-c", ASK, str(tree), question]
    done = subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return [Row(**row) for row in rows]


def seconds_a_piece(row: Row) -> float | None:
    """Return the time that a piece of a row's work took; None where its rate is none."""
    found = RATE.fullmatch(row.rate)
    return 1.0 / (float(found[1].replace(",", "")) * SIZES[found[2]]) if found else None


def compared(here: Sequence[Row], there: Sequence[Row], question: str, commit: str) -> Row:
    """Return the row of one figure: its turns ``here`` against its turns ``there``."""
    times = [(seconds_a_piece(row), seconds_a_piece(other)) for row, other in zip(here, there, strict=True)]
    pairs = [(own, other) for own, other in times if own is not None and other is not None]
    by_rate = len(pairs) == len(times)
    if not by_rate:
        pairs = [(row.ratio, other.ratio) for row, other in zip(here, there, strict=True)]
    ratios = [own / other for own, other in pairs]
    low, high = np.percentile(ratios, [25, 75])
    name = f"{question}: {here[0].work.partition(':')[0]}, against {here[0].yardstick.partition(':')[0]}"
    of_rows = [row.rate if by_rate else f"{row.ratio:.3g}" for row in (here[-1], there[-1])]
    measure = here[0].measure if by_rate else f"ratio of {here[0].measure}"
    return Row(name, of_rows[0], commit, of_rows[1], median(ratios), float(low), float(high), "", measure)


def rows(questions: Sequence[str], commit: str) -> list[Row]:
    """Return a row a figure that both trees have; one that only one of them has is left out, and said on stderr."""
    found: list[Row] = []
    with checkout(commit) as other:
        for question in questions:
            turns: dict[Path, list[list[Row]]] = {ROOT: [], other: []}
            try:
                for turn in range(TURNS):
                    for tree in (ROOT, other) if turn % 2 == 0 else (other, ROOT):
                        turns[tree].append(ask(tree, question))
            except subprocess.CalledProcessError as problem:
                last = (problem.stderr.strip().splitlines() or ["no word"])[-1]
                print(f"{question}: one of the trees cannot be asked: {last:.200}", file=sys.stderr)
                continue
            if len({len(given) for of_tree in turns.values() for given in of_tree}) > 1:
                print(f"{question}: the two trees give other rows", file=sys.stderr)
                continue
            for at in range(len(turns[ROOT][0])):
                here, there = ([given[at] for given in turns[tree]] for tree in (ROOT, other))
                found.append(compared(here, there, question, commit[:12]))
                print("  ".join(cells_of(found[-1])), flush=True)
    return found
