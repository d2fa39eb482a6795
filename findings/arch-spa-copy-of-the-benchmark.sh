#!/usr/bin/env bash
# Surprise: Hansen's test of superior predictive ability gives p = 0 to a strategy that is an exact copy of the
#   benchmark: no difference at all reads as the strongest proof of superiority.
# Who meets it: whoever runs a grid of variants against a base case, one of which is the base case itself or never
#   trades and so equals cash.
# Versions: arch 8.0.0, statsmodels 0.15.0, numpy 2.4.6, pandas 3.1.1, scipy 1.17.1
# Source: arch/bootstrap/multiple_comparison.py, SPA.compute: the p-value is the share of draws strictly above the
#   observed maximum, without the usual (1 + count) / (1 + B); for a copy all draws and the maximum are 0, and 0 > 0
#   is false.
# This project: p-values count draws at least as large and add one to both sides
#   (hypotheses/statistics/multiplicity.py, step_down_p), so a tie is no evidence and p is never 0; a sleeve without
#   trades is insufficient and left out before (hypotheses/h3.py, _step_down). Where SPA is shown as a diagnostic a
#   series without variance is left out and named, and its p has one added to both sides
#   (hypotheses/family_diagnostics.py, superior).
# Guess before the run: p = 1 for all three variants.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check arch==8.0.0 statsmodels==0.15.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import arch
import numpy as np
from arch.bootstrap import SPA

benchmark = np.random.default_rng(1).normal(size=500)
noise = np.random.default_rng(2).normal(size=500)


def p_values(losses):
    test = SPA(benchmark, losses, reps=500, seed=3)
    test.compute()
    return test.pvalues.to_dict()


copy = p_values(benchmark.copy())
unrelated = p_values(benchmark + 0.05 * noise)
print("arch", arch.__version__)
print("expected of a copy of the benchmark: p = 1")
print("seen:", copy)
print("for comparison, the benchmark plus a little noise:", unrelated)
assert copy == {"lower": 0.0, "consistent": 0.0, "upper": 0.0}, copy
assert 0.05 < unrelated["consistent"] < 1.0, unrelated
PY
