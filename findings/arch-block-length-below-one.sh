#!/usr/bin/env bash
# Surprise: The optimal block length of 90 days with few trading days is below one day (0.4 with one), and the
#   stationary bootstrap takes it without a word: its chance of a new block is then above 1. The circular bootstrap
#   cannot take its own recommendation at all: it wants an integer, and the integer part is 0.
# Who meets it: whoever bootstraps the daily results of a rare signal with the length that the package recommends.
# Versions: arch 8.0.0, statsmodels 0.15.0, numpy 2.4.6, pandas 3.1.1, scipy 1.17.1
# Source: arch/bootstrap/base.py, optimal_block_length: b is only bounded above, by min(3 sqrt(n), n / 3);
#   StationaryBootstrap sets p = 1 / block_size without a check.
# This project: the length is at least 1 (hypotheses/statistics/block_length.py), and a series without variance has
#   none.
# Guess before the run: 1 for a series without memory.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check arch==8.0.0 statsmodels==0.15.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from arch.bootstrap import CircularBlockBootstrap, StationaryBootstrap, optimal_block_length

pnl = np.zeros(90)
pnl[40] = 1.0
length = optimal_block_length(pnl).iloc[0]
print("arch", version("arch"))
print(f"expected: a length of at least 1; seen: {length['stationary']:.3f} stationary, {length['circular']:.3f} circular")
assert 0.3 < length["stationary"] < 0.4 and 0.4 < length["circular"] < 0.5, length
low, high = StationaryBootstrap(length["stationary"], pnl, seed=1).conf_int(np.mean, 200, method="percentile").ravel()
print(f"the stationary bootstrap takes it: an interval from {low:.3f} to {high:.3f}")
for size in (length["circular"], int(length["circular"])):
    try:
        CircularBlockBootstrap(size, pnl).conf_int(np.mean, 10, method="percentile")
    except (TypeError, ZeroDivisionError) as error:
        print(f"the circular bootstrap with {size!r}: {type(error).__name__}: {error}")
    else:
        raise AssertionError("the circular bootstrap took " + repr(size))
PY
