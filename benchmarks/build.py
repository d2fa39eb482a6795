"""What a canonical data set costs, against parsing the same CSV files and doing nothing with them.

Needs real option snapshots: the folder in $CME_DATA.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.build.assemble import build
from backtest.registration.load import load_registration
from benchmarks.market import ROOT
from benchmarks.measure import Row, against, machine, table

PATTERN = "deribit-options-6h/deribit_options_snapshot_2026010*.csv.gz"


def rows() -> list[Row]:
    """Return the row of the first snapshots of 2026; none where there is no real data."""
    folder = Path(os.environ.get("CME_DATA", "."))
    files = sorted(folder.glob(PATTERN))
    if not files:
        print(f"build: expected {PATTERN} below $CME_DATA, found none: left out", file=sys.stderr)
        return []
    registration = load_registration(ROOT / "configs" / "studies" / "btc-2026q1.toml")
    source = replace(registration.data.sources[0], path=PATTERN)
    count = sum(len(pd.read_csv(file)) for file in files)

    def ours() -> None:
        with tempfile.TemporaryDirectory() as out:
            build([source], folder, Path(out) / "set", "benchmark", 0, source.adapter)

    def parse() -> None:
        for file in files:
            pd.read_csv(file)

    name = f"build {len(files)} snapshots"
    return [against(name, ours, "pandas.read_csv of the files", parse, count, "rows", turns=5)]


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
