"""What a daily emission costs by stage and day, on a small SYNTHETIC market, and what that means at registered size.

    python benchmarks/emission.py [--rows-a-day 2800000]

Days are sealed one by one; after each the working set is joined and judged, as `cme emit` does.  The replay goes from
the start of the window to the last day each time and the join is made anew, so the cost of a day grows with the days
before it: the slope is printed, CPU seconds a day and million rows, with the day of 90 (a window of 90 days after 90 of
history, which is not judged again) as a straight line.  What the line leaves out: memory that does not fit, and the
cost of packages, which grows with the instruments and not with the rows.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

REGISTERED_ROWS = 2_800_000
"""Quote updates a day of configs/scale/full.toml: 5e8 in 180 days."""
GRIDS_S = (1800, 300)  # rows a day as 1 to 4
HISTORY, WINDOW, CORES, AIM_S = 90, 90, 2, 180


def main() -> int:
    """Print seconds by day and stage, slopes, and the day of 90; always 0: the aim is reported beside."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows-a-day", type=int, default=REGISTERED_ROWS)
    wanted = parser.parse_args().rows_a_day
    sizes, costs = [], []
    for grid_s in GRIDS_S:
        with tempfile.TemporaryDirectory(prefix="emission-") as folder:
            rows, seconds = measured(Path(folder), grid_s)
        mean = float(np.mean(rows))
        say(f"{len(rows)} days of {mean:,.0f} rows (SYNTHETIC, grid {grid_s} s), CPU seconds of one process")
        say(f"{'day':>4} " + " ".join(f"{stage:>8}" for stage in seconds))
        for at in range(len(rows)):
            say(f"{at + 1:>4} " + " ".join(f"{values[at]:>8.2f}" for values in seconds.values()))
        days = np.arange(2, len(rows) + 1)
        sizes.append(mean)
        # a day is sealed once; joined and judged are all days up to it, so theirs is a slope.  The first day warms up.
        costs.append({"seal": float(np.median(seconds["seal"][1:]))}
                     | {stage: slope(days, seconds[stage][1:]) for stage in ("join", "judge")})  # fmt: skip
    for stage, times, cores in (("seal", 1, 1), ("join", HISTORY + WINDOW, 1), ("judge", WINDOW, CORES)):
        small, large = (cost[stage] for cost in costs)
        a_row = max(0.0, (large - small) / (sizes[1] - sizes[0]))
        a_day = max(0.0, small - a_row * sizes[0])
        last = (a_day + a_row * wanted) * times / cores
        costs_of = f"{a_day:6.3f} s a day and {a_row * 1e6:5.2f} s a million rows"
        day_90 = f"day 90 of the window, {wanted:,} rows a day: about {last:,.0f} s on {cores} of {CORES} cores"
        say(f"{stage:<6} {costs_of}; {day_90}")
    say(f"aim: judging in {AIM_S} s; a line through two small sizes, no measurement at registered size")
    return 0


def measured(folder: Path, grid_s: int) -> tuple[list[int], dict[str, list[float]]]:
    """Return rows by day, and CPU seconds by stage and day."""
    from backtest.live.day_chain import read_days
    from backtest.live.operate import operate, working_set
    from backtest.registration.load import load_registration
    from tests.helpers import five_days

    study = five_days.make(folder, grid_s)
    registration = load_registration(study.plan)
    seconds: dict[str, list[float]] = {"seal": [], "join": [], "judge": []}
    for days in range(1, 6):
        marks: list[float] = [time.process_time()]
        operate(five_days.operation(study, days), lambda _, marks=marks: marks.append(time.process_time()))
        ended = time.process_time()
        began, sealed = marks[1], marks[2]
        for path in study.live.work.glob("joined-*"):
            shutil.rmtree(path)
        again = time.process_time()
        working_set(study.live, read_days(study.live.days), registration.data.name)
        join = time.process_time() - again
        seconds["seal"].append(sealed - began)
        seconds["join"].append(join)
        seconds["judge"].append(max(0.0, ended - sealed - join))
    return [row["rows"] for row in read_days(study.live.days).rows], seconds


def slope(days: np.ndarray, values: list[float]) -> float:
    """Return the least-squares slope of seconds over days."""
    return float(np.polyfit(days, np.array(values), 1)[0])


def say(line: str) -> None:
    """Write a line of the table."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
