"""C6, four corners: DEX perp, CEX perp, options' synthetic forward and spot, as spot prices in one dollar.  [S2.C6]

    perp       P (1 + phi)                      phi the funding a long is expected to pay over the planned life
    synthetic  F / (1 + hT), F = K / (1 - (c - p)) for premiums in coin, K + (C - P)(1 + hT) for premiums in USD
    spot       its mid
    gross = 1e4 (max - min) / S

Sell the dearest corner, buy the cheapest: one unit of USD delta each, the synthetic being F/K pairs of call - put for
premiums in coin, whose profit is in coin, and one pair for premiums in USD.  It stands at
the nearest expiry beyond the registered minimum, at the usable strike nearest S (the lower on ties).  Three usable
corners are enough; fewer than four are recorded with the package.  Ties go to the corner named first above.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.options.synthetic_forward import Synthetic, nearest_synthetic
from engine.constraints.package_legs import absent, column_of, empty_packages, empty_scan, lacks_funding, make_keys
from engine.constraints.scan_cells import Scan, from_dense
from engine.costs.expected_funding import expected_rate
from engine.market.view import PreparedPanel
from engine.params import Fitted, FourCorners
from engine.records import BoolArray, CodeArray, FloatArray, Packages
from engine.units import BPS, above_zero

CODE = "C6"
DEX, CEX, SYNTHETIC, SPOT = range(4)
CORNERS = ("DEX perp", "CEX perp", "synthetic", "spot")
NEEDED = 3
"""The least number of usable corners.  [S2.C6]"""


def scan(view: PreparedPanel, fitted: Fitted | None, floor: float = -np.inf) -> Scan:
    """Return the score of the dearest corner against the cheapest.  [S2.C6]

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
        Keys are the legs that may be sold: dex, cex, spot, then every call of the synthetic;
        wings are the four legs.  No key, and ``missing`` names the input, where fewer than three corners are there.

    Examples
    --------
    The DEX perp costs 1.5% more than all others:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import four_corner
    >>> planted = four_corner()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> scan(view, None, floor=0.0).score.round(1).tolist()
    [130.5]
    """
    del fitted
    registered = view.market.four_corner
    if registered is None:
        return empty_scan(view, f"{view.panel.underlying}: no registered DEX perp, CEX perp, options and spot", wings=4)
    perps = _linear_columns(view, registered)
    synthetic = nearest_synthetic(view, registered.option_venue, registered.min_expiry_ns)
    absentees = _absent_inputs(registered, perps, synthetic)
    # Three corners are enough, so one may be absent from the whole block.  [S2.C6]
    if len(absentees) > 4 - NEEDED:
        return empty_scan(view, absentees[0], wings=4)

    value = _values(view, perps, synthetic)
    corners = np.count_nonzero(~np.isnan(value), axis=1)
    enough = corners >= NEEDED
    # argmax and argmin return the first of equals: ties go to the corner that the rule names first.
    dear = np.where(np.isnan(value), -np.inf, value).argmax(axis=1)
    cheap = np.where(np.isnan(value), np.inf, value).argmin(axis=1)
    rows = np.arange(len(value))
    gross = np.where(enough, BPS * (value[rows, dear] - value[rows, cheap]) / view.spot_usd, np.nan)

    wing = _legs(perps, synthetic, dear, cheap)
    score = gross - BPS * 2.0 * _charges(view, wing, synthetic.pairs) / view.spot_usd
    score = np.where(np.isnan(score) | above_zero(gross), score, -np.inf)
    sellable, keys_short = _short_columns(perps, synthetic)
    table, code = view.panel.instruments, view.panel.code
    shorts = [int(code[at]) for at in sellable]
    keys = make_keys(
        [table.venue[c] for c in shorts], [int(table.expiry_ns[c]) for c in shorts], [1] * len(shorts), shorts
    )
    sold = wing[:, :1] == keys_short[None, :]
    known = ~np.isnan(score)
    dense = np.where(known[:, None], np.where(sold, score[:, None], -np.inf), np.nan)
    cells = from_dense(
        view,
        keys,
        dense,
        np.broadcast_to(wing[:, None, :], (*dense.shape, 4)),
        floor,
        # The corners of a grid time are one package, whatever its quotes are worth.
        examined=np.ones_like(known),
        usable=known,
        violations=known & above_zero(gross),
    )
    return replace(cells, gate=_open_gate(dense, registered), gate_reason="skew")


def build(view: PreparedPanel, scanned: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the packages of chosen cells: the dear corner's legs are sold, the cheap one's bought.  [S2.C6]

    ``row`` and ``key`` are cells of the scan, ``[M]`` each; the result has one package a cell, none where M is 0.
    """
    del fitted
    registered = view.market.four_corner
    if registered is None:
        # A scan without inputs has no cells.
        return empty_packages()
    perps = _linear_columns(view, registered)
    synthetic = nearest_synthetic(view, registered.option_venue, registered.min_expiry_ns)
    value = _values(view, perps, synthetic)[row]
    top = np.where(np.isnan(value), -np.inf, value).max(axis=1)
    bottom = np.where(np.isnan(value), np.inf, value).min(axis=1)
    wing = scanned.wings_at(row, key)

    column, quantity = absent(len(row))
    column[:] = wing
    quantity[:] = _quantities(wing, synthetic.pairs[row])
    # Legs stand first, absent ones last: sold corner, then bought corner.
    order = np.argsort(column < 0, axis=1, kind="stable")
    column = np.take_along_axis(column, order, axis=1)
    quantity = np.take_along_axis(quantity, order, axis=1)
    return Packages(
        row=row,
        key=key,
        column=column,
        quantity=quantity,
        gross_bps=BPS * (top - bottom) / view.spot_usd[row],
        # The corners' prices hold the expected funding already.  [S2.C6]
        carry_bps=np.zeros(len(row)),
        detail={"corners": np.count_nonzero(~np.isnan(value), axis=1).astype(np.float64)}
        | _ages(view, row, perps, synthetic),
    )


