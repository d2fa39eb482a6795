"""Filtered historical simulation: a GARCH(1,1)-t filter by day, its residuals in blocks, losses ahead.  [risk.md 12.1]

    r_t = sigma_t z_t        sigma^2_{t+1} = omega + alpha r_t^2 + beta sigma^2_t

Reference: Barone-Adesi, Giannopoulos and Vosper (1999), VaR without correlations for portfolios of derivatives.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from arch import arch_model
from threadpoolctl import threadpool_limits

from backtest.simulation.covenant_streams import uniforms
from engine.exact.rounded import Floats

DIGITS = 4
"""Decimals of fitted parameters: where an optimiser stops is not known to more."""
EWMA_KEPT = 0.94


@dataclass(frozen=True, slots=True)
class Filter:
    """A variance recursion for returns in units of ``scale``; ``is_fallback`` marks EWMA, where the fit failed."""

    scale: float
    omega: float
    alpha: float
    beta: float
    is_fallback: bool

    def deviations(self, returns: Floats) -> Floats:
        """Return sigma before each return and after the last, [n + 1], in the unit of ``returns`` [n].

        The first is the scale: with 90 days before the first use its weight is gone.
        """
        out = np.empty(len(returns) + 1)
        variance = 1.0
        out[0] = variance
        for k, r in enumerate((returns / self.scale).tolist(), 1):
            variance = self.omega + self.alpha * r * r + self.beta * variance
            out[k] = variance
        return np.sqrt(out) * self.scale


def fit_filter(returns: Floats, start: Filter | None) -> Filter:
    """Return the filter of ``returns`` [n] by maximum likelihood with Student's t, begun where ``start`` ended.

    EWMA with 0.94 where the likelihood does not converge or the parameters are no variance.
    """
    scale = float(np.sqrt((returns * returns).sum() / len(returns)))
    fallback = Filter(max(scale, 1e-12), 0.0, 1.0 - EWMA_KEPT, EWMA_KEPT, is_fallback=True)
    if scale == 0.0:
        return fallback
    begin = None if start is None or start.is_fallback else np.array([start.omega, start.alpha, start.beta, 4.0])
    # One thread: with several the library adds in another order, and the optimiser stops elsewhere.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Scaled by hand: a scale of its own would leave the parameters in another unit than the filter's.
        model = arch_model(returns / scale, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False)
        fitted = model.fit(disp="off", show_warning=False, starting_values=begin)
    omega, alpha, beta = (round(float(fitted.params[name]), DIGITS) for name in ("omega", "alpha[1]", "beta[1]"))
    if fitted.convergence_flag != 0 or not omega > 0.0 or alpha < 0.0 or beta < 0.0 or alpha + beta > 1.0:
        return fallback
    return Filter(scale, omega, alpha, beta, is_fallback=False)


def simulated_returns(
    law: Filter, residuals: Floats, sigma: float, horizon: int, paths: int, seed: str, replicate: int
) -> Floats:  # fmt: skip
    """Return the sums of ``horizon`` simulated returns [paths], from sigma on, in the unit of ``sigma``.

    Each path takes ``horizon`` residuals that followed each other, from a drawn place of ``residuals`` [n].
    """
    room = len(residuals) - horizon + 1
    first = (uniforms(seed, "venue/margin/paths", paths, replicate) * room).astype(np.int64)
    variance = np.full(paths, (sigma / law.scale) * (sigma / law.scale))
    total = np.zeros(paths)
    for k in range(horizon):
        move = np.sqrt(variance) * residuals[first + k]
        total += move
        variance = law.omega + law.alpha * move * move + law.beta * variance
    return total * law.scale
