#!/usr/bin/env bash
# Surprise: Combinatorial purged folds lose whole training folds in some splits and leak labels into the test set in
#   others, because the embargo after one test fold is measured from the end of a later one.
# Who meets it: whoever uses the CPCV of 'Advances in Financial Machine Learning' through this package with two or
#   more test folds.
# Versions: timeseriescv 0.2, numpy 2.4.6, pandas 3.1.1
# Source: timeseriescv/cross_validation.py, embargo: eval_times.iloc[test_indices[:test_fold_end]] cuts the list of
#   test rows by a row number of the whole sample; and if the embargo would end after the sample, none is applied.
# This project: each block of adjacent test folds is purged and embargoed by its own last label
#   (backtest/folds/walk_forward.py, purge), and tests/backtest/folds/test_walk_forward.py holds that no training
#   label meets a block or its embargo.
# Guess before the run: no training label overlaps a test label, and a split loses only the hours next to its test
#   folds.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check timeseriescv==0.2 numpy==2.4.6 pandas==3.1.1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
import pandas as pd
from timeseriescv.cross_validation import CombPurgedKFoldCV

rows, folds, horizon = 120, 6, pd.Timedelta(hours=5)
start = pd.Series(pd.date_range("2026-01-01", periods=rows, freq="h"))
end = start + horizon
frame = pd.DataFrame({"x": np.arange(rows)})
sizes, overlaps = {}, {}
for train, test in CombPurgedKFoldCV(folds, 2).split(frame, start, pred_times=start, eval_times=end):
    pair = tuple(sorted({int(i) // (rows // folds) for i in test}))
    sizes[pair] = len(train)
    overlaps[pair] = sum(bool(((end[i] > start[test]) & (start[i] < end[test])).any()) for i in train)
print("timeseriescv", version("timeseriescv"), "- 6 folds of 20 hours, labels of 5 hours, no embargo")
print("expected: 60 to 80 training rows a split, and 0 that overlap a test label")
print("seen, training rows:", sizes)
print("seen, rows whose label overlaps a test label:", {k: v for k, v in overlaps.items() if v})
assert sizes[(1, 4)] < 40, sizes[(1, 4)]
assert sum(overlaps.values()) == 12, overlaps
PY