def corner_prices(view: PreparedPanel) -> FloatArray | None:
    """Return the spot-equivalent price of the `CORNERS` in one dollar, ``[T, 4]``, NaN where one is not usable.

    None for a coin without registered corners.  [S2.C6]

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import four_corner
    >>> planted = four_corner()
    >>> prices = corner_prices(prepare(planted.market.block(), planted.params, planted.curves))
    >>> (prices[0] / prices[0, 3]).round(3).tolist()
    [1.015, 1.0, 1.0, 1.0]
    """
    registered = view.market.four_corner
    if registered is None:
        return None
    synthetic = nearest_synthetic(view, registered.option_venue, registered.min_expiry_ns)
    return _values(view, _linear_columns(view, registered), synthetic)


def _values(view: PreparedPanel, perps: list[int], synthetic: Synthetic) -> FloatArray:
    """Spot-equivalent price of the corners in one dollar, ``[T, 4]`` in the order dex, cex, synthetic, spot."""
    value = np.full((len(view.panel.times_ns), 4), np.nan)
    life_ns = view.params.rules[CODE].life_ns
    for corner, column in zip((DEX, CEX, SPOT), perps, strict=True):
        if column < 0:
            continue
        price = view.mid[:, column] * view.usd[:, column]
        if corner != SPOT:
            price = price * (1.0 + expected_rate(view, column, life_ns))
        value[:, corner] = price
    value[:, SYNTHETIC] = synthetic.spot_usd
    # Without S no gross in bps exists, though the corners have prices.
    value[np.isnan(view.spot_usd)] = np.nan
    return value


def _legs(perps: list[int], synthetic: Synthetic, dear: CodeArray, cheap: CodeArray) -> CodeArray:
    """Columns (sold, put bought with it, bought, put sold with it), ``[T, 4]``, -1 where there is none."""
    rows = len(synthetic.call)
    first = np.full((rows, 4), -1, dtype=np.int32)
    second = np.full((rows, 4), -1, dtype=np.int32)
    for corner, column in zip((DEX, CEX, SPOT), perps, strict=True):
        first[:, corner] = column
    first[:, SYNTHETIC], second[:, SYNTHETIC] = synthetic.call, synthetic.put
    every = np.arange(rows)
    return np.stack([first[every, dear], second[every, dear], first[every, cheap], second[every, cheap]], axis=1)


