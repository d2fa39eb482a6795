"""The funding and basis curve of an underlying, its factors, and where today's curvature stands.  [S2.C5, statistics 9]

A curve is the annualised basis at the registered tenors: between the perp's funding at tenor 0 and each dated future's
``(F/S - 1) / tau`` it is linear, beyond them it is not known.  The factors are fitted on training curves only; the
score of curvature is compared with its own last days, ending the day before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.exact.jacobi import principal_components
from engine.market.funding import rates_a_year
from engine.market.view import PreparedPanel, cached_on_panel
from engine.params import Curve, CurveFit
from engine.records import BoolArray, CurveHistory, FloatArray, IntArray, Kind
from engine.units import NS_PER_DAY, NS_PER_YEAR

LEAST_NODES = 4
"""Quoted tenors under which a day has no curve.  [R9.1]"""
CURVES_PER_TENOR = 5
"""Curves per tenor under which a mean and a deviation of scores mean nothing.  [R9.6]"""
LEAST_SD = 1e-6
"""0.01 bps: a deviation of scores under it gives no signal.  [R9.5]"""
GAP_SHARE = 1e-4
"""Least distance of the third eigenvalue to its neighbours, as a share of the first.  [R9.4]"""
RANK_SHARE = 1e-12


@dataclass(frozen=True, slots=True)
class Nodes:
    """The quoted points of the curve, columns by tenor: the perp first, then the futures by (expiry, name)."""

    column: IntArray  # [J] panel columns of the futures
    tenor_days: FloatArray  # [T, 1 + J]; 0 for the perp
    rate: FloatArray  # [T, 1 + J] annualised; NaN where not usable


def curve_nodes(view: PreparedPanel, registered: Curve) -> Nodes | None:
    """Return the nodes, or None where the block has no such perp or no such future.  [R9.1]

    Perp: mean published rate of the trailing registered span, times settlements a year.  Future: ``(F/S - 1)/tau`` in
    USD, tau in years of 365 days; an expired future is no node.
    """
    panel, table = view.panel, view.panel.instruments
    perp = panel.column(table.code_of(registered.perp))
    futures = listed_futures(view, registered.futures_venue)
    if perp < 0 or not len(futures):
        return None
    funding = panel.funding_mean[:, perp] * rates_a_year(int(table.funding_interval_ns[panel.code[perp]]))
    left = table.expiry_ns[panel.code[futures]][None, :] - panel.times_ns[:, None]
    # At its expiry tau is 0 and the annualised basis is not defined.
    years = np.where(left > 0, left / NS_PER_YEAR, np.nan)
    basis = (view.mid[:, futures] * view.usd[:, futures] / view.spot_usd[:, None] - 1.0) / years
    tenor = np.concatenate([np.zeros((len(left), 1)), left / NS_PER_DAY], axis=1)
    return Nodes(futures, tenor, np.concatenate([funding[:, None], basis], axis=1))


def listed_futures(view: PreparedPanel, venue: str) -> IntArray:
    """Return the panel columns of the dated futures of ``venue``, int64, ``[J]``, by (expiry, name)."""
    panel, table = view.panel, view.panel.instruments
    dated = (table.kind[panel.code] == Kind.FUTURE).tolist()
    futures = [
        (int(table.expiry_ns[c]), table.name[c], n)
        for n, c in enumerate(panel.code.tolist())
        if dated[n] and table.venue[c] == venue and table.underlying[c] == panel.underlying
    ]
    return np.array([n for _, _, n in sorted(futures)], dtype=np.int64)


def constant_maturities(nodes: Nodes, tenor_days: Sequence[float]) -> FloatArray:
    """Return the curve at ``tenor_days``, ``[T, m]``: linear between usable nodes, NaN beyond them.  [R9.1]

    Rows with fewer than four usable nodes are NaN throughout.
    """
    usable = ~np.isnan(nodes.rate)
    x, target = nodes.tenor_days[:, None, :], np.array(tenor_days)[:, None]
    below, above = usable[:, None, :] & (x <= target), usable[:, None, :] & (x >= target)  # [T, m, J]
    rows, last = np.arange(len(usable))[:, None], usable.shape[1] - 1
    low, high = last - below[:, :, ::-1].argmax(axis=2), above.argmax(axis=2)
    known = below.any(axis=2) & above.any(axis=2) & (np.count_nonzero(usable, axis=1) >= LEAST_NODES)[:, None]
    line = _between(
        target[:, 0], nodes.tenor_days[rows, low], nodes.rate[rows, low], nodes.tenor_days[rows, high],
        nodes.rate[rows, high],
    )  # fmt: skip
    return np.where(known, line, np.nan)


def _between(target: FloatArray, x0: FloatArray, y0: FloatArray, x1: FloatArray, y1: FloatArray) -> FloatArray:
    """The straight line through two points, and the point itself where both are one."""
    same = x0 == x1
    # Both branches are evaluated: without the 1.0 a tenor on a node would divide by zero.
    line = y0 + (y1 - y0) * (target - x0) / np.where(same, 1.0, x1 - x0)
    return np.where(same, y0, line)


@cached_on_panel
def quoted_curve(view: PreparedPanel) -> tuple[Nodes | None, FloatArray]:
    """Return the nodes and the curve of the registered tenors, ``[T, m]``; None where the rule has no nodes.

    Many fits read the curve of one block, so it is computed once.
    """
    registered = view.market.curve
    nodes = curve_nodes(view, registered) if registered else None
    if registered is None or nodes is None:
        return None, np.empty((view.panel.shape[0], 0))
    return nodes, constant_maturities(nodes, registered.tenor_days)


def block_curves(view: PreparedPanel) -> CurveHistory:
    """Return the curves of the block's days at 00:00 UTC, complete ones only: what the replay carries on.  [R9.1]

    A day's curve is that of its first grid time, which is 00:00 on a regular grid; a block that begins within a day
    must not be the first of that day.
    """
    registered = view.market.curve
    nodes, curve = quoted_curve(view)
    if registered is None or nodes is None:
        return CurveHistory(np.empty(0, dtype=np.int64), np.empty((0, len(registered.tenor_days) if registered else 0)))
    day, first = np.unique(view.panel.times_ns // NS_PER_DAY, return_index=True)
    opening = curve[first]
    whole = ~np.isnan(opening).any(axis=1)
    return CurveHistory(day[whole], opening[whole])


def extend_curves(history: CurveHistory, block: CurveHistory) -> CurveHistory:
    """Return ``history`` followed by the days of ``block`` that are later than its last."""
    if not len(history.day):
        return block
    # A day's curve is that of its first block: a later block of the day must not replace it.
    later = block.day > history.day[-1]
    return CurveHistory(
        np.concatenate([history.day, block.day[later]]), np.concatenate([history.curve, block.curve[later]])
    )


def days_between(history: CurveHistory, first_day: int, last_day: int) -> CurveHistory:
    """Return the curves of the days ``first_day <= day <= last_day``."""
    inside = (history.day >= first_day) & (history.day <= last_day)
    return CurveHistory(history.day[inside], history.curve[inside])


def fit_curve(history: CurveHistory, registered: Curve, *, fold: int, z_threshold: float) -> CurveFit:
    """Return the factors of the training curves ``history``; ``z_threshold`` is chosen elsewhere.  [R9.2-R9.6]

    ``identified`` is False, with the reason, for fewer than ``min_curves`` curves or five a tenor, for eigenvalues too
    close to name curvature, for a rank deficiency, and for a third loading that does not change sign exactly twice.
    ``train_mean`` and ``train_sd`` are those of the training scores: the frozen constants of R9.5.
    """
    curves: list[list[float]] = history.curve.tolist()
    tenors = len(registered.tenor_days)
    # `principal_components` takes first differences and needs three curves.
    needed = max(registered.min_curves, CURVES_PER_TENOR * tenors, 3)
    if len(curves) < needed or tenors < 3:
        return _unidentified(registered, fold, z_threshold, f"{len(curves)} curves, {needed} needed")
    mean, loadings, values = principal_components(curves)
    scores = [score_of(curve, mean, loadings[2]) for curve in curves]
    centre, spread = mean_and_sd(scores)
    reason = _why_unidentified(values, loadings[2], spread)
    total = math.fsum(values)
    return CurveFit(
        fold=fold,
        identified=not reason,
        reason=reason,
        tenor_days=registered.tenor_days,
        mean=tuple(mean),
        loadings=tuple(tuple(vector) for vector in loadings[:3]),
        shares=tuple(value / total if total > 0.0 else 0.0 for value in values[:3]),
        z_threshold=z_threshold,
        train_mean=centre,
        train_sd=spread,
    )


def score_of(curve: Sequence[float], mean: Sequence[float], loading: Sequence[float]) -> float:
    """Return ``v'(y - mean)``, summed left to right, as `scores` does for whole blocks."""
    total = 0.0
    for y, centre, weight in zip(curve, mean, loading, strict=True):
        total += weight * (y - centre)
    return total


