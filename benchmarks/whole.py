"""What a whole run costs, from data set to report, against decoding the same Parquet columns once; and how it grows.

    python benchmarks/whole.py configs/scale/eighth.toml             one size, its own days
    python benchmarks/whole.py configs/demo.toml 30 90 180           so many days, half of them history; the exponent

The data set is made first and not counted.  Ratios are of CPU time: of the run with all its workers, of the decoding in
one thread.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest import seeds
from backtest.config import load_registration
from backtest.data.dataset import Dataset
from backtest.data.prepare import prepare_dataset
from backtest.data.rows import read_channels
from backtest.registration.extend import joined, text_of
from benchmarks.market import ROOT
from benchmarks.measure import cpu_seconds, machine
from benchmarks.process import Cost, cost_of

FOLDS = 5


def shortened(plan: Path, days: int, folder: Path) -> Path:
    """Return a copy of ``plan`` in ``folder`` whose market lasts ``days``: half history, half window, five folds."""
    tree = tomllib.loads(load_registration(plan).text)
    start = date.fromisoformat(tree["data"]["synthetic"]["start"])
    middle, end = (f"{start + timedelta(days=n)}T00:00:00Z" for n in (days // 2, days))
    share = days / tree["data"]["synthetic"]["days"]
    plants = tree["data"]["synthetic"]["plants"]["constraints"]
    window = {"history_start": f"{start}T00:00:00Z", "start": middle, "end": end}
    changed: dict[str, Any] = {
        "study": f"{tree['study']}-{days}",
        "split": {"folds": FOLDS, "fold_d": str(days // 2 // FOLDS), "windows": [window]},
        "statistics": {"max_days_without_data": min(tree["statistics"]["max_days_without_data"], days // 20)},
        "data": {
            "name": f"{tree['data']['name']}-{days}",
            "synthetic": {
                "days": days,
                "plants": {"constraints": {code: {"count": round(p["count"] * share)} for code, p in plants.items()}},
            },
        },
    }
    longest = days // 2 - int(tree["statistics"]["n3_min_d"])
    changed["statistics"]["n3_max_d"] = str(min(longest, int(tree["statistics"]["n3_max_d"])))
    path = folder / f"{plan.stem}-{days}.toml"
    path.write_text(text_of(joined(tree, changed)), encoding="utf-8")
    return path


def decode(dataset: Dataset) -> None:
    """Read every quote file once: of each channel its own columns, as the reader does."""
    for path in dataset.files:
        if path.startswith("quotes/"):
            read_channels((dataset.path / path).read_bytes(), path, None)


def measured(plan: Path, out: Path) -> tuple[int, float, Cost]:
    """Return the rows of the plan's data set, the CPU seconds to decode it once, and the cost of the whole run."""
    registration = load_registration(plan)
    dataset = prepare_dataset(registration, None, seeds.load(ROOT / "seeds.lock"), out, 2, None)
    rows = sum(entry.rows or 0 for path, entry in dataset.files.items() if path.startswith("quotes/"))
    once = cpu_seconds(lambda: decode(dataset))
    command = [sys.executable, ROOT / "cme.py", "run", plan, "--out", out, "--quiet"]
    cost = cost_of(command, out / f"{plan.stem}.log")
    return rows, (once + cpu_seconds(lambda: decode(dataset))) / 2, cost


def main(arguments: Sequence[str]) -> None:
    """Print a line a size, and the exponent of CPU time over days where there are several."""
    plan, days = Path(arguments[0]), [int(text) for text in arguments[1:]]
    out = Path(tempfile.gettempdir()) / "cme-benchmarks" / "whole"
    out.mkdir(parents=True, exist_ok=True)
    plans = [shortened(plan, each, out) for each in days] or [plan]
    header = ("plan", "rows", "decode, CPU s", "run, CPU s", "ratio", "run, wall s", "peak, MiB", "read, GB")
    print("".join(f"{text:>16}" for text in header))
    spent = []
    for each in plans:
        rows, once, cost = measured(each, out)
        spent.append(cost.cpu_s)
        cells = (each.stem, f"{rows:,}", f"{once:.1f}", f"{cost.cpu_s:.1f}", f"{cost.cpu_s / once:.1f}")
        more = (f"{cost.wall_s:.0f}", f"{cost.peak / 2**20:.0f}", f"{cost.read / 1e9:.2f}")
        print("".join(f"{text:>16}" for text in (*cells, *more)), flush=True)
    if len(days) > 1:
        print(f"\nexponent of CPU time over days: {np.polyfit(np.log(days), np.log(spent), 1)[0]:.2f}")
    print(machine())


if __name__ == "__main__":
    main(sys.argv[1:])
