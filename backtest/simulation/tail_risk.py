"""Value at risk and expected shortfall of simulated losses, by a generalised Pareto tail.  [risk.md 12.1]

    VaR_q = u + beta / xi [((1 - q) / zeta_u)^-xi - 1]        ES_q = VaR_q / (1 - xi) + (beta - xi u) / (1 - xi)

Reference: McNeil and Frey (2000), Estimation of tail-related risk measures for heteroscedastic financial time series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.errors import DataError
from engine.exact.rounded import Floats

THRESHOLD: Final = 0.95
LEAST_EXCESSES: Final = 50
MOST_SHAPE: Final = 0.9
_FLAT: Final = 1e-9
"""Shapes nearer to zero than this use the exponential limit: the formula would divide by almost zero."""
_GRID, _ROUNDS = 81, 6


@dataclass(frozen=True, slots=True)
class Tail:
    """A loss distribution beyond its threshold ``u``: shape, scale, VaR and ES at a level, in the losses' unit.

    ``is_empirical`` marks few excesses or a shape of 0.9 and more: VaR and ES are then those of the sample.
    """

    threshold: float
    shape: float
    scale: float
    var: float
    es: float
    is_empirical: bool


def tail_of(losses: Floats, level: float) -> Tail:
    """Return the tail of ``losses`` [n] at ``level``, above their 95% quantile.

    Raises `DataError` for fewer than 20 losses or a level that is not above 0.95 and below 1.
    """
    if len(losses) < 20 or not THRESHOLD < level < 1.0:
        raise DataError(f"expected at least 20 losses and 0.95 < level < 1, was {len(losses)} and {level}")
    ordered = np.sort(losses, kind="stable")
    n = len(ordered)
    threshold = float(ordered[int(np.ceil(THRESHOLD * n)) - 1])
    excesses = ordered[ordered > threshold] - threshold
    beyond = ordered[int(np.ceil(level * n)) - 1 :]
    empirical = (float(beyond[0]), float(beyond.sum()) / len(beyond))
    if len(excesses) < LEAST_EXCESSES:
        return Tail(threshold, 0.0, 0.0, *empirical, is_empirical=True)
    shape, scale = pareto_fit(excesses)
    if shape >= MOST_SHAPE:
        return Tail(threshold, shape, scale, *empirical, is_empirical=True)
    return Tail(
        threshold, shape, scale, *_measures(threshold, shape, scale, (1.0 - level) * n / len(excesses)),
        is_empirical=False,
    )  # fmt: skip


def _measures(threshold: float, shape: float, scale: float, rest: float) -> tuple[float, float]:
    """Return VaR and ES where ``rest`` is the share of the excesses that lie beyond."""
    if abs(shape) < _FLAT:
        var = threshold - scale * float(np.log(rest))
        return var, var + scale
    var = threshold + scale / shape * (float(np.power(rest, -shape)) - 1.0)
    return var, (var + scale - shape * threshold) / (1.0 - shape)


def pareto_fit(excesses: Floats) -> tuple[float, float]:
    """Return (shape, scale) of the generalised Pareto law of ``excesses`` > 0 by maximum likelihood.

    The likelihood is a function of ``theta = shape / scale`` alone [Grimshaw 1993], searched on grids that close in:
    the same result everywhere, which an optimiser's stopping rule would not give.
    """
    mean, largest = float(excesses.sum()) / len(excesses), float(excesses.max())
    # Just inside the bound, where 1 + theta x stays positive for every excess.  A heavy tail moves the mean, not the
    # median.
    low, high = -(1.0 - 1e-6) / largest, 20.0 / float(np.median(excesses))
    shape, scale = 0.0, mean
    for _ in range(_ROUNDS):
        theta = np.linspace(low, high, _GRID)
        theta = theta[np.abs(theta) > _FLAT / mean]
        shapes = np.log1p(theta[:, None] * excesses[None, :]).sum(axis=1) / len(excesses)
        likelihood = -np.log(shapes / theta) - shapes - 1.0
        best = int(np.argmax(likelihood))
        step = (high - low) / (_GRID - 1)
        shape, scale = float(shapes[best]), float(shapes[best] / theta[best])
        low, high = max(low, float(theta[best]) - step), min(high, float(theta[best]) + step)
    # The exponential law is the limit that the grid leaves out.
    if -np.log(mean) - 1.0 >= -np.log(scale) - shape - 1.0:
        return 0.0, mean
    return shape, scale
