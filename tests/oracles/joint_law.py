"""The joint solve written another way: instead of relations between prices, laws of the price at each expiry.

Carr & Madan's statement is that the relations hold if and only if a martingale has these prices.  Here the martingale
itself is the unknown: a law on a grid for each expiry and a coupling of each two neighbours, with plain loops, dense
matrices and the other method of scipy.  Verticals, butterflies, parity and calendars are nowhere written down.

In coin the law is of y = 1/S under the coin's measure, a call pays (1 - K y)^+; in dollars of S, a call pays (S - K)^+.
Forwards must be points in a chain in dollars.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from hypotheses.chains.records import QuotedChain

FAR = 1e5
"""Times the largest support point: stands for infinity."""
MASS = 1e4
"""Of a law: prices and costs are then in bps, and the solver's tolerance far below one."""


def least_cost_bps(chain: QuotedChain, interval: np.ndarray) -> float:
    """Return the least sum of beyond + 0.001 inside, bps of the forward; ``interval`` [E, 2]: forwards in USD."""
    expiries = len(chain.expiry_ns)
    scale = [float(interval[0].mean())]
    for e in range(1, expiries):
        scale.append(scale[-1] * interval[e, 0] / interval[e - 1, 1])
    strikes = sorted({float(k) / scale[e] for k, e in zip(chain.strike, chain.expiry, strict=True)})
    points = sorted({1.0 / k for k in strikes}) if chain.coin else strikes
    support = [0.0, *points, points[-1] * FAR]
    m, quotes = len(support), len(chain.strike)
    law = lambda e, j: 4 * quotes + e * m + j  # noqa: E731
    couple = lambda e, i, j: 4 * quotes + expiries * m + (e * m + i) * m + j  # noqa: E731
    count = 4 * quotes + expiries * m + (expiries - 1) * m * m
    cost, bounds = np.zeros(count), [(0.0, None)] * count
    equal, equal_at, upper, upper_at = [], [], [], []
    for q in range(quotes):
        e = int(chain.expiry[q])
        unit = 1.0 if chain.coin else float(interval[e].mean())
        half, mid = (MASS * 0.5 * (chain.ask[q] + sign * chain.bid[q]) / unit for sign in (-1.0, 1.0))
        cost[4 * q : 4 * q + 4] = 1e-3, 1.0, 1e-3, 1.0
        bounds[4 * q] = bounds[4 * q + 2] = (0.0, half)
        row = np.zeros(count)
        row[4 * q : 4 * q + 4] = -1.0, -1.0, 1.0, 1.0
        k = float(chain.strike[q]) / scale[e]
        for j, point in enumerate(support):
            gain = 1.0 - k * point if chain.coin else (point - k) * scale[e] / unit
            row[law(e, j)] = max(gain, 0.0) if chain.call[q] else max(-gain, 0.0)
        equal.append(row)
        equal_at.append(mid)
    for e in range(expiries):
        row, mean = np.zeros(count), np.zeros(count)
        for j, point in enumerate(support):
            row[law(e, j)] = 1.0
            mean[law(e, j)] = point
        equal.append(row)
        equal_at.append(MASS)
        low, high = (scale[e] / interval[e][::-1]) if chain.coin else (interval[e] / scale[e])
        upper += [mean, -mean]
        upper_at += [MASS * high, -MASS * low]
    for e in range(expiries - 1):
        for i in range(m):
            near, far, drift = np.zeros(count), np.zeros(count), np.zeros(count)
            near[law(e, i)], far[law(e + 1, i)] = -1.0, -1.0
            for j in range(m):
                near[couple(e, i, j)] = far[couple(e, j, i)] = 1.0
                # In coin the far mean may be lower, in dollars higher: calls gain by both.
                drift[couple(e, i, j)] = (support[j] - support[i]) * (1.0 if chain.coin else -1.0)
            equal += [near, far]
            equal_at += [0.0, 0.0]
            upper.append(drift)
            upper_at.append(0.0)
    answer = linprog(
        cost,
        A_ub=np.array(upper),
        b_ub=upper_at,
        A_eq=np.array(equal),
        b_eq=equal_at,
        bounds=bounds,
        method="highs-ipm",
    )
    assert answer.status == 0, answer.message
    return float(answer.fun)
