#!/usr/bin/env bash
# Surprise: With one trial, so with nothing to deflate, the deflated Sharpe ratio of a losing strategy is 1: certainty
#   that it is skilled.
# Who meets it: whoever runs the same report over studies with many trials and with one registered trial, as a
#   preregistered plan has.
# Versions: deflated-sharpe-metrics 0.1.0, numpy 2.4.6, scipy 1.17.1
# Source: deflated_sharpe/core.py, deflated_sharpe_ratio: the quantile 1 - 1/N is 0 for N = 1, norm.ppf(0) is -inf,
#   and the benchmark to beat becomes minus infinity.
# This project: expected_maximum is 0 for one trial (hypotheses/statistics/psr.py), so the deflated ratio is the plain
#   one; tests/hypotheses/statistics/test_psr.py holds the case.
# Guess before the run: one trial gives the plain probabilistic ratio, below 0.5 for a loss; written after the source
#   was read, before it was run.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check deflated-sharpe-metrics==0.1.0 numpy==2.4.6 scipy==1.17.1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from deflated_sharpe.core import deflated_sharpe_ratio

losing = np.random.default_rng(0).normal(-0.002, 0.01, 250)
one = float(deflated_sharpe_ratio(losing, num_trials=1, variance_of_trials=0.01))
two = float(deflated_sharpe_ratio(losing, num_trials=2, variance_of_trials=0.01))
print("deflated-sharpe-metrics", version("deflated-sharpe-metrics"))
print(f"mean daily return {losing.mean():.5f}; expected of one trial: below 0.5")
print(f"seen: one trial {one}, two trials {two:.2e}")
assert losing.mean() < 0
assert one == 1.0, one
assert two < 0.01, two
PY
