"""Why N2 and N3 reject informative signals with net mean zero in fewer than 90% of windows.  [decision 0716]

    python benchmarks/net_zero_power.py CHUNKS

CHUNKS is the folder `chunks` of a certificate: its kept markets of family `informative`, windows of 90 days, are read.
N2 by the mean of a day, which no charge changes, is computed again from the placements (199 draws), and so is the mean
of each window under all shifts of N3.  Losing plants are days of less than -1,000 USD.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
from scipy.stats import norm

FOLDS, DAYS, DRAWS, ALPHA = 10, 9, 199, 0.05
LOSS_USD: Final = -1_000.0
GROUPS: Final = ((0, 9), (10, 11), (12, 72))
SEED: Final = 288615


def main(argv: list[str]) -> int:
    """Print how the share of rejections follows from the number of losing plants, and from means and deviations."""
    files = sorted(Path(argv[0]).glob("market_informative/*/*.npz")) if len(argv) == 1 else []
    if not files:
        print(__doc__, file=sys.stderr)
        return 2
    draw = np.random.default_rng(SEED)
    rows = []
    for file in files:
        with np.load(file) as kept:
            observed, batch, shifted = (kept[name] / 1e6 for name in ("observed", "batch", "shifted"))
        moved = batch.sum(axis=3)  # [window, day, place], USD
        for own, at, shifts in zip(observed, moved, shifted, strict=True):
            place = np.stack([np.concatenate([draw.permutation(DAYS) for _ in range(FOLDS)]) for _ in range(DRAWS)])
            null = at[np.arange(FOLDS * DAYS), place].sum(axis=1)
            p = (1 + np.count_nonzero(null >= own.sum())) / (DRAWS + 1)
            rows.append((own.sum(), null.mean(), null.std(), shifts.sum(axis=1).mean(), shifts.sum(axis=1).std(),
                         np.count_nonzero(own < LOSS_USD), p < ALPHA, own.mean(), own.var()))  # fmt: skip
    total, mean, sd, shift_mean, shift_sd, losses, rejects, day, variance = np.array(rows).T
    print(f"windows {len(total)}, a day {day.mean():.0f} USD, true Sharpe ratio before any charge "
          f"{day.mean() / np.sqrt(variance.mean() + day.var()) * np.sqrt(365):.2f}")  # fmt: skip
    print(f"N2 by the mean rejects {rejects.mean():.1%}")
    for low, high in GROUPS:
        among = (losses >= low) & (losses <= high)
        print(f"  {low:2d} to {high:2d} losing plants: {rejects[among].mean():6.1%} of {np.count_nonzero(among)}")
    for name, null, spread in (("N2", mean, sd), ("N3", shift_mean, shift_sd)):
        distance = (total - null) / spread
        power = norm.sf((norm.isf(ALPHA) - distance.mean()) / distance.std())
        print(f"{name}: the window's sum lies {distance.mean():.2f} deviations of its null above it, give or take "
              f"{distance.std():.2f} between windows; normal power {power:.0%}")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
