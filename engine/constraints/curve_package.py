"""The package of C5: three futures that level and slope do not move, and the perp that takes the coin out.  [S2.C5]

    sum w_i tau_i v1(tau_i) = sum w_i tau_i v2(tau_i) = 0      i = near wing, belly, far wing
    w_perp = -sum w_i (1 + y_i tau_i)                          sum |w| = 2 over the four legs

``tau_i y_i`` is the premium of a future over spot in units of S: what moves money is the tenor times the yield.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.errors import UsageError
from engine.market.curve import Knots, at_knots, fly_weights, knots_of, quoted_curve, rolling_score, scores
from engine.market.view import PreparedPanel
from engine.params import CurveFit
from engine.records import FloatArray, IntArray
from engine.units import BPS, NS_PER_DAY, NS_PER_YEAR

FUTURES = 3
PERP = 3
"""Place of the perp among the legs, after near wing, belly and far wing."""
NINE_PLACES = 1e9
"""z is quantised to nine places before it meets its threshold.  [audit 10.2]"""


@dataclass(frozen=True, slots=True)
class CurvePackage:
    """The package of each grid time that gains when a positive score returns, in the order near, belly, far, perp.

    NaN where the curve, its past or a leg is not known.  For a negative score every sign is turned.
    """

    column: IntArray  # [T, 4] panel columns, -1 where there are no three distinct futures
    weight: FloatArray  # [T, 4] base units per unit of base notional
    rate: FloatArray  # [T, 3] y of the futures, annualised
    fitted: FloatArray  # [T, 3] rate that the factors give them, curvature at its rolling mean
    curvature: FloatArray  # [T, 3] third loading at their tenors
    z: FloatArray  # [T]
    score: FloatArray  # [T] c3
    score_mean: FloatArray  # [T] rolling mean of c3
    score_bps: FloatArray  # [T] distance of the score from its rolling mean, signed, carried through the weights
    residual_bps: FloatArray  # [T] what the listed futures would give up if curvature returned to its rolling mean

    @property
    def gross_bps(self) -> FloatArray:
        """Return the smaller of both readings on the side of z, bps of S, ``[T]``.

        A hump that the futures do not show is no violation, and what is no hump is not this constraint's.
        """
        side = np.where(self.z >= 0.0, 1.0, -1.0)
        return np.minimum(side * self.score_bps, side * self.residual_bps)


@lru_cache(maxsize=1)
def curve_package(view: PreparedPanel, fit: CurveFit) -> CurvePackage:
    """Return the package of each grid time under the factors of ``fit``, whatever its threshold.  [S2.C5]

    Scan and build, and all thresholds tried on a view, share the last one: pass a fit with threshold 0.
    """
    _, curve = quoted_curve(view)
    level, slope, curvature = (scores(curve, fit.mean, loading) for loading in fit.loadings)
    centre, spread = _rolling(view, fit)
    column, tenor, rate, knots = _legs(view, fit.tenor_days)
    years = tenor * (NS_PER_DAY / NS_PER_YEAR)
    v1, v2, v3 = (at_knots(loading, knots) for loading in fit.loadings)
    weight = package_weights(years * v1, years * v2, years * v3, years * rate)
    fitted = at_knots(fit.mean, knots) + level[:, None] * v1 + slope[:, None] * v2 + centre[:, None] * v3
    exposure = weight[:, :FUTURES] * years
    return CurvePackage(
        column=column,
        weight=weight,
        rate=rate,
        fitted=fitted,
        curvature=v3,
        z=np.rint((curvature - centre) / spread * NINE_PLACES) / NINE_PLACES,
        score=curvature,
        score_mean=centre,
        score_bps=BPS * (curvature - centre) * np.abs(_row_sum(exposure * v3)),
        residual_bps=-BPS * _row_sum(exposure * (rate - fitted)),
    )


def package_weights(level: FloatArray, slope: FloatArray, curvature: FloatArray, premium: FloatArray) -> FloatArray:
    """Return the weights of near wing, belly, far wing and perp, ``[T, 4]``; NaN where they are not determined.

    Parameters
    ----------
    level, slope, curvature : FloatArray
        ``[T, 3]``: tenor in years times loading, of the three futures.
    premium : FloatArray
        ``[T, 3]``: ``F/S - 1``.

    Returns
    -------
    FloatArray
        ``sum w level = sum w slope = 0`` and ``sum w curvature < 0`` over the futures; the perp's weight is
        ``-sum w (1 + premium)``, so that a move of the coin alone earns nothing; ``sum |w| = 2``.

    Examples
    --------
    A hump is sold against the wings:

    >>> one, line, hump = np.array([[1.0, 1.0, 1.0]]), np.array([[-1.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 0.0]])
    >>> package_weights(one, line, hump, np.zeros((1, 3))).round(3).tolist()
    [[0.5, -1.0, 0.5, 0.0]]
    """
    futures = fly_weights(level, slope)
    perp = -_row_sum(futures * (1.0 + premium))
    toward = _row_sum(futures * curvature)
    # A package that the score does not move has no side.
    turn = np.where(toward < 0.0, 1.0, np.where(toward > 0.0, -1.0, np.nan))
    four = np.concatenate([futures, perp[:, None]], axis=1)
    weight: FloatArray = four * (2.0 * turn / (_row_sum(np.abs(futures)) + np.abs(perp)))[:, None]
    return weight + 0.0  # no negative zero, which would be another text in the ledger


def _row_sum(values: FloatArray) -> FloatArray:
    """The sum of three columns, left to right: the order is part of the result's bits.  [audit 10.2]"""
    return values[:, 0] + values[:, 1] + values[:, 2]


