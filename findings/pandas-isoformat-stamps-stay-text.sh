#!/usr/bin/env bash
# Surprise: read_csv(parse_dates=...) leaves a whole column of Python's own isoformat() stamps as text, without
#   warning, when one of them falls on a full second and so has no fraction.
# Who meets it: whoever records a feed with datetime.isoformat(): most files parse, and about one row in a million
#   with microseconds, one in a thousand with milliseconds, turns its file into text, which still sorts and compares.
# Versions: pandas 3.1.1, numpy 2.4.6
# Source: pandas/io/parsers/base_parser.py, around its call of to_datetime: ValueError is caught and the column left
#   as it was; the format is guessed from the first value and must fit all. date_format='ISO8601' reads both forms.
# This project: labels are parsed by to_datetime with format='ISO8601', which takes both forms, and what is no time is
#   an error with its place (backtest/data/adapters/files.py).
# Guess before the run: a datetime column, or at least a warning.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check pandas==3.1.1 numpy==2.4.6
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
import io
import warnings
from datetime import UTC, datetime, timedelta

import pandas as pd

start = datetime(2026, 1, 15, 8, 0, 0, 250_000, tzinfo=UTC)
data = "t,bid\n" + "".join(f"{(start + timedelta(milliseconds=250 * k)).isoformat()},1\n" for k in range(5))
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    frame = pd.read_csv(io.StringIO(data), parse_dates=["t"])
without = pd.read_csv(io.StringIO("\n".join(row for row in data.splitlines() if "08:00:01+" not in row)), parse_dates=["t"])
asked = pd.read_csv(io.StringIO(data), parse_dates=["t"], date_format="ISO8601")
print("pandas", pd.__version__)
print("expected: times with zone UTC")
print("seen:", frame["t"].dtype, "-", len(warned), "warnings; first:", repr(frame["t"][0]))
print("seen without the stamp on the full second:", without["t"].dtype)
print("seen with date_format='ISO8601':", asked["t"].dtype)
assert str(frame["t"].dtype) == "str" and not warned, (frame["t"].dtype, warned)
assert str(without["t"].dtype) == "datetime64[us, UTC]", without["t"].dtype
assert str(asked["t"].dtype) == "datetime64[us, UTC]", asked["t"].dtype
PY
