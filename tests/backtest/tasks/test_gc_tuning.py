"""Fewer collections: a process of its own is asked, for the setting is a process's.  Rule: [S8.5]."""

from __future__ import annotations

import subprocess
import sys

ASKED = """
import gc
from backtest.tasks.gc_tuning import THRESHOLDS, collect_seldom
passes = []
gc.callbacks.append(lambda phase, info: passes.append(info["generation"]) if phase == "start" else None)
def records():
    passes.clear()
    kept = [(n,) for n in range(200_000) for n in [[n]]]
    return len(passes)
before = records()
collect_seldom()
after = records()
class Ring: pass
for _ in range(3 * THRESHOLDS[0]):
    ring = Ring(); ring.own = ring
print(before, after, gc.get_freeze_count() > 0, len(gc.get_objects()) < 2.5 * THRESHOLDS[0])
"""


def test_records_are_walked_seldom_and_cycles_are_freed_nevertheless() -> None:
    said = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True).stdout.split()
    before, after = map(int, said[:2])
    assert after * 20 < before
    assert said[2:] == ["True", "True"]
