"""How often a true H3 is called refuted: seven constraints with a true Sharpe ratio just above zero.

    python docs/simulations/h3_refutation.py [windows]

Each window holds 90 independent normal days of seven independent sleeves of annual ratio 0.01, so H3's claim is true.
Counted are the windows in which some sleeve's two-sided interval lies at or below zero: at the registered 95%, and at
1 - 0.05/7.  The interval is Student's, which covers exactly here; the registered one covers 89 to 99% (statistics 6).
"""

from __future__ import annotations

import sys
from math import sqrt
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, norm, t

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backtest.seeds import streams

ROOT = Path(__file__).resolve().parents[2]
DAYS, SLEEVES, SHARPE = 90, 7, 0.01


def main(windows: int) -> None:
    """Print the share of windows refuted at each level, with its 95% interval."""
    lock = streams.load(ROOT / "seeds.lock")
    words = np.stack([lock.generator("calibrate/h3/retain", w).random_raw(SLEEVES * DAYS) for w in range(windows)])
    x = norm.ppf(((words >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(windows, SLEEVES, DAYS) + SHARPE / sqrt(365)
    score = x.mean(axis=2) / x.std(axis=2, ddof=1) * sqrt(DAYS)
    for level in (0.95, 1 - 0.05 / 7):
        count = int((score <= t.ppf((1 - level) / 2, DAYS - 1)).any(axis=1).sum())
        low, high = binomtest(count, windows).proportion_ci()
        share = f"{count / windows:.1%} [{low:.1%}, {high:.1%}]"
        print(f"level {level:.4f}: refuted {count:,} of {windows:,} true claims, {share}")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4_000)
