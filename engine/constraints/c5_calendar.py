"""C5, calendar: the curvature of the funding and basis curve against its own last days.  [S2.C5, statistics 9]

    c_t = v3'(y_t - mean of train)             y_t the curve at constant maturities now
    z_t = (c_t - mean(c)) / sd(c)              over the 60 days ending the day before
    w   solves sum w_i v1(tau_i) = sum w_i v2(tau_i) = 0, sum |w_i| = 2, i = near wing, belly, far wing
    gross = 1e4 side * -sum w_i tau_i (y_i - fit_i)        w with the belly sold
    fit_i = mean + c1 v1 + c2 v2 + mean(c) v3, at the future's own tenor

y_i is the annualised basis of the future, tau_i years: ``tau_i y_i`` is its premium over spot in units of S.  z > 0:
the belly is dear, sell it against the wings (side +1); z < 0 the reverse.  The package fires only while |z|, to nine
places, reaches the fold's threshold.  The short leg of side +1 is the belly, of side -1 the far wing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.package_legs import absent, empty_packages, empty_scan, make_keys, take
from engine.constraints.scan_cells import Scan, from_dense
from engine.errors import UsageError
from engine.market.curve import Knots, at_knots, fly_weights, knots_of, quoted_curve, rolling_score, scores
from engine.market.view import PreparedPanel
from engine.params import CurveFit, Fitted
from engine.records import CodeArray, FloatArray, IntArray, Packages, Violations
from engine.units import BPS, NS_PER_DAY, NS_PER_YEAR

CODE = "C5"
NINE_PLACES = 1e9
"""z is quantised to nine places before it meets its threshold.  [audit 10.2]"""


@dataclass(frozen=True, slots=True)
class Fly:
    """The trade of each grid time, ``[T]`` and ``[T, 3]`` in the order near wing, belly, far wing."""

    column: IntArray  # [T, 3] panel columns, -1 where there are no three distinct futures
    weight: FloatArray  # [T, 3] with the belly sold
    gap_bps: FloatArray  # gross of side +1
    fitted: FloatArray  # [T, 3] rates that the factors give the three futures
    z: FloatArray
    score: FloatArray  # c
    curvature_bps: FloatArray  # distance of the score from its mean, bps a year


def scan(view: PreparedPanel, fitted: Fitted | None, floor: float = -np.inf) -> Scan:
    """Return the score of both sides of the fly.  [S2.C5]

    Parameters
    ----------
    view : PreparedPanel
        The block, ``[T, N]``.
    fitted : Fitted or None
        The fold's fit of the curve; without one there is no key.
    floor : float
        Bps of S; cells with a lower score are left out.

    Returns
    -------
    Scan
        Keys are (belly, far wing, side) as they occur on the block;
        wings are the three futures.  No key, and ``missing`` names the input, where the block lacks one.

    Examples
    --------
    The 58-day future is 5% a year over a flat curve:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import calendar
    >>> planted = calendar()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> scan(view, planted.fitted, floor=0.0).score.round(1).tolist()
    [70.2]
    """
    ready = _ready(view, fitted)
    if isinstance(ready, str):
        return empty_scan(view, ready, wings=3)
    fly = _fly(view, replace(ready, z_threshold=0.0))
    known = ~np.isnan(fly.gap_bps) & ~np.isnan(fly.z)
    side = np.where(fly.z >= 0.0, 1, -1)
    gross = side * fly.gap_bps
    score = gross - BPS * 2.0 * _charges(view, fly) / view.spot_usd
    known &= ~np.isnan(score)
    # A |z| under the re-arm share of its threshold has fallen, as a net under the re-arm level has.  [S4.2]
    stands = reaches_z(fly.z, view.params.rearm_share * ready.z_threshold)
    score = np.where((gross > 0.0) & stands, score, -np.inf)

    # One key a (side, belly, sold leg): columns of the block that ever play the part.
    short = np.where(side > 0, fly.column[:, 1], fly.column[:, 2])
    table, code = view.panel.instruments, view.panel.code
    # Columns are below len(code), so the three numbers make one sortable integer.
    parts = ((side > 0) * len(code) + fly.column[:, 1]) * len(code) + short  # in the order of the three
    watched = [
        (1 if part >= len(code) * len(code) else -1, part // len(code) % len(code), part % len(code))
        for part in np.unique(parts[fly.column[:, 1] >= 0]).tolist()
    ]
    keys = make_keys(
        [table.venue[code[belly]] for _, belly, _ in watched],
        [int(table.expiry_ns[code[belly]]) for _, belly, _ in watched],
        [s for s, _, _ in watched],
        [int(code[h]) for _, _, h in watched],
    )
    dense = np.full((len(score), len(watched)), np.nan)
    for k, (s, belly, h) in enumerate(watched):
        here = (side == s) & (fly.column[:, 1] == belly) & (short == h)
        dense[:, k] = np.where(known, np.where(here, score, -np.inf), np.nan)
    wide = reaches_z(fly.z, ready.z_threshold)
    cells = from_dense(
        view,
        keys,
        dense,
        np.broadcast_to(fly.column.astype(np.int32)[:, None, :], (*dense.shape, 3)),
        floor,
        examined=np.ones_like(known),
        usable=known,
        violations=known & (gross > 0.0) & stands,
    )
    return replace(cells, gate=np.broadcast_to(wide[:, None], dense.shape), gate_reason="threshold")


def build(view: PreparedPanel, scanned: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the packages of chosen cells: legs are (belly, near wing, far wing).  [S2.C5]

    ``row`` and ``key`` are cells of the scan, ``[M]`` each; the result has one package a cell, none where M is 0.
    """
    ready = _ready(view, fitted)
    if isinstance(ready, str):
        return empty_packages()  # a scan without inputs has no cells
    fly = _fly(view, replace(ready, z_threshold=0.0))
    side = scanned.keys.side[key].astype(np.float64)
    column, quantity = absent(len(row))
    for leg, part in enumerate((1, 0, 2)):
        column[:, leg] = fly.column[row, part]
        quantity[:, leg] = side * fly.weight[row, part]
    return Packages(
        row=row,
        key=key,
        column=column,
        quantity=quantity,
        gross_bps=side * fly.gap_bps[row],
        carry_bps=np.zeros(len(row)),
        detail={f"fitted_{leg}": fly.fitted[row, part] for leg, part in enumerate((1, 0, 2))}
        | {
            "z": fly.z[row],
            "z_threshold": np.full(len(row), ready.z_threshold),
            "score": fly.score[row],
            "curvature_bps": fly.curvature_bps[row],
            "net_quantity": side * (fly.weight[row, 0] + fly.weight[row, 1] + fly.weight[row, 2]),
        },
    )


