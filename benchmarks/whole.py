"""What a whole run costs, from data set to report, against decoding the same Parquet columns once; and how it grows.

    python benchmarks/whole.py configs/scale/full.toml               one size, its own days: 4 GB of data are made
    python benchmarks/whole.py configs/demo.toml 30 90 180           so many days, half of them history; the exponent

The data set is made first and not counted.  Ratios are of CPU time: of the run with all its workers, of the decoding in
one thread.  One turn: a run takes minutes, so that there is no spread.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.format.dataset import Dataset
from backtest.data.panels.rows import read_channels
from backtest.pipeline.dataset import prepare_dataset
from backtest.registration.extend import joined, text_of
from backtest.registration.load import load_registration
from backtest.seeds import streams
from benchmarks.market import ROOT
from benchmarks.measure import Row, cpu_seconds, machine, table
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
        "power": {
            table: {code: max(1, round(count * share)) for code, count in tree["power"][table].items()}
            for table in ("expected_active_days", "expected_trades")
        },
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
            read_channels((dataset.path / path).read_bytes(), path)


def measured(plan: Path, out: Path) -> tuple[int, int, float, Cost]:
    """Return rows and bytes of the plan's data set, the CPU seconds to decode it once, and the cost of a whole run."""
    registration = load_registration(plan)
    dataset = prepare_dataset(registration, None, streams.load(ROOT / "seeds.lock"), out, 2, None)
    count = sum(entry.rows or 0 for path, entry in dataset.files.items() if path.startswith("quotes/"))
    once = median(cpu_seconds(lambda: decode(dataset)) for _ in range(3))
    command = [sys.executable, ROOT / "cme.py", "run", plan, "--out", out, "--quiet"]
    cost = cost_of(command, out / f"{plan.stem}.log")
    return count, sum(entry.size for entry in dataset.files.values()), once, cost


def sized(plan: Path, days: Sequence[int]) -> list[Row]:
    """Return a row a length of market: run against decoding; the last one is the exponent where there are several."""
    out = Path(tempfile.gettempdir()) / "cme-benchmarks" / "whole"
    out.mkdir(parents=True, exist_ok=True)
    found, spent = [], []
    for each in [shortened(plan, n, out) for n in days] or [plan]:
        count, size, once, cost = measured(each, out)
        spent.append(cost.cpu_s)
        told = (
            f"{cost.wall_s:.0f} s wall, {cost.cpu_s:.0f} s CPU, {cost.peak / 2**20:.0f} MiB, "
            f"{cost.read / 1e9:.2f} GB read of {size / 1e9:.2f}"
        )
        ratio = cost.cpu_s / once
        found.append(
            Row(
                f"whole run {each.stem}: {told}",
                f"{count / cost.cpu_s / 1e3:.3g} k rows/s",
                "decode its Parquet columns once",
                f"{count / once / 1e6:.3g} M rows/s",
                ratio,
                ratio,
                ratio,
                "at most 3",
            )
        )
        print(table(found[-1:]), flush=True)
    if len(days) > 1:
        power = float(np.polyfit(np.log(days), np.log(spent), 1)[0])
        name = f"whole run over {', '.join(map(str, days))} days"
        found.append(Row(name, "", "linear", "", power, power, power, "at most 1.05", "exponent of CPU time"))
    return found


def rows() -> list[Row]:
    """Return the rows of the demonstration's market over 30, 90 and 180 days, and of the full size over its own."""
    configs = ROOT / "configs"
    return [*sized(configs / "demo.toml", (30, 90, 180)), *sized(configs / "scale" / "full.toml", ())]


if __name__ == "__main__":
    print(table(sized(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]])))
    print(machine())
