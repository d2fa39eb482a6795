"""The folds of the run, counted again from its tables: labels that trained, labels purged, and the distance.

[statistics 2.1]
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from backtest.folds.walk_forward import walk_forward
from backtest.records import Fold, Plan
from engine.units import NEVER_NS, NS_PER_HOUR
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.labels import all_labels

COLUMNS = (
    Column("fold", "fold", "count"),
    Column("test", "test labels", "count"),
    Column("train", "train labels", "count"),
    Column("purged", "purged", "count"),
    Column("straddling", "of these reach the fold", "count"),
    Column("gap_h", "gap, h", "hours"),
    Column("distance_h", "last train end to first test, h", "hours"),
    Column("longest_h", "longest train label, h", "hours"),
    Column("holds", "train end + gap < test start", "flag"),
    Column("agrees", "as the run counted", "flag"),
)


def build(judged: JudgedRun) -> Part:
    """Return one row a fold; labels that began before it and may not train it are purged."""
    labels = all_labels(judged.folder, judged.run.trades)
    recorded = json.loads((judged.folder / "folds.json").read_text(encoding="utf-8"))["folds"]
    folds = walk_forward(labels["t0"].to_numpy(), labels["t1"].to_numpy(), judged.plan)
    rows = tuple(_row(fold, labels, judged.plan, recorded[fold.index]) for fold in folds)
    return Part(
        (SensitivityTable("Walk-forward folds, audited", COLUMNS, rows),),
        ("Labels are counted from the trade tables alone; the purge of a label looks at its own end.",),
    )


def _row(fold: Fold, labels: pd.DataFrame, plan: Plan, recorded: dict[str, Any]) -> dict[str, Any]:
    t0, t1 = labels["t0"].to_numpy(), labels["t1"].to_numpy()
    before = (t0 >= plan.history_ns) & (t0 < fold.start_ns)
    # >=: an end exactly at start - gap is purged.  [R2.1]
    late = before & (t1 >= fold.start_ns - plan.gap_ns)
    train, test = t1[fold.train], t0[fold.test]
    apart = int(test.min() - train.max()) if len(train) and len(test) else None
    return {
        "fold": fold.index,
        "test": len(test),
        "train": len(train),
        "purged": int(late.sum()),
        "straddling": int((late & (t1 >= fold.start_ns)).sum()),
        "gap_h": plan.gap_ns / NS_PER_HOUR,
        "distance_h": None if apart is None else apart / NS_PER_HOUR,
        "longest_h": float((train - t0[fold.train]).max()) / NS_PER_HOUR if len(train) else None,
        # Strictly, as the rule says: max t1 + gap < min t0.  [statistics 2.6]
        "holds": apart is None or apart > plan.gap_ns,
        "agrees": (len(train), len(test)) == (recorded["train"], recorded["test"]) and NEVER_NS not in train,
    }
