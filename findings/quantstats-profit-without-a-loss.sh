#!/usr/bin/env bash
# Surprise: The Sharpe ratio of daily profits in USD is right while one day loses (19.9) and wrong when none does (4.7
#   instead of 44.1): without a loss the series is taken for prices and differenced.
# Who meets it: whoever reports carry or funding strategies, where a month without a losing day is common; profits in
#   USD give the right ratio until then.
# Versions: quantstats 0.0.86, pandas 3.1.1, numpy 2.4.6
# Source: quantstats/utils.py, _prepare_returns: data whose minimum is at least 0 and maximum above 1 is replaced by
#   its percentage changes; called by sharpe, sortino and most others.
# This project: results are USD a day and never guessed to be anything else; the Sharpe ratio
#   (hypotheses/statistics/sharpe.py) divides mean by deviation of what it is given.
# Guess before the run: mean / deviation x sqrt(365), about 44, whatever the signs.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check quantstats==0.0.86 pandas==3.1.1 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version
from math import sqrt

import pandas as pd
import quantstats

days = pd.date_range("2026-01-01", periods=6)
usd = pd.Series([1.0, 2.0, 1.5, 3.0, 2.0, 1.0], days)
by_hand = usd.mean() / usd.std() * sqrt(365)
seen = float(quantstats.stats.sharpe(usd, periods=365))
with_loss = usd.copy()
with_loss.iloc[-1] = -1.0
seen_loss = float(quantstats.stats.sharpe(with_loss, periods=365))
by_hand_loss = with_loss.mean() / with_loss.std() * sqrt(365)
print("quantstats", version("quantstats"))
print(f"expected: {by_hand:.2f} without a losing day, {by_hand_loss:.2f} with one")
print(f"seen:     {seen:.2f} without a losing day, {seen_loss:.2f} with one")
assert abs(seen_loss - by_hand_loss) < 1e-9
assert abs(seen - 4.664349647643063) < 1e-9, seen
assert abs(by_hand - 44.091061896153455) < 1e-9, by_hand
PY