def _ready(view: PreparedPanel, fitted: Fitted | None) -> CurveFit | str:
    """The fit in force where the rule has all it needs, else the input that is lacking."""
    registered = view.market.curve
    name = view.panel.underlying
    if registered is None:
        return f"{name}: no registered curve"
    nodes, _ = quoted_curve(view)
    if nodes is None:
        perp = view.panel.column(view.panel.instruments.code_of(registered.perp))
        lacking = f"{registered.perp}: no perp" if perp < 0 else f"{registered.futures_venue}: no dated future"
        return f"{lacking} for the curve of {name}"
    if np.isnan(nodes.rate[:, 0]).all():
        return f"{registered.perp}: no perp funding node"
    if len(nodes.column) < 3:
        return f"{registered.futures_venue}: fewer than three dated futures for the curve of {name}"
    fit = fitted.curve.get(name) if fitted is not None else None
    if fit is None:
        return f"{name}: no fitted curve"
    if not fit.identified:
        return f"{name}: curvature unidentified, {fit.reason}"
    return fit


@lru_cache(maxsize=1)  # independent of the threshold of z: scan, build and all thresholds on a view share the last one
def _fly(view: PreparedPanel, fit: CurveFit) -> Fly:
    """The fly and its gap at each grid time; NaN where the curve, its past or a leg is not known."""
    _, curve = quoted_curve(view)
    level, slope, curvature = (scores(curve, fit.mean, loading) for loading in fit.loadings)
    centre, spread = _rolling(view, fit)
    column, tenor, rate, knots = _three(view, fit.tenor_days)
    v1, v2, v3 = (at_knots(loading, knots) for loading in fit.loadings)
    mean = at_knots(fit.mean, knots)
    weight = fly_weights(v1, v2)
    fitted_rate = mean + level[:, None] * v1 + slope[:, None] * v2 + centre[:, None] * v3
    gap = weight * (tenor * (NS_PER_DAY / NS_PER_YEAR)) * (rate - fitted_rate)
    return Fly(
        column=column,
        weight=weight,
        gap_bps=-BPS * (gap[:, 0] + gap[:, 1] + gap[:, 2]),
        fitted=fitted_rate,
        z=np.rint((curvature - centre) / spread * NINE_PLACES) / NINE_PLACES,
        score=curvature,
        curvature_bps=BPS * (curvature - centre),
    )


