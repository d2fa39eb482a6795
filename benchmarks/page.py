"""docs/performance.md: written from what the questions measured, as kept in benchmarks/results.

A question is a file here: its docstring asks, its ``rows()`` measures.  ``results/NAME.json`` keeps the rows with the
machine and the commit they were taken on; ``results/NAME.md``, where there is one, is printed below them.
"""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import HEADER, Row, cells_of, machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
HEAD = """# Performance

Written by `python benchmarks/all.py`; do not edit. Ratios, each taken in one run: work and yardstick take turns on the
same machine, so that both meet the same neighbours. The ratio is the median over the turns, the middle half its
quartiles. CPU time is of the process and its threads, rates are for a second of it; where wall time was meant, the row
says so.
"""


def keep(name: str, rows: Sequence[Row]) -> None:
    """Keep the rows of one question with the facts of the machine; a question without rows keeps what it had."""
    if not rows:
        return
    RESULTS.mkdir(exist_ok=True)
    facts = {"machine": machine(), "date": datetime.now(UTC).date().isoformat(), "commit": _commit()}
    text = json.dumps({**facts, "rows": [asdict(row) for row in rows]}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def page(questions: Sequence[str]) -> str:
    """Return the page: one table of all rows, then what was asked, where it was measured, and remarks."""
    kept = {name: found for name in questions if (found := _kept(name))}
    table = [_line(HEADER), _line(["---"] * len(HEADER))]
    table += [_line(cells_of(Row(**row))) for found in kept.values() for row in found["rows"]]
    sections = [_section(name, found) for name, found in kept.items()]
    return "\n".join([HEAD, *table, "", *sections])


def _section(name: str, found: dict) -> str:
    remarks = RESULTS / f"{name}.md"
    below = f"\n{remarks.read_text(encoding='utf-8').strip()}\n" if remarks.exists() else ""
    where = f"{found['machine']}; {found['date']}, commit {found['commit']}."
    return f"## {name}\n\n{_question(name)}\n\n`python benchmarks/all.py {name}`: {where}\n{below}"


def _question(name: str) -> str:
    """Return the first paragraph of the question's docstring, without running its file."""
    text = ast.get_docstring(ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def _kept(name: str) -> dict | None:
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
