#!/usr/bin/env bash
# Surprise: The filter sharpe > 1 keeps strategies whose ratio is NaN in Polars and, from a Parquet file, in DuckDB,
#   which drops them when it reads the same table from a pandas frame; pandas and PyArrow drop them.
# Who meets it: whoever selects strategies by a threshold from a table of results, where a strategy without trades has
#   NaN.
# Versions: duckdb 2.0.1, polars 2.1.0, pandas 3.1.1, pyarrow 25.0.1, numpy 2.4.6
# Source: Polars' and DuckDB's documentation order NaN above every number; DuckDB turns NaN of a pandas frame into
#   NULL on the way in, which no comparison keeps.
# This project: verdicts compare exact decimals with the registered threshold, and a ratio that does not exist is
#   None, not NaN (hypotheses/statistics/sharpe.py, daily); result tables are read by pandas.
# Guess before the run: DuckDB keeps it (the order of SQL), the other three do not.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 pandas==3.1.1 pyarrow==25.0.1 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

frame = pd.DataFrame({"name": ["flat", "good", "idle"], "sharpe": [0.5, 2.0, float("nan")]})
pq.write_table(pa.table({"name": ["flat", "good", "idle"], "sharpe": [0.5, 2.0, float("nan")]}), "results.parquet")
where = "where sharpe > 1 order by name"
seen = {
    "pandas": pd.read_parquet("results.parquet").query("sharpe > 1")["name"].tolist(),
    "pyarrow": pq.read_table("results.parquet", filters=[("sharpe", ">", 1)])["name"].to_pylist(),
    "polars": pl.read_parquet("results.parquet").filter(pl.col("sharpe") > 1)["name"].to_list(),
    "duckdb, parquet": [row[0] for row in duckdb.sql(f"select name from 'results.parquet' {where}").fetchall()],
    "duckdb, frame": [row[0] for row in duckdb.sql(f"select name from frame {where}").fetchall()],
}
print("duckdb", duckdb.__version__, "polars", pl.__version__, "pandas", pd.__version__, "pyarrow", pa.__version__)
print("expected: ['good'] from one table, whoever reads it")
for name, value in seen.items():
    print("seen,", name, value)
assert seen["pandas"] == seen["pyarrow"] == seen["duckdb, frame"] == ["good"], seen
assert seen["polars"] == seen["duckdb, parquet"] == ["good", "idle"], seen
PY
