#!/usr/bin/env bash
# Surprise: Holm's correction rejects a hypothesis whose p-value is NaN, if the others are small; Benjamini-Hochberg
#   turns every adjusted p-value to NaN and still marks rejections.
# Who meets it: whoever tests several strategies one of which had no trades, so that its t-statistic and p-value are
#   NaN.
# Versions: statsmodels 0.15.0, numpy 2.4.6, pandas 3.1.1, scipy 1.17.1
# Source: statsmodels/stats/multitest.py, multipletests: NaN sorts last and counts in m; the step-down asks for the
#   first p > alpha / k, which NaN never is. scipy's false_discovery_control refuses.
# This project: Holm takes exact fractions (hypotheses/statistics/multiplicity.py), so a NaN cannot enter; a sleeve
#   with too little to judge stays in the family with p = 1 (hypotheses/h3.py, _holm).
# Guess before the run: the NaN is either refused, or left out and never rejected.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check statsmodels==0.15.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import numpy as np
import statsmodels
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

p = [0.001, np.nan, 0.01]
holm_reject, holm_p, *_ = multipletests(p, alpha=0.05, method="holm")
bh_reject, bh_p, *_ = multipletests(p, alpha=0.05, method="fdr_bh")
print("statsmodels", statsmodels.__version__)
print("expected: the hypothesis without a p-value is not rejected")
print("seen, holm:  ", holm_reject.tolist(), holm_p.tolist())
print("seen, fdr_bh:", bh_reject.tolist(), bh_p.tolist())
assert holm_reject.tolist() == [True, True, True], holm_reject
assert np.isnan(holm_p[1]) and abs(holm_p[2] - 0.02) < 1e-12, holm_p
assert np.isnan(bh_p).all() and bh_reject.tolist() == [True, False, True], (bh_reject, bh_p)
try:
    false_discovery_control(p)
    raise SystemExit("scipy accepted NaN")
except ValueError as error:
    print("scipy refuses:", error)
PY
