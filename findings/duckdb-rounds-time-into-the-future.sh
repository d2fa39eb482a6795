#!/usr/bin/env bash
# Surprise: Casting to a coarser timestamp rounds half up in DuckDB and floors in pandas, Polars and PyArrow: an event
#   0.1 ms before midnight belongs to the next day.
# Who meets it: whoever converts feeds stamped in nanoseconds to the milliseconds of another file: half of the events
#   move later, and a join or a group by day sees some of them before or after they happened; date_trunc and epoch_us
#   of the same library floor.
# Versions: duckdb 2.0.1, pandas 3.1.1, polars 2.1.0, numpy 2.4.6, pyarrow 25.0.1
# Source: seen by running all four; no page of the documentation is cited.
# This project: times are int64 nanoseconds from the adapter to the ledger (engine/units.py) and are never rounded;
#   days are floor divisions.
# Guess before the run: all floor.
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
import pyarrow as pa

text = "2026-01-15 23:59:59.999900"
duck = duckdb.sql(f"select timestamp '{text}'::timestamp_ms, timestamp '{text}'::timestamp_s, date_trunc('second', timestamp '{text}'), timestamp_ns '2026-01-15 23:59:59.999999900'::timestamp").fetchall()[0]
stamp = pd.Series(pd.to_datetime([text]))
seen = {
    "duckdb ::timestamp_ms": str(duck[0]),
    "duckdb ::timestamp_s": str(duck[1]),
    "duckdb date_trunc": str(duck[2]),
    "duckdb ns -> us": str(duck[3]),
    "pandas as_unit('ms')": str(stamp.dt.as_unit("ms")[0]),
    "polars Datetime('ms')": str(pl.from_pandas(stamp).cast(pl.Datetime("ms"))[0]),
    "pyarrow timestamp('ms')": str(pa.array(stamp).cast(pa.timestamp("ms"), safe=False)[0]),
}
print("duckdb", duckdb.__version__, "pandas", pd.__version__, "polars", pl.__version__, "pyarrow", pa.__version__)
print("expected:", text, "stays on 15 January in all of them")
for name, value in seen.items():
    print("seen,", name, value)
later = [name for name, value in seen.items() if value.startswith("2026-01-16")]
assert later == ["duckdb ::timestamp_ms", "duckdb ::timestamp_s", "duckdb ns -> us"], later
PY
