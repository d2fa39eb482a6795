#!/usr/bin/env bash
# Surprise: The best week of a year can be one that no calendar has: weeks are grouped by calendar year and ISO week,
#   and 30 December 2024 lies in ISO week 1 (of 2025), so it is compounded with the first week of January 2024, a year
#   before. empyrical does the same grouping by ISO year.
# Who meets it: whoever reads best and worst week over a turn of the year in which the ISO year is not the calendar's.
# Versions: quantstats 0.0.86, empyrical-reloaded 0.7.1, pandas 3.1.1, numpy 2.4.6
# Source: quantstats/utils.py, aggregate_returns: the week groups by index.year and isocalendar().week.
# This project: sums are made by day and by calendar month of the UTC date (reports/sections/performance.py); no week
#   is shown.
# Guess before the run: both packages join them.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check quantstats==0.0.86 empyrical-reloaded==0.7.1 pandas==3.1.1 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version

import empyrical
import pandas as pd
from quantstats import stats

days = pd.date_range("2024-01-01", "2025-01-12")
returns = pd.Series(0.0, days)
returns["2024-01-03"] = 0.20
returns["2024-12-30"] = 0.10
returns["2025-01-02"] = 0.05
true_best = max(0.20, 1.10 * 1.05 - 1)
seen = float(stats.best(returns, aggregate="W"))
peer = float(empyrical.aggregate_returns(returns, "weekly").max())
print("quantstats", version("quantstats"), "empyrical-reloaded", version("empyrical-reloaded"))
print(f"expected: {true_best:.1%}, the week of 1 January 2024")
print(f"seen:     {seen:.1%} (quantstats), {peer:.1%} (empyrical)")
assert abs(seen - (1.20 * 1.10 - 1)) < 1e-12, seen
assert abs(peer - true_best) < 1e-12, peer
PY