def _quantities(wing: CodeArray, pairs: FloatArray) -> FloatArray:
    """Signed base units of the four legs, ``[M, 4]``, 0 where none: a corner with a put beside it is the synthetic."""
    sold = np.where(wing[:, 1] >= 0, pairs, 1.0)
    bought = np.where(wing[:, 3] >= 0, pairs, 1.0)
    quantity: FloatArray = np.where(wing >= 0, np.stack([-sold, sold, bought, -bought], axis=1), 0.0)
    return quantity


def _charges(view: PreparedPanel, wing: CodeArray, pairs: FloatArray) -> FloatArray:
    """Half a round trip of all legs, USD per base unit of package, ``[T]``."""
    rows = np.arange(len(wing))
    quantity = np.abs(_quantities(wing, pairs))
    total = np.zeros(len(wing))
    for leg in range(4):
        at = (rows, np.maximum(wing[:, leg], 0))
        total += np.where(wing[:, leg] >= 0, quantity[:, leg] * view.charge[at] * view.money[at], 0.0)
    return total


def _short_columns(perps: list[int], synthetic: Synthetic) -> tuple[list[int], CodeArray]:
    """Columns that may be the sold leg, as a list and as an array."""
    calls = np.unique(synthetic.call[synthetic.call >= 0]).tolist()
    columns = [c for c in perps if c >= 0] + calls
    return columns, np.array(columns, dtype=np.int32)


def _ages(view: PreparedPanel, row: CodeArray, perps: list[int], synthetic: Synthetic) -> dict[str, FloatArray]:
    """Age of each corner's quote in seconds, NaN where the corner is not usable; of the synthetic its older leg."""
    ages = {}
    for name, column in zip(("dex", "cex", "spot"), perps, strict=True):
        at = (row, np.full(len(row), max(column, 0)))
        age = view.panel.age_ns[at] / 1e9
        ages[f"age_{name}_s"] = np.where(view.usable[at] & (column >= 0), age, np.nan)
    call, put = synthetic.call[row], synthetic.put[row]
    pair = np.maximum(view.panel.age_ns[row, np.maximum(call, 0)], view.panel.age_ns[row, np.maximum(put, 0)])
    ages["age_synthetic_s"] = np.where(call >= 0, pair / 1e9, np.nan)
    return ages


def _open_gate(dense: FloatArray, registered: FourCorners) -> BoolArray | None:
    """Corners that are not simultaneous are reported and never fire.  [spec README, data and grid]"""
    return np.zeros(dense.shape, dtype=np.bool_) if registered.mids_only else None


def _linear_columns(view: PreparedPanel, registered: FourCorners) -> list[int]:
    """Panel columns of DEX perp, CEX perp and spot; -1 where the block lacks the corner, or a perp's funding."""
    columns = [column_of(view, name) for name in (registered.dex_perp, registered.cex_perp, registered.spot)]
    return [c if c >= 0 and not lacks_funding(view, c) else -1 for c in columns]


def _absent_inputs(registered: FourCorners, perps: list[int], synthetic: Synthetic) -> list[str]:
    """The corners the block does not hold, each with its role."""
    named = zip(
        (registered.dex_perp, registered.cex_perp, registered.spot),
        ("DEX perp with funding", "CEX perp with funding", "spot"),
        strict=True,
    )
    lacking = [f"{name}: no {role}" for (name, role), column in zip(named, perps, strict=True) if column < 0]
    if not (synthetic.call >= 0).any():
        lacking.append(f"{registered.option_venue}: no call and put beyond the minimum expiry")
    return lacking


CONSTRAINT = Constraint(
    code=CODE,
    name="four_corner",
    title="four corners",
    rule="S2.C6",
    version=1,
    option_legs=True,
    roles=("dex_perp", "cex_perp", "spot", "call", "put"),
    scan=scan,
    build=build,
)
