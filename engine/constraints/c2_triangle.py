"""C2, triangle: two perps of one coin, in USDC and in USDT, against the spot rate of the two dollars.  [S2.C2]

    x = P_usdt / (P_usdc * FX) - 1      FX in USDT per USDC
    gross = 1e4 |x|

x > 0 (side +1): sell the USDT perp, buy the USDC perp, buy USDC with USDT; x < 0 the reverse.  Legs are of equal base
notional: one coin of each perp, and ``P_usdc`` units of USDC.  Then the package's value moves by ``-P_usdc * dx`` to
first order, whatever the coin and the dollars do: ``-dP_usdt / FX + dP_usdc + P_usdc * dFX / FX``.
"""

from __future__ import annotations

import numpy as np

from engine.constraints.base import Constraint, RegisteredInput
from engine.constraints.package_legs import absent, column_of, empty_scan, lacks_funding, two_sided_keys, watched_at
from engine.constraints.scan_cells import Scan, from_dense
from engine.costs.expected_funding import carry_bps
from engine.market.view import PreparedPanel
from engine.params import Fitted, TrianglePair
from engine.records import CodeArray, FloatArray, Keys, Packages
from engine.units import BPS, above_zero

CODE = "C2"


def scan(view: PreparedPanel, fitted: Fitted | None, floor: float = -np.inf) -> Scan:
    """Return the score of both sides of every registered triangle.  [S2.C2]

    Parameters
    ----------
    view : PreparedPanel
        The block, ``[T, N]``.
    fitted : Fitted or None
        Not used.
    floor : float
        Bps of S; cells with a lower score are left out.

    Returns
    -------
    Scan
        Keys are (triangle, side), the seller of the USDT perp first.  No key, and ``missing`` names the input, where
        the block lacks one.

    Examples
    --------
    The USDC perp costs 1% less than the USDT perp:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import triangle
    >>> planted = triangle()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> scan(view, None, floor=0.0).score.round(1).tolist()
    [59.7]
    """
    del fitted
    triangles = _triangles(view)
    if not triangles:
        return empty_scan(view, _missing(view), wings=0)
    keys = _keys(view)
    score = np.full((len(view.panel.times_ns), len(keys)), -np.inf)
    every = np.arange(len(score), dtype=np.int32)
    examined, usable, violations = np.zeros((3, len(score)), dtype=np.int64)
    for number, (usdc, usdt, fx) in enumerate(triangles):
        there = watched_at(view, (usdc, usdt, fx))
        x = _gap(view, usdc, usdt)
        columns, units = _legs(view, every, usdc, usdt, fx)
        # Carry and charge of side +1; of side -1 the carry changes its sign.
        carry = carry_bps(view, every, columns, units, view.params.rules[CODE].life_ns)
        charge = (
            view.charge[:, usdt] * view.money[:, usdt]
            + view.charge[:, usdc] * view.money[:, usdc]
            + view.charge[:, fx] * view.money[:, fx] * units[:, 2]
        )
        side = np.where(x >= 0.0, 1.0, -1.0)
        judged = BPS * side * x + side * carry - BPS * 2.0 * charge / view.spot_usd
        # A gap of exactly 0 is evaluated and no violation, so persistence is not reset there.
        gap = above_zero(BPS * np.abs(x))
        judged = np.where(np.isnan(judged) | gap, judged, -np.inf)
        known = ~np.isnan(judged) & there
        for column, which in ((2 * number, 1.0), (2 * number + 1, -1.0)):
            score[:, column] = np.where(known, np.where(side == which, judged, -np.inf), np.nan)
        examined += there
        usable += known
        violations += known & gap
    wing = np.empty((*score.shape, 0), dtype=np.int32)
    return from_dense(view, keys, score, wing, floor, examined=examined, usable=usable, violations=violations)


def _keys(view: PreparedPanel) -> Keys:
    return two_sided_keys(view, [(usdt, usdc) for usdc, usdt, _ in _triangles(view)])


