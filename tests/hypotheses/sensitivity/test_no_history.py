"""A plan whose history starts with its window: the first folds have no day to train on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from backtest.records import Fold
from backtest.registration.load import load_registration
from engine.units import NS_PER_DAY
from hypotheses.exposure import DISLOCATION_KEY
from hypotheses.sensitivity.pruned import kept_by
from tests.helpers import small_run


def test_a_fold_without_a_training_day_has_too_little_of_every_sleeve(tmp_path: Path) -> None:
    """The gap before the first fold reaches back past the start of history."""
    registration = load_registration(small_run.write_config(tmp_path))
    plan = replace(registration.plan, history_ns=registration.plan.t0_ns)
    sleeves = [SimpleNamespace(code=code) for code in ("C1", "C6")]
    judged: Any = SimpleNamespace(plan=plan, registration=registration, run=SimpleNamespace(sleeves=sleeves))
    none = np.empty(0, dtype=np.int64)
    first = Fold(0, plan.t0_ns, plan.t0_ns + plan.fold_ns, none, none)
    labels = pd.DataFrame(dict.fromkeys([*DISLOCATION_KEY, "status", "t_ns", "t1", "net_usd_micro"], none))

    assert plan.gap_ns >= NS_PER_DAY
    assert kept_by(judged, first, labels) == {"C1": "too little", "C6": "too little"}
