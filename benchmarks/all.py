"""All ratios on one page: docs/performance.md.  Nothing here is a test; nothing fails by being slow.

python benchmarks/all.py                 every light question, then the page
python benchmarks/all.py --heavy         the heavy ones too
python benchmarks/all.py detect workers  these, then the page; the others stand as they were measured last
python benchmarks/all.py --page          the page alone, from benchmarks/results
python benchmarks/all.py against COMMIT detect asof
                                         these against another commit, in one run; the page stays as it is
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import against_commit
from benchmarks.measure import machine, table
from benchmarks.page import PAGE, keep, page

LIGHT = (
    "detect",
    "static_options",
    "replay",
    "asof",
    "build",
    "workers",
    "startup",
    "record",
    "recorder",
    "bootstrap",
    "ledger",
)
"""Questions in the order of the page: each is a file here with ``rows()``, minutes at most."""
HEAVY: tuple[str, ...] = ("storage", "whole", "nulls", "verifier")
"""The same, but they take long or need much room."""


def main() -> None:
    """Measure what was asked for, keep it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", help=f"of {', '.join((*LIGHT, *HEAVY))}; or against COMMIT and some")
    parser.add_argument("--heavy", action="store_true", help="ask the heavy ones too")
    parser.add_argument("--page", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    commit = None
    if asked.questions[:1] == ["against"]:
        if len(asked.questions) < 2:
            parser.error("expected a commit after against, was none")
        commit, asked.questions = asked.questions[1], asked.questions[2:]
    if unknown := sorted(set(asked.questions) - {*LIGHT, *HEAVY}):
        parser.error(f"expected questions of {', '.join((*LIGHT, *HEAVY))}, was {', '.join(unknown)}")
    names = asked.questions or (*LIGHT, *(HEAVY if asked.heavy else ()))
    if commit is not None:
        print(table(against_commit.rows(names, commit)))
        print(machine())
        return
    for name in () if asked.page else names:
        rows = import_module(f"benchmarks.{name}").rows()
        print(table(rows), flush=True)
        keep(name, rows)
    PAGE.write_text(page((*LIGHT, *HEAVY)), encoding="utf-8")
    print(machine())


if __name__ == "__main__":
    main()
