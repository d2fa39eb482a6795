"""All ratios in one table: ``python benchmarks/all.py``.  Nothing here is a test; nothing fails by being slow."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import bootstrap, build, detect, replay
from benchmarks.measure import machine, table

if __name__ == "__main__":
    print(table([row for question in (detect, replay, build, bootstrap) for row in question.rows()]))
    print(machine())
    print("CPU ratio: median over the turns of work to yardstick; middle half: its quartiles.")
