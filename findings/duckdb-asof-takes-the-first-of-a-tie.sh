#!/usr/bin/env bash
# Surprise: Where two quotes carry the same time stamp, the as-of join of DuckDB takes the first row and those of
#   pandas and Polars the last: the stale quote instead of the newest.
# Who meets it: whoever joins trades to quotes: several book updates within one millisecond are usual, and the last of
#   them is the state of the book.
# Versions: duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, numpy 2.4.6, pyarrow 25.0.1
# Source: pandas, merge_asof: 'the last row in the right DataFrame'; duckdb/duckdb issue 25536 (labelled expected
#   behavior) says that nothing breaks ties, and that on large tables the row differs between runs unless threads is
#   1.
# This project: rows of one instrument with equal times are refused when a data set is built, so no join has to
#   choose.
# Guess before the run: the last row in all three.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 numpy==2.4.6 pyarrow==25.0.1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import duckdb
import pandas as pd
import polars as pl

trades = pd.DataFrame({"t": pd.to_datetime(["2026-01-15 08:00:01"])})
quotes = pd.DataFrame({"t": pd.to_datetime(["2026-01-15 08:00:00"] * 3), "bid": [100, 101, 102]})
duckdb.sql("set threads = 1")
seen = {
    "pandas": pd.merge_asof(trades, quotes, on="t")["bid"].tolist(),
    "polars": pl.from_pandas(trades).join_asof(pl.from_pandas(quotes), on="t")["bid"].to_list(),
    "duckdb": [row[0] for row in duckdb.sql("select bid from trades asof join quotes on trades.t >= quotes.t").fetchall()],
}
print("duckdb", duckdb.__version__, "pandas", pd.__version__, "polars", pl.__version__)
print("expected: 102, the last quote of that time, in all three")
print("seen:", seen)
assert seen == {"pandas": [102], "polars": [102], "duckdb": [100]}, seen
PY
