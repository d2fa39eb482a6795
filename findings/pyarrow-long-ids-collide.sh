#!/usr/bin/env bash
# Surprise: PyArrow reads a CSV column of decimal identifiers beyond 64 bits as floating point, so two different
#   identifiers become equal and a join multiplies rows; pandas keeps them exact.
# Who meets it: whoever reads prediction-market token ids (77 digits), 128-bit order ids or unsigned 64-bit trade ids
#   from CSV.
# Versions: pyarrow 25.0.1, pandas 3.1.1, numpy 2.4.6
# Source: Arrow's documentation, 'Reading and writing CSV files', type inference: int64, then dates, then float64,
#   then text; an integer that does not fit int64 is a valid float64.
# This project: CSV files are read by pandas (backtest/data/adapters/files.py), identifiers in records are text, and
#   integers beyond 2^53 - 1 are refused there (engine/ledger/format/canonical_json.py).
# Guess before the run: text, or an error.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check pyarrow==25.0.1 pandas==3.1.1 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import io

import pandas as pd
import pyarrow
import pyarrow.csv

first, second = "1" * 77, "1" * 76 + "2"
data = f"token,trade\n{first},9223372036854775808\n{second},9223372036854775809\n"
table = pyarrow.csv.read_csv(io.BytesIO(data.encode()), read_options=pyarrow.csv.ReadOptions(use_threads=False))
frame = pd.read_csv(io.StringIO(data))
print("pyarrow", pyarrow.__version__, "pandas", pd.__version__)
print("expected: two different tokens and two different trades")
print("seen, pyarrow:", table.schema.types, "distinct:", [len(set(table[c].to_pylist())) for c in table.column_names])
print("seen, pandas: ", frame.dtypes.tolist(), "distinct:", [frame[c].nunique() for c in frame])
assert [str(t) for t in table.schema.types] == ["double", "double"], table.schema
assert [len(set(table[c].to_pylist())) for c in table.column_names] == [1, 1]
assert [frame[c].nunique() for c in frame] == [2, 2]
assert str(frame["token"][0]) == first
PY
