#!/usr/bin/env bash
# Surprise: The function asks for the annualised Sharpe ratio and the number of observations, and multiplies them as
#   if the ratio were per observation: 1.0 a year over 90 days becomes a z of 7.7 and a p-value of 0.
# Who meets it: whoever takes the argument's documentation at its word for daily returns; the package
#   `deflated-sharpe-metrics` installs a module of the same name that expects returns.
# Versions: deflated-sharpe 0.1.0
# Source: deflated_sharpe/gates.py, deflated_sharpe_ratio: documented as 'Observed (annualized) Sharpe ratio', used
#   with 1 / (num_obs - 1) and no periods per year.
# This project: ratios are per day inside, annualised once for display (hypotheses/statistics/sharpe.py), and every
#   psr argument says 'per period' (hypotheses/statistics/psr.py).
# Guess before the run: p of about 0.31, as 1.0 / sqrt(365) a day over 90 days gives; written after the source was
#   read, as what its documentation promises.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check deflated-sharpe==0.1.0
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version
from math import sqrt

from deflated_sharpe.gates import deflated_sharpe_ratio

documented = deflated_sharpe_ratio(observed_sr=1.0, num_trials=1, num_obs=90)
per_day = deflated_sharpe_ratio(observed_sr=1.0 / sqrt(365), num_trials=1, num_obs=90)
print("deflated-sharpe", version("deflated-sharpe"))
print("expected of an annualised ratio of 1.0 over 90 days: p of about 0.31")
print("seen, as documented (annualised): z, p =", documented)
print("seen, ratio per day:              z, p =", per_day)
assert documented == (7.702813, 0.0), documented
assert per_day == (0.493459, 0.310844), per_day
PY
