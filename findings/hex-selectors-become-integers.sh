#!/usr/bin/env bash
# Surprise: PyArrow and DuckDB read a CSV column of four-byte hexadecimal selectors (0x0902f1ac) as integers, pandas
#   and Polars as text; written back, prefix and leading zeros are gone.
# Who meets it: whoever keeps on-chain logs, method selectors or short order flags in CSV and joins files that two
#   libraries read: keys of one kind never meet keys of the other.
# Versions: pyarrow 25.0.1, duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, numpy 2.4.6
# Source: arrow/util/value_parsing.h: an integer that starts with 0x is parsed as hexadecimal, at any column whose
#   values all fit 64 bits; DuckDB's CSV sniffer does the same. One longer value in the file turns the whole column
#   back into text.
# This project: CSV files are read by pandas (backtest/data/adapters/files.py, csv_parts) and no adapter reads
#   on-chain identifiers; one that will must declare the column as text.
# Guess before the run: text in all four.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check pyarrow==25.0.1 duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import duckdb
import pandas as pd
import polars as pl
import pyarrow
import pyarrow.csv

one_thread = pyarrow.csv.ReadOptions(use_threads=False)
with open("calls.csv", "w") as file:
    file.write("selector,n\n0x0902f1ac,1\n0xa9059cbb,2\n")
with open("longer.csv", "w") as file:
    file.write("selector,n\n0x0902f1ac,1\n0xa9059cbb23b872dd0902,2\n")
seen = {
    "pyarrow": pyarrow.csv.read_csv("calls.csv", read_options=one_thread)["selector"].to_pylist(),
    "duckdb": [row[0] for row in duckdb.sql("select selector from read_csv('calls.csv')").fetchall()],
    "pandas": pd.read_csv("calls.csv")["selector"].tolist(),
    "polars": pl.read_csv("calls.csv")["selector"].to_list(),
}
longer = pyarrow.csv.read_csv("longer.csv", read_options=one_thread)["selector"].to_pylist()
print("pyarrow", pyarrow.__version__, "duckdb", duckdb.__version__, "pandas", pd.__version__, "polars", pl.__version__)
print("expected: text in all four")
for name, values in seen.items():
    print("seen,", name, values)
print("seen, pyarrow with one longer value in the column:", longer)
numbers, text = [0x0902F1AC, 0xA9059CBB], ["0x0902f1ac", "0xa9059cbb"]
assert seen == {"pyarrow": numbers, "duckdb": numbers, "pandas": text, "polars": text}, seen
assert longer == ["0x0902f1ac", "0xa9059cbb23b872dd0902"], longer
PY
