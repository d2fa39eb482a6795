"""The inputs of the formulas as arrays, one value a bar, each from earlier bars only.  [covenants 2, 5.1, 15.1]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Mode
from engine.covenants.elementary import ln
from engine.covenants.hedge import hedge_path
from engine.covenants.leverage_cap import annualised, bar_decay, ewma_before
from engine.covenants.parameters import MINUTES_A_DAY, Parameters
from engine.covenants.regime import alpha_monotone, alpha_u_shaped, beta_regime, decorrelated
from engine.covenants.rolling import correlation_before, deviation_before, mean_before, rank_within, rms_before
from engine.covenants.spread import spread_pp
from engine.covenants.staleness import gap_mode
from engine.exact.rounded import Floats
from engine.units import NS_PER_SECOND

LEAST_RETURNS = 100
"""Returns a correlation needs.  [covenants 2.3]"""


@dataclass(frozen=True)
class Measures:
    """Arrays of shape (bars,), read at the close of each bar; spreads in pp, volatility annual, NaN where undefined.

    ``spread`` contains its own bar; every other column contains earlier bars only.
    """

    t_ns: NDArray[np.int64]
    price_a: Floats
    price_b: Floats
    spread: Floats
    sigma: Floats
    rms: Floats
    rho: Floats
    rho_short: Floats
    rho_long: Floats
    rho_bar: Floats
    volatility: Floats
    alpha: Floats
    beta: Floats
    decorrelated: NDArray[np.bool_]
    stale: NDArray[np.int64]
    hedge: Floats
    flow: Floats

    def part(self, begin: int, end: int) -> Measures:
        """Return the bars [begin, end): what a fit sees of its training window."""
        return Measures(**{name: getattr(self, name)[begin:end] for name in self.__dataclass_fields__})


def measure(
    t_ns: NDArray[np.int64], price_a: Floats, price_b: Floats, p: Parameters, flow: Floats | None = None
) -> Measures:
    """Return the measures of a pair from closes on a regular grid: ``t_ns`` and prices [N], in USD, NaN if missing.

    ``flow`` [N] is a score of order flow up to each close where a book exists; NaN in every bar without one.

    The first day of spreads is left out of sigma: there the anchor is
    not yet an average.  Check the inputs with `engine.covenants.checks.check_pair` first.
    """
    hedge = hedge_path(t_ns, price_a, price_b, p)
    spread, _ = spread_pp(price_a, price_b, p.anchor_half_life_bars, hedge)
    settled = spread.copy()
    settled[: p.warmup_bars] = np.nan
    volatility, rho, short, long, bar, rank = _on_grid(t_ns, price_a, price_b, p)
    alpha = _alpha(rank, p)
    beta = np.full(spread.size, p.beta) if p.beta_rule == "constant" else beta_regime(short, long)
    return Measures(
        t_ns, price_a, price_b, spread,
        sigma=deviation_before(settled, p.sigma_bars, p.least_sigma_bars),
        rms=rms_before(settled, p.bars(60), max(1, p.bars(60) // 2)),
        rho=rho, rho_short=short, rho_long=long, rho_bar=bar, volatility=volatility, alpha=alpha, beta=beta,
        decorrelated=decorrelated(beta, p.bars(15)) if p.beta_rule == "regime" else np.zeros(spread.size, dtype=bool),
        stale=_stale(spread, rho, p), hedge=hedge,
        flow=np.full(spread.size, np.nan) if flow is None else flow,
    )  # fmt: skip


def _on_grid(
    t_ns: NDArray[np.int64], price_a: Floats, price_b: Floats, p: Parameters
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """Return volatility, rho, its short, long and 90-day forms, and the volatility's rank, at each bar.

    Returns are over non-overlapping intervals of the UTC grid; a bar sees those that ended before it.
    """
    # Aligned to UTC, not to the first bar: a cut of the data must not move the intervals.
    ends = np.flatnonzero(t_ns % (p.grid_min * 60 * NS_PER_SECOND) == 0)
    log_a, log_b = ln(price_a[ends]), ln(price_b[ends])
    a, b = np.append(np.diff(log_a), np.nan), np.append(np.diff(log_b), np.nan)  # NaN: the value after the last
    # left: an interval that ends at this very bar is not known before it.
    known = np.maximum(np.searchsorted(ends, np.arange(t_ns.size), side="left") - 1, 0)
    if a.size == 0:
        nothing = np.full(t_ns.size, np.nan)
        return nothing, nothing, nothing, nothing, nothing, nothing
    day = MINUTES_A_DAY // p.grid_min
    decay = bar_decay(p.grid_min)
    variance = np.maximum(ewma_before(a, decay), ewma_before(b, decay))
    volatility = annualised(variance, 365.0 * day)
    quarter = p.rho_returns // 4
    rho = correlation_before(a, b, p.rho_returns, min(LEAST_RETURNS, p.rho_returns))
    short = correlation_before(a, b, quarter, quarter // 2)
    long = correlation_before(a, b, 30 * day, min(LEAST_RETURNS, p.rho_returns))
    bar = mean_before(rho, 90 * day, min(day, LEAST_RETURNS))
    # A constant alpha reads no rank: any column of its shape will do.
    rank = rank_within(volatility, 90 * day, min(day, LEAST_RETURNS)) if p.alpha_rule != "constant" else rho
    return volatility[known], rho[known], short[known], long[known], bar[known], rank[known]


def _alpha(rank: Floats, p: Parameters) -> Floats:
    if p.alpha_rule == "constant":
        return np.full(rank.size, p.alpha)
    return alpha_u_shaped(rank) if p.alpha_rule == "u_shaped" else alpha_monotone(rank)


def _stale(spread: Floats, rho: Floats, p: Parameters) -> NDArray[np.int64]:
    """Return the staleness state of each bar: gaps of either leg, and an undefined correlation after its warm-up."""
    absent = np.isnan(spread)
    position = np.arange(1, spread.size + 1)
    run = position - np.maximum.accumulate(np.where(absent, 0, position)) if spread.size else position
    modes = np.full(spread.size, int(Mode.LIVE), dtype=np.int64)
    for t in np.flatnonzero(absent):
        modes[t] = gap_mode(int(run[t]), p.bar_min)
    first = np.flatnonzero(~np.isnan(rho))
    if first.size:
        lost = np.isnan(rho) & (position - 1 > first[0]) & ~absent
        modes[lost] = int(Mode.FREEZE)
    return modes
