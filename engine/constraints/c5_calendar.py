"""C5, calendar: the curvature of the funding and basis curve against its own last days.  [S2.C5, statistics 9]

    c_t = v3'(y_t - mean of train)             y_t the curve at constant maturities now
    z_t = (c_t - mean(c)) / sd(c)              over the 60 days ending the day before
    score_bps    = 1e4 |c_t - mean(c)| |sum w_i tau_i v3_i|
    residual_bps = -1e4 sum w_i tau_i (y_i - fit_i)         fit_i = mean + c1 v1 + c2 v2 + mean(c) v3
    gross = the smaller of both
    carry = funding of the perp leg - 1e4 sum w_i y_i life      roll-down at unchanged yields

Legs and weights are those of `engine.constraints.curve_package`: three futures and the perp, without coin, so that they
gain when the score returns; z > 0 is side +1.  The package fires only while |z|, to nine places, reaches the fold's
threshold.  The key's short leg is the belly where it is sold, else the far wing, else the near wing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.curve_package import FUTURES, NINE_PLACES, PERP, CurvePackage, curve_package
from engine.constraints.package_legs import absent, empty_packages, empty_scan, make_keys, take
from engine.constraints.scan_cells import Scan, from_dense
from engine.costs.expected_funding import expected_rate
from engine.market.curve import quoted_curve
from engine.market.view import PreparedPanel
from engine.params import CurveFit, Fitted
from engine.records import CodeArray, FloatArray, IntArray, Packages, Violations
from engine.units import BPS, NS_PER_YEAR, above_zero

CODE = "C5"
BELLY, NEAR, FAR = 1, 0, 2
LEG_ORDER = (BELLY, NEAR, FAR, PERP)
"""Order of the legs of a package, as places of `CurvePackage`."""
SOLD_FIRST = (BELLY, FAR, NEAR, PERP)
"""Order in which the key's short leg is looked for: the far wing is replaced by another contract less often."""


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
    The 58-day future is 25% a year over a flat curve:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import calendar
    >>> planted = calendar()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> scan(view, planted.fitted, floor=0.0).score.round(1).tolist()
    [42.9]
    """
    ready = _ready(view, fitted)
    if isinstance(ready, str):
        return empty_scan(view, ready, wings=FUTURES)
    package = curve_package(view, replace(ready, z_threshold=0.0))
    side = np.where(package.z >= 0.0, 1, -1)
    gross = package.gross_bps
    known = ~np.isnan(gross) & ~np.isnan(package.z)
    score = gross + side * _carry_bps(view, package) - BPS * 2.0 * _charges(view, package) / view.spot_usd
    known &= ~np.isnan(score)
    # A |z| under the re-arm share of its threshold has fallen, as a net under the re-arm level has.  [S4.2]
    stands = reaches_z(package.z, view.params.rearm_share * ready.z_threshold)
    score = np.where(above_zero(gross) & stands, score, -np.inf)

    # One key a (side, belly, sold leg): columns of the block that ever play the part.
    belly, short = package.column[:, BELLY], _short(package, side)
    table, code = view.panel.instruments, view.panel.code
    # Columns are below len(code), so the three numbers make one sortable integer.
    parts = ((side > 0) * len(code) + belly) * len(code) + short  # in the order of the three
    watched = [
        (1 if part >= len(code) * len(code) else -1, part // len(code) % len(code), part % len(code))
        for part in np.unique(parts[(belly >= 0) & (short >= 0)]).tolist()
    ]
    keys = make_keys(
        [table.venue[code[b]] for _, b, _ in watched],
        [int(table.expiry_ns[code[b]]) for _, b, _ in watched],
        [s for s, _, _ in watched],
        [int(code[h]) for _, _, h in watched],
    )
    dense = np.full((len(score), len(watched)), np.nan)
    for k, (s, b, h) in enumerate(watched):
        here = (side == s) & (belly == b) & (short == h)
        dense[:, k] = np.where(known, np.where(here, score, -np.inf), np.nan)
    wide = reaches_z(package.z, ready.z_threshold)
    futures = package.column[:, :FUTURES].astype(np.int32)
    cells = from_dense(
        view,
        keys,
        dense,
        np.broadcast_to(futures[:, None, :], (*dense.shape, FUTURES)),
        floor,
        examined=np.ones_like(known),
        usable=known,
        violations=known & above_zero(gross) & stands,
    )
    return replace(cells, gate=np.broadcast_to(wide[:, None], dense.shape), gate_reason="threshold")


def build(view: PreparedPanel, scanned: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the packages of chosen cells: legs are (belly, near wing, far wing, perp).  [S2.C5]

    ``row`` and ``key`` are cells of the scan, ``[M]`` each; the result has one package a cell, none where M is 0.
    ``detail`` holds z, its threshold, the score and its rolling mean, both readings of the gross in bps of S, positive
    on the side of z, and of each future the rate and the loading of curvature that the factors give it.
    """
    ready = _ready(view, fitted)
    if isinstance(ready, str):
        return empty_packages()  # a scan without inputs has no cells
    package = curve_package(view, replace(ready, z_threshold=0.0))
    side = scanned.keys.side[key].astype(np.float64)
    column, quantity = absent(len(row))
    for leg, place in enumerate(LEG_ORDER):
        column[:, leg] = package.column[row, place]
        quantity[:, leg] = side * package.weight[row, place]
    return Packages(
        row=row,
        key=key,
        column=column,
        quantity=quantity,
        gross_bps=package.gross_bps[row],
        carry_bps=side * _carry_bps(view, package)[row],
        detail={
            **{f"fitted_{leg}": package.fitted[row, place] for leg, place in enumerate(LEG_ORDER[:FUTURES])},
            **{f"curvature_{leg}": package.curvature[row, place] for leg, place in enumerate(LEG_ORDER[:FUTURES])},
            "z": package.z[row],
            "z_threshold": np.full(len(row), ready.z_threshold),
            "score": package.score[row],
            "score_mean": package.score_mean[row],
            "score_bps": side * package.score_bps[row],
            "residual_bps": side * package.residual_bps[row],
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


def _short(package: CurvePackage, side: IntArray) -> IntArray:
    """The panel column of the key's short leg, ``[T]``; -1 where the package is not known."""
    short = np.full(len(side), -1, dtype=np.int64)
    for place in reversed(SOLD_FIRST):
        short = np.where(side * package.weight[:, place] < 0.0, package.column[:, place], short)
    return short


def _carry_bps(view: PreparedPanel, package: CurvePackage) -> FloatArray:
    """Carry of side +1 over the rule's life, bps of S, ``[T]``: + is received; NaN where it is not known.  [S3.5]"""
    life_ns = view.params.rules[CODE].life_ns
    perp = int(package.column[:, PERP].max(initial=-1))
    if perp < 0:
        return np.full(len(package.z), np.nan)
    notional = package.weight[:, PERP] * view.mid[:, perp] * view.money[:, perp] / view.spot_usd
    rolled = package.weight[:, :FUTURES] * package.rate * (life_ns / NS_PER_YEAR)
    carry: FloatArray = -BPS * (
        notional * expected_rate(view, perp, life_ns) + rolled[:, 0] + rolled[:, 1] + rolled[:, 2]
    )
    return carry


def _charges(view: PreparedPanel, package: CurvePackage) -> FloatArray:
    """Half a round trip of the four legs, USD per base unit of package, ``[T]``; NaN without legs."""
    rows = np.arange(len(package.z))
    total = np.zeros(len(rows))
    for place in LEG_ORDER:
        column = package.column[:, place]
        at = (rows, np.maximum(column, 0))
        charge = np.abs(package.weight[:, place]) * view.charge[at] * view.money[at]
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
    version=2,
    option_legs=False,
    roles=("belly", "near_wing", "far_wing", "perp"),
    scan=scan,
    build=build,
)