def build(view: PreparedPanel, scanned: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the packages of chosen cells: legs are (USDT perp, USDC perp, dollar pair).  [S2.C2]

    ``row`` and ``key`` are cells of the scan, ``[M]`` each; the result has one package a cell, none where M is 0.
    """
    del fitted
    column, quantity = absent(len(row))
    side = scanned.keys.side[key].astype(np.float64)
    gaps = np.empty(len(row))
    for number, (usdc, usdt, fx) in enumerate(_triangles(view)):
        here = np.flatnonzero(key // 2 == number)
        column[here], quantity[here] = _legs(view, row[here], usdc, usdt, fx)
        gaps[here] = _gap(view, usdc, usdt)[row[here]]
    quantity *= side[:, None]
    carry = carry_bps(view, row, column, quantity, view.params.rules[CODE].life_ns)
    return Packages(row, key, column, quantity, BPS * side * gaps, carry)


def _gap(view: PreparedPanel, usdc: int, usdt: int) -> FloatArray:
    """x, ``[T]``: both perps in one dollar by the table that converts every package.  [venues V1]"""
    price: FloatArray = view.mid[:, usdt] * view.usd[:, usdt] / (view.mid[:, usdc] * view.usd[:, usdc])
    return price - 1.0


def _legs(view: PreparedPanel, row: CodeArray, usdc: int, usdt: int, fx: int) -> tuple[CodeArray, FloatArray]:
    """Columns and quantities of side +1 at ``row``."""
    column, quantity = absent(len(row))
    column[:, 0], column[:, 1], column[:, 2] = usdt, usdc, fx
    # P_usdc dollars: then neither the coin nor one of the dollars moves the package.
    quantity[:, 0], quantity[:, 1], quantity[:, 2] = -1.0, 1.0, view.mid[row, usdc]
    return column, quantity


def _roles(pair: TrianglePair) -> tuple[tuple[str, str], ...]:
    return ((pair.perp_usdc, "USDC perp"), (pair.perp_usdt, "USDT perp"), (pair.fx, "spot pair of the dollars"))


def _triangles(view: PreparedPanel) -> list[tuple[int, int, int]]:
    """Panel columns (USDC perp, USDT perp, dollar pair) of the triangles that the panel holds, with their funding."""
    triangles = []
    for pair in view.market.triangle:
        usdc, usdt, fx = (column_of(view, name) for name, _ in _roles(pair))
        if min(usdc, usdt, fx) >= 0 and not (lacks_funding(view, usdc) or lacks_funding(view, usdt)):
            triangles.append((usdc, usdt, fx))
    return triangles


def _missing(view: PreparedPanel) -> str:
    """The first input that is lacking, in the order of the registered triangles."""
    lacking = [each.missing for each in _inputs(view) if each.missing]
    none = f"{view.panel.underlying}: no registered triangle of a USDC perp and a USDT perp of one venue"
    return lacking[0] if lacking else none


def _inputs(view: PreparedPanel) -> tuple[RegisteredInput, ...]:
    return tuple(
        RegisteredInput(f"{pair.perp_usdc} / {pair.perp_usdt} / {pair.fx}", _lack(view, pair))
        for pair in view.market.triangle
    )


def _lack(view: PreparedPanel, pair: TrianglePair) -> str | None:
    """What the block lacks of a triangle, None where it has all legs and the funding."""
    for name, role in _roles(pair):
        if column_of(view, name) < 0:
            return f"{name}: no {role}"
        # A spot pair pays no funding.
        if name != pair.fx and lacks_funding(view, column_of(view, name)):
            return f"{name}: no funding rate"
    return None


CONSTRAINT = Constraint(
    code=CODE,
    name="triangle",
    title="triangle",
    rule="S2.C2",
    version=1,
    option_legs=False,
    roles=("perp_usdt", "perp_usdc", "fx"),
    scan=scan,
    build=build,
    keys=_keys,
    inputs=_inputs,
)