@lru_cache(maxsize=1)
def _legs(view: PreparedPanel, tenor_days: tuple[float, ...]) -> tuple[IntArray, FloatArray, FloatArray, Knots]:
    """Panel columns ``[T, 4]``; tenors in days and basis of (near wing, belly, far wing), ``[T, 3]``; their knots.

    The listed future nearest each registered tenor, the earlier on ties; NaN where they are not three different ones or
    one is not usable.
    """
    registered, (nodes, _) = view.market.curve, quoted_curve(view)
    if registered is None or nodes is None:
        raise UsageError(f"{view.panel.underlying}: expected a curve, was none")
    tenor, rate = nodes.tenor_days[:, 1:], nodes.rate[:, 1:]
    listed = np.where(tenor > 0.0, tenor, np.inf)
    near, far = registered.wing_days
    picks = [np.abs(listed - target).argmin(axis=1) for target in (near, registered.belly_days, far)]
    distinct = (picks[0] != picks[1]) & (picks[1] != picks[2]) & (picks[0] != picks[2])
    rows = np.arange(len(tenor))[:, None]
    chosen = np.stack(picks, axis=1)
    perp = view.panel.column(view.panel.instruments.code_of(registered.perp))
    column = np.concatenate([nodes.column[chosen], np.full((len(tenor), 1), perp)], axis=1)
    days = np.where(distinct[:, None], tenor[rows, chosen], np.nan)
    return np.where(distinct[:, None], column, -1), days, rate[rows, chosen], knots_of(tenor_days, days)


def _rolling(view: PreparedPanel, fit: CurveFit) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation of the past scores as of each grid time, ``[T]``."""
    registered, day = view.market.curve, view.panel.times_ns // NS_PER_DAY
    if registered is None:
        raise UsageError(f"{view.panel.underlying}: expected a curve, was none")
    centre, spread = np.full(len(day), np.nan), np.full(len(day), np.nan)
    for date in np.unique(day).tolist():
        here = day == date
        centre[here], spread[here] = rolling_score(view.curves, fit, registered, date)
    return centre, spread
