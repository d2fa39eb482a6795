"""How often N2 rejects signals without any edge, with the exit rule of S4.5 and without it.

    python docs/simulations/n2_exit_rule.py [windows]

The market of family ``free`` of `hypotheses.calibration.market` written out in NumPy, nothing of the engine: the gap of
a perp over its spot is a walk that begins anew every day; on four days of five a spike of 250 bps stands at the two
hours of persistence and is gone before entry.  Nothing costs anything, and no position can expect to earn.

``rule``: a position ends when a quarter of its entry gross is left, else after five hours.  ``horizon``: after five
hours always.  ``placebo``: with the rule, random days stand in the place of the signals' own.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, skew

FOLDS, DAYS, HOURS, DRAWS, ALPHA = 10, 9, 5, 199, 0.05
SPIKE_BPS, WALK_BPS, PLANTED, CONVERGED = 250.0, 5.0, 0.8, 0.25
SEED: Final = 288615

Floats = NDArray[np.float64]


def earned(draw: np.random.Generator, rule: bool) -> Floats:
    """Return what the signal of day i earns on day j of one window, bps, ``[90, 90]``; zero without a signal."""
    days = FOLDS * DAYS
    # columns: the decision at 02:00, the entry at 03:00, and the hours after it
    walk = np.cumsum(draw.normal(0.0, WALK_BPS, (days, HOURS + 2)), axis=1)
    side = np.where(draw.random(days) < PLANTED, draw.choice([-1.0, 1.0], days), 0.0)
    gap = walk.copy()
    gap[:, 0] += side * SPIKE_BPS
    gross = np.abs(gap[:, 0])
    s = side[:, None]
    left = gross[:, None] - s * (gap[None, :, 0] - gap[None, :, 1])  # the entry gross of signal i on day j
    profit = s[:, :, None] * (gap[None, :, 1, None] - gap[None, :, 1:])
    done = left[:, :, None] - profit <= CONVERGED * left[:, :, None] if rule else np.zeros(profit.shape, dtype=bool)
    done[:, :, -1] = True
    return np.take_along_axis(profit, done.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]


def sharpe(profit: Floats) -> Floats:
    """Return mean over deviation of each row."""
    return np.asarray(profit.mean(axis=-1) / profit.std(axis=-1, ddof=1))


def permuted(draw: np.random.Generator, table: Floats, draws: int) -> Floats:
    """Return daily profits with the signals of a fold's days permuted within it, ``[draws, 90]``."""
    order = draw.permuted(np.tile(np.arange(DAYS), (draws, FOLDS, 1)), axis=2)
    signal = (order + DAYS * np.arange(FOLDS)[None, :, None]).reshape(draws, -1)
    return table[signal, np.arange(FOLDS * DAYS)[None, :]]


def main(windows: int) -> None:
    """Print the share of windows rejected at 5%, by ratio and by mean, and the skewness of their days."""
    for name, rule, placebo in (("rule", True, False), ("horizon", False, False), ("placebo", True, True)):
        draw = np.random.default_rng(SEED)
        rejected, by_mean, home, away = 0, 0, [], []
        for _ in range(windows):
            table = earned(draw, rule)
            null = permuted(draw, table, DRAWS)
            observed = permuted(draw, table, 1)[0] if placebo else np.diagonal(table)
            rejected += 1 + int((sharpe(null) >= sharpe(observed)).sum()) <= ALPHA * (DRAWS + 1)
            by_mean += 1 + int((null.mean(axis=1) >= observed.mean()).sum()) <= ALPHA * (DRAWS + 1)
            home.append(observed)
            away.append(null[0])
        low, high = binomtest(rejected, windows).proportion_ci()
        shape = f"skewness {skew(np.ravel(home)):5.2f} where observed, {skew(np.ravel(away)):5.2f} moved"
        share = f"{rejected / windows:5.1%} [{low:.1%}, {high:.1%}], by the mean {by_mean / windows:.1%}"
        print(f"{name:8} rejects {share}, {shape}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4_000)
