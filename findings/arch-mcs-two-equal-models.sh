#!/usr/bin/env bash
# Surprise: The model confidence set ends in an IndexError when the two models left have equal losses, though a set
#   that cannot tell two models apart is just what it is made to return.
# Who meets it: whoever compares strategies two of which are the same after a filter, a rounding of a parameter or a
#   cap: equal columns of daily losses.
# Versions: arch 8.0.0, statsmodels 0.15.0, numpy 2.4.6, pandas 3.1.1, scipy 1.17.1
# Source: arch/bootstrap/multiple_comparison.py, MCS._compute_r: variances of equal columns are 0, the studentised
#   difference is 0/0 = NaN, its maximum is NaN, and no entry equals NaN, so there is none to eliminate.
# This project: no confidence set of models is computed; StepM (hypotheses/statistics/multiplicity.py) compares each
#   sleeve with zero, not with each other, so equal sleeves get equal p-values. A test with two equal sleeves would
#   hold that.
# Guess before the run: both models are in the set, each with p = 1.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check arch==8.0.0 statsmodels==0.15.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import warnings

import arch
import numpy as np
from arch.bootstrap import MCS

warnings.simplefilter("ignore")
losses = np.random.default_rng(1).normal(size=500)
worse = losses + 0.5 + np.random.default_rng(2).normal(size=500)
print("arch", arch.__version__)
print("expected: models 0 and 1 (equal) are included, each with p = 1")
try:
    test = MCS(np.c_[losses, losses, worse], 0.05, reps=200, method="R", seed=3)
    test.compute()
    raise SystemExit(f"it was computed: {test.included}")
except IndexError as error:
    print("seen: IndexError:", error)
test = MCS(np.c_[losses, losses + 1e-6 * np.random.default_rng(4).normal(size=500), worse], 0.05, reps=200, seed=3)
test.compute()
print("seen where the two differ by a millionth: included", test.included)
assert test.included == [0, 1], test.included
PY
