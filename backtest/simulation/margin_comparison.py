"""Two margin rules on the same bars: exceedances, deficits, liquidations that recover, procyclicality.  [risk.md 12.4]

Margins are rates of notional.  A deficit is what a move over the horizon takes beyond the margin, of either side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from backtest.simulation.coverage_tests import Outcomes, merged
from engine.exact.rounded import Floats

RECOVERY_H = 24
PROCYCLICAL_DAYS = 5
EVENT_QUANTILE = 0.999
RAISED = 0.05
"""A margin is raised where it is 5% above that of an hour before."""


@dataclass(frozen=True, slots=True)
class RuleMeasures:
    """What one rule did: rates of notional; counts of accounts, None where none were opened.

    ``change_5d`` is the 99% quantile of |m'/m - 1| over five days.
    """

    mean_margin: float
    exceedances: int
    deficit_bps: float
    liquidations: int | None
    regretted: int | None
    max_over_min: float
    change_5d: float


@dataclass(frozen=True, slots=True)
class AccountFates:
    """Whether each account was liquidated, and whether it would have recovered, [accounts], long then short a day."""

    liquidated: Outcomes
    regretted: Outcomes


def deficits(losses: Floats, margin: Floats) -> Floats:
    """Return what losses take beyond the margin, [n], as shares of notional."""
    return np.maximum(losses - margin, 0.0)


def run_accounts(close: Floats, margin: Floats, first: int, day_bars: int, equity: float) -> AccountFates:
    """Return the fate of a long and a short opened at each day's first close, with ``equity`` of notional each.

    An account is liquidated at the first close within 24 hours at which equity plus profit is under the margin in force
    from the close before.  It is regretted if 24 hours after that its value, had it been left, is at least the margin
    of then.  ``close`` and ``margin`` are [bars]; days without 48 hours ahead open none.
    """
    span = RECOVERY_H * day_bars // 24
    liquidated, regretted = [], []
    for begin in range(first, len(close) - 2 * span, day_bars):
        moves = close[begin : begin + 2 * span + 1] / close[begin] - 1.0
        required = margin[begin - 1 : begin + 2 * span]
        for sign in (1.0, -1.0):
            short_of = equity + sign * moves < required
            under = np.flatnonzero(short_of[1 : span + 1])
            liquidated.append(len(under) > 0)
            regretted.append(len(under) > 0 and not bool(short_of[int(under[0]) + 1 + span]))
    return AccountFates(np.array(liquidated, dtype=bool), np.array(regretted, dtype=bool))


def procyclicality(margin: Floats, day_bars: int) -> tuple[float, float]:
    """Return (largest over smallest margin, 99% quantile of its relative change over five days, in size)."""
    step = PROCYCLICAL_DAYS * day_bars
    change = np.sort(np.abs(margin[step:] / margin[:-step] - 1.0))
    at = int(np.ceil(0.99 * len(change))) - 1
    return float(margin.max() / margin.min()), float(change[at]) if len(change) else 0.0


def delayed(margin: Floats, hours: int, day_bars: int) -> Floats:
    """Return the margin that votes put in force, [bars]: every ``hours`` the level of then, in force ``hours`` later.

    Until the first vote is carried out the first level holds.
    """
    step = hours * day_bars // 24
    votes = np.arange(len(margin)) // step * step - step
    return np.asarray(margin[np.maximum(votes, 0)])


def time_to_safe_h(margin: Floats, needed: Floats, day_bars: int) -> float:
    """Return the mean hours for which a margin stays under what is ``needed``, once it is; 0 if it never is."""
    short = margin < needed
    spells = int(np.count_nonzero(short[1:] & ~short[:-1])) + int(short[0])
    return 24.0 * int(np.count_nonzero(short)) / (spells * day_bars) if spells else 0.0


@dataclass(frozen=True, slots=True)
class ClusterMeasures:
    """Large moves, how many had a raised margin before them, the same share of all bars, and false tightenings."""

    events: int
    raised_before: float
    raised_of_all_bars: float
    tightenings: int
    false_share: float


def cluster_study(returns: Floats, margin: Floats, window: int, hour: int) -> ClusterMeasures:
    """Return whether margins rise before large moves.  [12.5]

    An event is a bar whose move is above the 99.9% quantile of the ``window`` bars before it, the first within an hour.
    It had a raised margin if the one in force before the bar was 5% above that of an hour earlier.  A tightening is the
    first such bar within an hour; it is false if none of the bars of the next hour is an event.
    """
    large, raised = large_moves(returns, window), raised_margins(margin, hour)
    events = np.array([k for k in merged(large, hour) if k > window], dtype=np.int64)
    starts = [k for k in merged(raised, hour) if k >= window]
    false = [k for k in starts if not large[k + 1 : k + 1 + hour].any()]
    return ClusterMeasures(
        len(events), _share(raised[events - 1]), _share(raised[window:]), len(starts),
        len(false) / len(starts) if starts else 0.0,
    )  # fmt: skip


def large_moves(returns: Floats, window: int) -> Outcomes:
    """Return where a move is above the 99.9% quantile of the ``window`` moves before it; False before."""
    size = pd.Series(np.abs(returns))
    level = size.rolling(window).quantile(EVENT_QUANTILE).shift(1).to_numpy()
    return np.asarray(size.to_numpy() > np.where(np.isnan(level), np.inf, level))


def raised_margins(margin: Floats, hour: int) -> Outcomes:
    """Return where a margin is at least 5% above that of ``hour`` bars before; False where either is unknown."""
    before = np.concatenate([np.full(hour, np.nan), margin[:-hour]])
    return np.asarray(margin >= (1.0 + RAISED) * before)


def _share(flags: Outcomes) -> float:
    return float(np.count_nonzero(flags)) / len(flags) if len(flags) else 0.0
