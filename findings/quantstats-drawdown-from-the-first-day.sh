#!/usr/bin/env bash
# Surprise: A drawdown that begins on the first day is missing from drawdown_details, and so from the table of the
#   worst drawdowns in every report: a series that halves on day one and never recovers has a maximum drawdown of -50%
#   and no drawdown at all.
# Who meets it: whoever reports a window that starts with a loss: each fold of a walk-forward test does so about every
#   second time.
# Versions: quantstats 0.0.86, pandas 3.1.1, numpy 2.4.6
# Source: quantstats/stats.py, drawdown_details: a start is a day under water after a day that is not, so the first
#   day can be none, and the first end is then cut off as one without a start.
# This project: the fall is measured from the capital before the first day, which counts as a peak
#   (reports/sections/performance.py).
# Guess before the run: one row: start on the first day, -50%, not recovered.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check quantstats==0.0.86 pandas==3.1.1 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version

import pandas as pd
from quantstats import stats

days = pd.date_range("2026-01-01", periods=4)
at_once = pd.Series([-0.5, 0.0, 0.1, 0.0], days)
a_day_later = pd.Series([0.0, -0.5, 0.1, 0.0], days)
print("quantstats", version("quantstats"))
for name, returns in (("from the first day", at_once), ("a day later", a_day_later)):
    rows = stats.drawdown_details(stats.to_drawdown_series(returns))
    print(f"{name}: maximum drawdown {stats.max_drawdown(returns):.0%}; expected 1 drawdown, seen {len(rows)}")
    assert stats.max_drawdown(returns) == -0.5
    assert len(rows) == (0 if returns is at_once else 1), rows
PY
