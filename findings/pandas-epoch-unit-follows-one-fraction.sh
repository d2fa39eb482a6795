#!/usr/bin/env bash
# Surprise: to_datetime(seconds, unit='s') gives microseconds, but nanoseconds as soon as one value has a fraction, so
#   the integers behind the same hours differ by a factor of 1000 between two files.
# Who meets it: whoever reads epoch seconds (Deribit's and Kraken's trades, most REST clocks) and calls
#   astype('int64') for NumPy, Numba or a database: 'ns' was certain before pandas 3.
# Versions: pandas 3.1.1, numpy 2.4.6
# Source: pandas/core/tools/datetimes.py, _to_datetime_with_unit: whole values, float or not, take the integer path to
#   'us', others a float path to 'ns'.
# This project: integers are made only after as_unit('ns') (backtest/data/adapters/files.py), and stamps out of 2008
#   to 2100 in the declared unit are an error there.
# Guess before the run: one unit, whatever the values.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check pandas==3.1.1 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import pandas as pd

whole = pd.to_datetime(pd.Series([1768435200.0, 1768435201.0]), unit="s")
fraction = pd.to_datetime(pd.Series([1768435200.0, 1768435201.5]), unit="s")
print("pandas", pd.__version__)
print("expected: one dtype for floats of epoch seconds")
print("seen:", whole.dtype, whole.astype("int64")[0], "and", fraction.dtype, fraction.astype("int64")[0])
assert whole[0] == fraction[0]
assert str(whole.dtype) == "datetime64[us]" and str(fraction.dtype) == "datetime64[ns]"
assert fraction.astype("int64")[0] == 1000 * whole.astype("int64")[0]
PY
