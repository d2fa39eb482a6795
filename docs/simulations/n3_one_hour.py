"""How often N3 rejects signals without any edge, by the hours they are emitted at and by what every trade earns.

    python docs/simulations/n3_one_hour.py [windows]

The structural model of `hypotheses.calibration.signals`: slots of eight hours, two signals a day, edge 0, so that H0 of
N3 holds of market and signs.  ``any``: each signal in a slot of its own, as the certificate draws them.  ``one``: all
signals of all days in the same slot.  ``own``: those of a day share a slot, each day another.  ``earns``: what a trade
earns wherever it stands, in units of one cost: -1 pays costs, +1 is a premium that random entry earns too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, poisson

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backtest.registration.load import load_registration
from backtest.seeds import streams
from hypotheses.calibration.distributions import DAYS
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.signals import SLOTS, SLOTS_A_DAY, placements_of
from hypotheses.permutation_nulls import n3
from hypotheses.records import PermutationNull

ROOT = Path(__file__).resolve().parents[2]
STATS = load_registration(ROOT / "configs" / "prereg" / "288615" / "registration.toml").stats


def window(draw: Draw, hours: str, earns: float) -> PermutationNull:
    """Return N3 of one drawn window, no capital charge."""
    count = np.zeros(SLOTS, dtype=np.int64)
    if hours == "any":
        count[:] = poisson.ppf(draw.uniforms(SLOTS), 2.0 / SLOTS_A_DAY)
    else:
        slot = draw.below(SLOTS_A_DAY, DAYS) if hours == "own" else 1
        count[SLOTS_A_DAY * np.arange(DAYS) + slot] = poisson.ppf(draw.uniforms(DAYS), 2.0)
    longs = np.array([int((draw.below(2, n) == 1).sum()) if n else 0 for n in count.tolist()])
    market, own = draw.normals(SLOTS), draw.normals(SLOTS, SLOTS)
    earned = (2 * longs - count)[:, None] * market + np.sqrt(count)[:, None] * own + earns * count[:, None]
    return n3(placements_of(earned), np.zeros(DAYS, dtype=np.int64), STATS)


def main(windows: int) -> None:
    """Print, for each kind of hours, the share of windows rejected at 5% and the mean ratios of T and of the null."""
    lock = streams.load(ROOT / "seeds.lock")
    for hours, earns in (("any", -1), ("any", 1), ("one", -1), ("one", 1), ("own", -1), ("own", 0), ("own", 1)):
        found = [window(Draw(lock, "calibrate/n3/zero", r), hours, earns) for r in range(windows)]
        count = sum(null.p is not None and null.p.under(STATS.alpha) for null in found)
        low, high = binomtest(count, windows).proportion_ci()
        here = np.mean([float(null.sharpe or 0) for null in found])
        there = np.mean([np.median(null.ordered_sharpe) for null in found])
        share = f"{count / windows:5.1%} [{low:.1%}, {high:.1%}]"
        print(f"{hours} earns {earns:2d}: rejects {share}, T {here:6.2f}, null {there:6.2f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