def scores(curve: FloatArray, mean: Sequence[float], loading: Sequence[float]) -> FloatArray:
    """Return `score_of` of each row of ``curve``, ``[T]``."""
    total = np.zeros(len(curve))
    for m, (centre, weight) in enumerate(zip(mean, loading, strict=True)):
        total += weight * (curve[:, m] - centre)
    return total


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation (divisor n-1); (NaN, NaN) for fewer than two values."""
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    mean = math.fsum(values) / n
    return mean, math.sqrt(math.fsum((v - mean) * (v - mean) for v in values) / (n - 1))


def rolling_score(history: CurveHistory, fit: CurveFit, registered: Curve, day: int) -> tuple[float, float]:
    """Return mean and deviation of the curvature scores of the ``z_window_days`` days that end the day before ``day``.

    NaN, hence no signal, for fewer than five curves a tenor in the window or a deviation under 0.01 bps.  [R9.5, R9.6]
    """
    # It ends the day before: today's score is not among those it is compared with.  [R9.5]
    window = days_between(history, day - registered.z_window_days, day - 1)
    past: list[float] = scores(window.curve, fit.mean, fit.loadings[2]).tolist()
    if len(past) < CURVES_PER_TENOR * len(registered.tenor_days):
        return math.nan, math.nan
    mean, spread = mean_and_sd(past)
    return (mean, spread) if spread >= LEAST_SD else (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Knots:
    """Where some tenors lie among the registered ones, of the shape of the tenors."""

    at: IntArray  # the knot on the left
    run: FloatArray  # days from it
    width: FloatArray  # days to the next
    first: BoolArray  # at the first knot or before
    last: BoolArray


def knots_of(tenor_days: Sequence[float], tenor: FloatArray) -> Knots:
    """Return where ``tenor``, days, of any shape, lies among the m ``tenor_days``, which ascend."""
    knot = np.array(tenor_days)
    at = np.clip(np.searchsorted(knot, tenor, side="right") - 1, 0, len(knot) - 2)
    return Knots(at, tenor - knot[at], np.diff(knot)[at], tenor <= knot[0], tenor >= knot[-1])


def at_knots(values: Sequence[float], knots: Knots) -> FloatArray:
    """Return the m ``values`` of the registered tenors at other tenors, of the shape of these; NaN tenors give NaN.

    Linear between the registered tenors, flat beyond the ends.

    >>> at_knots([1.0, 2.0, 4.0], knots_of([7.0, 30.0, 60.0], np.array([5.0, 45.0]))).tolist()
    [1.0, 3.0]
    """
    level = np.array(values)
    line = level[knots.at] + np.diff(level)[knots.at] * knots.run / knots.width
    interpolated: FloatArray = np.where(knots.first, level[0], np.where(knots.last, level[-1], line))
    return interpolated


def changes_sign(vector: Sequence[float]) -> int:
    """Return how often the entries change sign, zeros left out."""
    signs = [x > 0.0 for x in vector if x != 0.0]
    return sum(a != b for a, b in pairwise(signs))


def _why_unidentified(values: Sequence[float], curvature: Sequence[float], spread: float) -> str:
    """The reason of R9.4 against naming the third component curvature, or ""."""
    first, second, third = values[:3]
    fourth = values[3] if len(values) > 3 else 0.0
    # Before the gaps, which are shares of the first eigenvalue.
    if first <= 0.0 or third <= RANK_SHARE * first:
        return "rank deficient"
    if (second - third) / first < GAP_SHARE:
        return "second and third eigenvalue too close"
    if (third - fourth) / first < GAP_SHARE:
        return "third and fourth eigenvalue too close"
    if changes_sign(curvature) != 2:
        return f"third loading changes sign {changes_sign(curvature)} times, not twice"
    return "" if spread >= LEAST_SD else "deviation of the scores under 0.01 bps"


def _unidentified(registered: Curve, fold: int, z_threshold: float, reason: str) -> CurveFit:
    """The fit of a training span that is too short: nothing is estimated, nothing is emitted."""
    return CurveFit(fold, False, reason, registered.tenor_days, (), (), (), z_threshold, math.nan, math.nan)


def fly_weights(level: FloatArray, slope: FloatArray) -> FloatArray:
    """Return the weights of (near wing, belly, far wing) that level and slope do not move, ``[T, 3]``.  [S2.C5]

    ``level`` and ``slope`` are the loadings at the three tenors, ``[T, 3]``.  Their cross product, scaled to
    ``sum |w| = 2`` with the belly sold; NaN where the loadings do not determine it.

    >>> fly_weights(np.array([[1.0, 1.0, 1.0]]), np.array([[-1.0, 0.0, 1.0]])).tolist()
    [[0.5, -1.0, 0.5]]
    """
    raw = np.stack(
        [
            level[:, 1] * slope[:, 2] - level[:, 2] * slope[:, 1],
            level[:, 2] * slope[:, 0] - level[:, 0] * slope[:, 2],
            level[:, 0] * slope[:, 1] - level[:, 1] * slope[:, 0],
        ],
        axis=1,
    )
    size = np.abs(raw[:, 0]) + np.abs(raw[:, 1]) + np.abs(raw[:, 2])
    scale = np.where(raw[:, 1] > 0.0, -2.0, 2.0) / np.where((size > 0.0) & (raw[:, 1] != 0.0), size, np.nan)
    weight: FloatArray = raw * scale[:, None]
    return weight
