"""Does simultaneous reallocation prevent a cascade or feed it?  Synthetic markets.  [covenants 9.8]

A market of short accounts meets an upward shock.  Each round liquidates accounts at maintenance and, where the move is
beyond the band, closes RR of every covenanted account, at most until MANUAL; all of it buys, and buying moves the price
by the square root of what is bought.  [risk 14.1]
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import uniforms
from engine.exact.rounded import Floats

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
ACCOUNTS, MARKETS, ROUNDS = 1000, 100, 200
SHOCK, BAND, RR, MOST_REALLOCATIONS = 0.04, 0.025, 0.15, 5
MAINTENANCE = 0.0125
IMPACT = 0.06
"""Relative move of buying the whole open interest at once, by the square root."""


def cascade(leverage: Floats, size: Floats, covenanted: np.ndarray) -> tuple[float, float, float]:
    """Return (liquidated share of open interest, reallocated share, further move of the price) of one market.

    ``leverage`` and ``size`` have shape (accounts,); sizes sum to 1.  ``covenanted`` flags accounts.
    """
    left, count = size.copy(), np.zeros(size.size, np.int64)
    # Realised losses leave the margin, so equity is followed as one number.
    base, margin = SHOCK, size / leverage
    equity, price = margin - left * SHOCK, 1.0 + SHOCK
    liquidated = reallocated = bought = 0.0
    for _ in range(ROUNDS):
        acts = covenanted & (price - 1.0 > BAND) & (count < MOST_REALLOCATIONS) & (left > 0)
        moved = np.where(acts, RR * left, 0.0)
        left, count = left - moved, count + acts
        hit = (left > 0) & (equity <= MAINTENANCE * left * price)
        closed = np.where(hit, left, 0.0)
        left = left - closed
        volume = float(moved.sum() + closed.sum())
        # Without a purchase the price stays where it is, so no later round acts either.
        if volume == 0.0:
            break
        liquidated, reallocated, bought = (
            liquidated + float(closed.sum()),
            reallocated + float(moved.sum()),
            bought + volume,
        )
        fresh = 1.0 + base + IMPACT * bought**0.5
        equity, price = equity - left * (fresh - price), fresh
    return liquidated, reallocated, price - 1.0 - SHOCK


def crowding(root_text: str, markets: int = MARKETS) -> pd.DataFrame:
    """Return a row a share: means over the same synthetic markets, and how many markets cascade.

    A cascade is 2% of open interest liquidated.  ``prevented`` is 1 - cascades with / without covenants.  The same
    draws serve every share, and an account covenanted at one share is so at every larger one.
    """
    rows = []
    for share in SHARES:
        results = []
        for market in range(markets):
            u = uniforms(root_text, "covenants/crowding", 3 * ACCOUNTS, market).reshape(3, ACCOUNTS)
            leverage, size = 2.0 * 12.5 ** u[0], (1.0 - u[1]) ** -0.5
            results.append(cascade(leverage, size / size.sum(), u[2] < share))
        table = np.array(results)
        rows.append({
            "covenanted_share": share, "liquidated": float(table[:, 0].mean()),
            "reallocated": float(table[:, 1].mean()),
            "further_move": float(table[:, 2].mean()), "cascades": int((table[:, 0] >= 0.02).sum()),
        })  # fmt: skip
    curve = pd.DataFrame(rows)
    # 1 where no market cascades: there is no share of none.
    without = max(int(curve["cascades"].iloc[0]), 1)
    return curve.assign(prevented=1.0 - curve["cascades"] / without)
