"""C8, perp pair: the perp of a DEX against that of a CEX, the corners of C6.  An example, no registered rule.

    gross = 1e4 * side * (D - C)/S      side = +1 sells the DEX perp D and buys the CEX perp C, -1 the reverse
    carry = the signed funding expected over the life, of both legs [S3.5]

Mids in USD.  Of the two sides the one with the larger gross + carry is judged.
"""

from __future__ import annotations

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.package_legs import absent, column_of, empty_scan, lacks_funding, two_sided_keys, watched_at
from engine.constraints.scan_cells import Scan, from_dense
from engine.costs.expected_funding import carry_bps, expected_rate
from engine.market.view import PreparedPanel
from engine.params import Fitted
from engine.records import LEGS, CodeArray, FloatArray, Keys, Packages
from engine.units import BPS

CODE = "C8"


def scan(view: PreparedPanel, fitted: Fitted | None, floor: float = -np.inf) -> Scan:
    """Return the score of both sides of the pair, ``[T, 2]``, the seller of the DEX perp first."""
    del fitted
    pair = _pair(view)
    if pair is None:
        return empty_scan(view, f"{view.panel.underlying}: no perp of a DEX and of a CEX", wings=0)
    life_ns = view.params.rules[CODE].life_ns
    there = watched_at(view, pair)
    gross = _gross_bps(view, pair)
    carry, charge = np.zeros_like(gross), np.zeros_like(gross)
    for column, sign in zip(pair, (1.0, -1.0), strict=True):
        price = view.usd[:, column] / view.spot_usd
        carry += sign * BPS * expected_rate(view, column, life_ns) * view.mid[:, column] * price
        charge += BPS * 2.0 * view.charge[:, column] * price
    known = ~np.isnan(gross + carry + charge) & there
    side = np.where(gross + carry >= 0.0, 1.0, -1.0)
    judged = np.where(side * gross > 0.0, side * (gross + carry) - charge, -np.inf)
    score = np.stack([np.where(side == which, judged, -np.inf) for which in (1.0, -1.0)], axis=1)
    score[~known] = np.nan
    return from_dense(
        view,
        _keys(view),
        score,
        np.empty((*score.shape, 0), dtype=np.int32),
        floor,
        examined=there.astype(np.int64),
        usable=known.astype(np.int64),
        violations=(known & (side * gross > 0.0)).astype(np.int64),
    )


def build(view: PreparedPanel, found: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the packages: legs are (DEX perp, CEX perp), one base unit each."""
    del fitted
    pair = _pair(view)
    assert pair is not None, "a package of a pair that the block does not hold"
    side = found.keys.side[key].astype(np.float64)
    column, quantity = absent(len(row))
    column[:, :2] = pair
    quantity[:, 0], quantity[:, 1] = -side, side
    return Packages(
        row=row,
        key=key,
        column=column,
        quantity=quantity,
        gross_bps=side * _gross_bps(view, pair)[row],
        carry_bps=carry_bps(view, row, column[:, :LEGS], quantity, view.params.rules[CODE].life_ns),
        detail={},
    )


def _keys(view: PreparedPanel) -> Keys:
    pair = _pair(view)
    return two_sided_keys(view, [] if pair is None else [pair])


def _pair(view: PreparedPanel) -> tuple[int, int] | None:
    """Panel columns (DEX perp, CEX perp); None where one is not there or shows no funding."""
    corners = view.market.four_corner
    if corners is None:
        return None
    dex, cex = column_of(view, corners.dex_perp), column_of(view, corners.cex_perp)
    return None if min(dex, cex) < 0 or any(lacks_funding(view, column) for column in (dex, cex)) else (dex, cex)


def _gross_bps(view: PreparedPanel, pair: tuple[int, int]) -> FloatArray:
    """What the seller of the DEX perp has, bps of S, ``[T]``."""
    dex, cex = (view.mid[:, column] * view.usd[:, column] for column in pair)
    return BPS * (dex - cex) / view.spot_usd


CONSTRAINT = Constraint(
    code=CODE,
    name="perp_pair",
    title="perp pair",
    rule="S2.C8",
    version=1,
    option_legs=False,
    roles=("dex_perp", "cex_perp"),
    scan=scan,
    build=build,
    keys=_keys,
)
