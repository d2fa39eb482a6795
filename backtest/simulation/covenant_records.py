"""Records of account runs: what they see, what they are to do, what comes out.  [covenants 6, 9]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtest.simulation.covenant_data import PairBars
from engine.exact.rounded import Floats
from engine.units import NS_PER_DAY

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Track:
    """What every account sees of the market over the bars of a study, shape (bars,).

    ``since`` holds the prices from which a leg's loss is counted; ``new_day`` marks closes at 00:00 UTC.
    """

    price: tuple[Floats, Floats]
    volume: tuple[Floats, Floats]
    funding: tuple[Floats, Floats]
    since: tuple[Floats, Floats]
    new_day: Flags

    @property
    def opens(self) -> Flags:
        """The bars at which accounts are rebalanced, shape (bars,): closes at 00:00 UTC, and the first bar."""
        first = np.arange(self.new_day.size) == 0
        # The first bar opens the accounts, whether or not a day begins there.
        opens: Flags = self.new_day | first
        return opens

    @property
    def days(self) -> int:
        """The number of rebalancings."""
        return int(self.opens.sum())

    @staticmethod
    def of(bars: PairBars, spread: Floats, begin: int, end: int) -> Track:
        """Return the track of bars [begin, end); a missing price repeats the last known one."""
        a, b = _filled(bars.price_a), _filled(bars.price_b)
        since = last_other_sign(spread)
        part = slice(begin, end)
        return Track(
            (a[part], b[part]), (bars.volume_a[part], bars.volume_b[part]),
            (bars.funding_a[part], bars.funding_b[part]), (a[since][part], b[since][part]),
            bars.t_ns[part] % NS_PER_DAY == 0,
        )  # fmt: skip


@dataclass(frozen=True)
class Orders:
    """What each path is to do.  Shapes: sides (paths,), target (days, paths), masks (bars, paths), caps (bars, groups).

    ``target`` is a leg's notional over equity at each rebalancing; ``reduces`` marks bars at which a path may only
    reduce; ``share`` is RR of each path (paths,), or of each bar too (bars, paths); ``group`` is the column of ``caps``
    of each path, -1 for no cap.  ``hedge`` (days, paths) sizes the legs ``N_A = h N_B``, 1 where it is not given;
    ``stop`` (paths,) closes a path for good once it has lost that share of its capital, infinity for no stop.
    """

    side_a: Floats
    side_b: Floats
    target: Floats
    executes: Flags | None = None
    reduces: Flags | None = None
    closes: Flags | None = None
    caps: Floats | None = None
    group: NDArray[np.int64] | None = None
    share: Floats | None = None
    hedge: Floats | None = None
    stop: Floats | None = None

    @property
    def one_cap(self) -> bool:
        """Whether every path has the same cap."""
        return self.caps is not None and self.caps.shape[1] == 1 and self.group is not None and not self.group.any()


@dataclass
class AccountRuns:
    """Daily equity (days, paths) after costs; leverage, drawdown on bars, and counts and sums of each path (paths,)."""

    equity: Floats
    leverage: Floats
    bar_drawdown: Floats
    liquidations: NDArray[np.int64]
    reallocations: NDArray[np.int64]
    fees_usd: Floats
    funding_usd: Floats
    turnover_usd: Floats
    transfers_usd: Floats
    ordered_usd: Floats
    reduced_usd: Floats

    @staticmethod
    def empty(days: int, paths: int) -> AccountRuns:
        """Return a result before the first bar."""
        unknown = np.full(paths, np.nan)
        counts, sums = np.zeros((2, paths), np.int64), np.zeros((6, paths))
        return AccountRuns(np.zeros((days, paths)), unknown, unknown.copy(), counts[0], counts[1], *sums)


def last_other_sign(spread: Floats) -> NDArray[np.int64]:
    """Return, for each bar [N], the index of the last bar at which S had the other sign; 0 if there is none.

    Bars without a spread, or with a spread of 0, have no sign.  [covenants 6.2]
    """
    since = np.zeros(spread.size, np.int64)
    last = {1: 0, -1: 0}
    sign, start = 0, 0
    for t, value in enumerate(spread.tolist()):
        now = 1 if value > 0 else -1 if value < 0 else 0
        if now:
            if sign not in (0, now):
                start = last[-now]
            sign, last[now] = now, t
        since[t] = start
    return since


def _filled(prices: Floats) -> Floats:
    # Bars before the first price point at bar 0, whose price is NaN as theirs.
    position = np.maximum.accumulate(np.where(np.isnan(prices), 0, np.arange(prices.size)))
    filled: Floats = prices[position]
    return filled