@lru_cache(maxsize=1)
def _three(view: PreparedPanel, tenor_days: tuple[float, ...]) -> tuple[IntArray, FloatArray, FloatArray, Knots]:
    """Panel columns, tenors in days and basis of (near wing, belly, far wing), each ``[T, 3]``, and their knots.

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
    column = np.where(distinct[:, None], nodes.column[chosen], -1)
    days = np.where(distinct[:, None], tenor[rows, chosen], np.nan)
    return column, days, rate[rows, chosen], knots_of(tenor_days, days)


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


def _charges(view: PreparedPanel, fly: Fly) -> FloatArray:
    """Half a round trip of the three legs, USD per base unit of package, ``[T]``; NaN without legs."""
    rows = np.arange(len(fly.z))
    total = np.zeros(len(rows))
    for leg in range(3):
        column = fly.column[:, leg]
        at = (rows, np.maximum(column, 0))
        charge = np.abs(fly.weight[:, leg]) * view.charge[at] * view.usd[at]
        total += np.where(column >= 0, charge, np.nan)
    return total


def reaches_z(z: FloatArray, threshold: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return where |z| reaches its threshold, both in units of 1e-9, bool of the shape of ``z``; NaN never does.

    Compared as whole numbers, so that a z that differs in its last bits between machines fires on both.  [audit 10.2]
    """
    return np.asarray(np.rint(np.abs(z) * NINE_PLACES) >= np.rint(threshold * NINE_PLACES))


def rethreshold(violations: Violations, z_threshold: float, rearm_share: float) -> Violations:
    """Return the violations of C5 at a higher threshold of |z|, out of those at a lower one.  [R9.7]

    A package fires if |z| reaches the threshold, and its key re-arms once |z| is under the re-arm share of it: packages
    at a higher threshold are among those at a lower one, and only whether they fire changes.

    Parameters
    ----------
    violations : Violations
        C5 as `detect` finds it at some threshold; ``packages.detail["z"]`` has the z-scores.
    z_threshold : float
        The threshold wanted, in standard deviations; not lower than that of ``violations``.
    rearm_share : float
        Share of the threshold under which a key re-arms.

    Returns
    -------
    Violations
        Equal to what `detect` finds at ``z_threshold``, to the bit, but ``funnel`` and ``best_bps``, which stay those
        of the lower threshold: emission reads neither.
    """
    z = violations.packages.detail.get("z", np.empty(0))
    keep = reaches_z(z, rearm_share * z_threshold)
    packages, costs, net = take(violations.packages, violations.costs, violations.net_bps, keep)
    packages = replace(packages, detail={**packages.detail, "z_threshold": np.full(len(packages), z_threshold)})
    wide = reaches_z(z[keep], z_threshold).tolist()
    reason = tuple(
        why or ("" if reaches else "threshold")
        for why, reaches in zip(np.array(violations.reason, dtype=object)[keep].tolist(), wide, strict=True)
    )
    fires = np.array([why == "" for why in reason], dtype=np.bool_)
    return replace(violations, packages=packages, costs=costs, net_bps=net, fires=fires, reason=reason)


CONSTRAINT = Constraint(
    code=CODE,
    name="calendar",
    title="calendar curvature",
    rule="S2.C5",
    version=1,
    option_legs=False,
    roles=("belly", "near_wing", "far_wing"),
    scan=scan,
    build=build,
)
