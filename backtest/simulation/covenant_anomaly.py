"""Anomalies over several assets: which one has left the others, from the spreads of all pairs.  [covenants 15.5]

The score of an asset is the median size of the robust z of its k - 1 pairwise spreads: where one asset moves, all of
its pairs do, and of every other asset only one.  Covenants themselves stay pairwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtest.simulation.covenant_streams import normals, uniforms
from backtest.simulation.events.monitor_study import robust_scores
from engine.covenants.spread import spread_pp
from engine.exact.rounded import Floats

ASSETS: Final = 6
DAYS: Final = 180
BREAKS: Final = 40
JUMPS_PP: Final = (5.0, 10.0, 15.0)
"""Sizes of the planted breaks; the spread of a pair deviates by about 2 pp from its anchor."""
OWN_SHARE: Final = 0.5
HOURLY: Final = 0.005
WINDOW_H: Final = 168
HALF_LIFE_H: Final = 24.0
THRESHOLDS: Final = (3.0, 4.0, 5.0)
MATCH_H: Final = 3
"""A flag within so many hours from a break, of the asset that broke, finds it."""


def asset_scores(prices: Floats, half_life: float, window: int) -> Floats:
    """Return the score of each asset at each bar, [bars, assets]; NaN before the window is full.

    ``prices`` [bars, assets].  A bar's score uses bars up to it; median and deviation are of the ``window`` before.
    """
    bars, k = prices.shape
    z = np.full((k, k, bars), np.nan)
    for i, j in combinations(range(k), 2):
        spread, _ = spread_pp(prices[:, i], prices[:, j], half_life)
        z[i, j] = z[j, i] = np.abs(robust_scores(spread, window))
    scores = np.full((bars, k), np.nan)
    for i in range(k):
        others = [j for j in range(k) if j != i]
        scores[:, i] = np.median(z[i, others], axis=0)
    return scores


def flags(scores: Floats, threshold: float) -> NDArray[np.int64]:
    """Return the flagged asset of each bar, -1 for none: that of the largest score, where it passes the threshold."""
    known = np.where(np.isfinite(scores), scores, -np.inf)
    largest = np.argmax(known, axis=1)
    return np.where(known[np.arange(len(known)), largest] > threshold, largest, -1).astype(np.int64)


@dataclass(frozen=True)
class Planted:
    """Synthetic hourly prices [bars, assets], and where breaks were planted: bar and asset, shape (breaks,)."""

    prices: Floats
    bar: NDArray[np.int64]
    asset: NDArray[np.int64]


def planted_market(root_text: str, jump_pp: float) -> Planted:
    """Return k assets with a common factor and, in equal parts of the days, one jump each of one of them.

    A jump of 0 pp is the same market without breaks.
    """
    bars = DAYS * 24
    common = normals(root_text, "covenants/anomaly/common", bars)
    own = normals(root_text, "covenants/anomaly/own", bars * ASSETS).reshape(bars, ASSETS)
    moves = HOURLY * (np.sqrt(1.0 - OWN_SHARE) * common[:, None] + np.sqrt(OWN_SHARE) * own)
    u = uniforms(root_text, "covenants/anomaly/breaks", 3 * BREAKS).reshape(3, BREAKS)
    room = (bars - 2 * WINDOW_H) // BREAKS
    bar = 2 * WINDOW_H + np.arange(BREAKS) * room + (u[0] * room).astype(np.int64)
    asset = (u[1] * ASSETS).astype(np.int64)
    np.add.at(moves, (bar, asset), np.log1p(jump_pp / 100.0) * np.where(u[2] < 0.5, -1.0, 1.0))
    known = slice(None) if jump_pp else slice(0)
    return Planted(100.0 * np.exp(np.cumsum(moves, axis=0)), bar[known], asset[known])


def detection(market: Planted, scores: Floats, threshold: float) -> dict[str, float]:
    """Return precision (share of flagged runs of one asset that meet a break of it), recall, and false runs a day."""
    found = flags(scores, threshold)
    # Following hours with one flagged asset are one alarm.
    starts = np.flatnonzero((found >= 0) & (found != np.concatenate(([-1], found[:-1]))))
    true = [
        bool(np.any((market.asset == found[s]) & (s >= market.bar) & (s < market.bar + MATCH_H)))
        for s in starts.tolist()
    ]
    planted = zip(market.bar.tolist(), market.asset.tolist(), strict=True)
    seen = [bool(np.any(found[bar : bar + MATCH_H] == asset)) for bar, asset in planted]
    false = len(true) - int(np.count_nonzero(true))
    return {
        "alarms": float(len(true)), "precision": float(np.mean(true)) if true else float("nan"),
        "recall": float(np.mean(seen)) if seen else float("nan"), "false_a_day": false / DAYS,
    }  # fmt: skip


def anomalies(root_text: str) -> dict[str, dict[str, float]]:
    """Return the detection by size of the planted break and threshold; size 0 is the market without breaks."""
    table = {}
    for jump_pp in (0.0, *JUMPS_PP):
        market = planted_market(root_text, jump_pp)
        scores = asset_scores(market.prices, HALF_LIFE_H, WINDOW_H)
        for threshold in THRESHOLDS:
            table[f"{jump_pp:g} pp, z {threshold:g}"] = detection(market, scores, threshold)
    return table
