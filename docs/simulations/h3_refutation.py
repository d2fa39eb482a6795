"""How often a true H3 is called refuted: seven constraints with a true Sharpe ratio just above zero.

    python docs/simulations/h3_refutation.py [windows]

Each window holds 90 independent normal days of seven independent sleeves of annual ratio 0.01, so H3's claim is true.
Every sleeve gets the registered interval from the product's own kernel, with 499 draws.  Counted are the windows in
which some interval lies at or below zero: at the registered 95%, and at 1 - 0.05/7.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from math import sqrt
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, norm

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backtest import seeds
from hypotheses.intervals import infer_sharpe, symmetric

ROOT = Path(__file__).resolve().parents[2]
DAYS, SLEEVES, DRAWS, SHARPE = 90, 7, 499, 0.01
LEVELS = (Decimal("0.95"), 1 - Decimal("0.05") / 7)


def main(windows: int) -> None:
    """Print the share of windows refuted at each level, with its 95% interval."""
    lock = seeds.load(ROOT / "seeds.lock")
    hit = np.zeros((windows, len(LEVELS)), dtype=bool)
    for w in range(windows):
        words = lock.generator("calibrate/h3/retain", w).random_raw(SLEEVES * DAYS)
        noise = norm.ppf(((words >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(SLEEVES, DAYS)
        for k in range(SLEEVES):
            x = np.rint((noise[k] + SHARPE / sqrt(365)) * 1e7).astype(np.int64)
            found = infer_sharpe(x, DRAWS, lambda r: lock.generator("calibrate/bootstrap", r), Decimal("0.01"))
            for at, level in enumerate(LEVELS):
                interval = symmetric(found, level)
                hit[w, at] |= interval is not None and interval.high <= 0
    for at, level in enumerate(LEVELS):
        count = int(hit[:, at].sum())
        low, high = binomtest(count, windows).proportion_ci()
        print(  # noqa: T201
            f"level {float(level):.4f}: refuted {count}/{windows} = {count / windows:.1%} [{low:.1%}, {high:.1%}]"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
