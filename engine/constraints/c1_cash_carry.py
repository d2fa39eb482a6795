"""C1, cash-and-carry: a perp against its spot.  [S2.C1]

    gross = 1e4 * side * (P/S - 1)      side = +1 sells the perp and buys the spot, -1 the reverse (spot borrow)
    carry = the signed funding expected over the life [S3.5]
    parity_gap = P/S - 1 - f            f the rate of the interval in force, recorded as the reading of coherence

P and S are the mids of a registered pair; pairs of two currencies are compared in one dollar.  Of the two sides the one
with the larger gross + carry is judged (the seller of the perp on ties), the other one is no violation at that time.
"""

from __future__ import annotations

import numpy as np

from engine.constraints.base import Constraint, RegisteredInput
from engine.constraints.package_legs import absent, column_of, empty_scan, lacks_funding, two_sided_keys, watched_at
from engine.constraints.scan_cells import Scan, from_dense
from engine.costs.expected_funding import carry_bps, expected_rate, rate_at
from engine.market.view import PreparedPanel
from engine.params import CashCarryPair, Fitted
from engine.records import LEGS, CodeArray, FloatArray, Keys, Packages
from engine.units import BPS, above_zero

CODE = "C1"


def scan(view: PreparedPanel, fitted: Fitted | None, floor: float = -np.inf) -> Scan:
    """Return the score of both sides of every registered pair.  [S2.C1]

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
        Keys are (pair, side), the seller of the perp first.  No key, and ``missing`` names the input, where the block
        lacks one.

    Examples
    --------
    The perp costs 1% more than its spot:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import cash_carry
    >>> planted = cash_carry()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> scan(view, None, floor=0.0).score.round(1).tolist()
    [69.5]
    """
    del fitted
    pairs = _pairs(view)
    if not pairs:
        return empty_scan(view, _missing(view), wings=0)
    life_ns = view.params.rules[CODE].life_ns
    keys = _keys(view)
    score = np.full((len(view.panel.times_ns), 2 * len(pairs)), -np.inf)
    examined, usable, violations = np.zeros((3, len(score)), dtype=np.int64)
    for number, (perp, spot) in enumerate(pairs):
        there = watched_at(view, (perp, spot))
        basis = _basis(view, perp, spot)
        # Funding enters here only: a basis that held it too would count it twice.  [S2.C1]
        carry = BPS * expected_rate(view, perp, life_ns) * view.mid[:, perp] * view.money[:, perp] / view.spot_usd
        charge = view.charge[:, perp] * view.money[:, perp] + view.charge[:, spot] * view.money[:, spot]
        sell = BPS * basis + carry
        known = ~np.isnan(sell + charge) & there
        # On ties the seller of the perp: two orders of the same pair must give one package.
        side = np.where(sell >= 0.0, 1.0, -1.0)
        gross = BPS * side * basis
        # Carry alone is no violation: without a gross there is nothing that converges.  [decision 0011]
        judged = np.where(above_zero(gross), side * sell - BPS * 2.0 * charge / view.spot_usd, -np.inf)
        for column, which in ((2 * number, 1.0), (2 * number + 1, -1.0)):
            score[:, column] = np.where(known, np.where(side == which, judged, -np.inf), np.nan)
        examined += there
        usable += known
        violations += known & above_zero(gross)
    wing = np.empty((*score.shape, 0), dtype=np.int32)
    return from_dense(view, keys, score, wing, floor, examined=examined, usable=usable, violations=violations)


def _keys(view: PreparedPanel) -> Keys:
    return two_sided_keys(view, _pairs(view))


def build(view: PreparedPanel, scanned: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the packages of chosen cells: legs are (perp, spot), one base unit each.  [S2.C1]

    ``row`` and ``key`` are cells of the scan, ``[M]`` each; the result has one package a cell, none where M is 0.
    """
    del fitted
    pairs = np.array(_pairs(view), dtype=np.int32).reshape(-1, 2)
    side = scanned.keys.side[key].astype(np.float64)
    column, quantity = absent(len(row))
    # `two_sided_keys` gives every pair two keys in a row.
    column[:, :2] = pairs[key // 2]
    quantity[:, 0], quantity[:, 1] = -side, side
    perp, spot = column[:, 0], column[:, 1]
    basis = np.empty(len(row))
    for a, b in pairs:
        here = perp == a
        here &= spot == b
        basis[here] = _basis(view, int(a), int(b))[row[here]]
    life_ns = view.params.rules[CODE].life_ns
    rate = rate_at(view, row, perp)
    return Packages(
        row=row,
        key=key,
        column=column,
        quantity=quantity,
        gross_bps=BPS * side * basis,
        carry_bps=carry_bps(view, row, column[:, :LEGS], quantity, life_ns),
        detail={"parity_gap": basis - rate, "funding_rate": rate},
    )


def _basis(view: PreparedPanel, perp: int, spot: int) -> FloatArray:
    """P/S - 1, ``[T]``: in the common currency where there is one, else in one dollar."""
    table, code = view.panel.instruments, view.panel.code
    price, base = view.mid[:, perp], view.mid[:, spot]
    # In one currency no conversion enters, so that an error of the dollar pair makes no basis.
    if table.quote[code[perp]] != table.quote[code[spot]]:
        price, base = price * view.usd[:, perp], base * view.usd[:, spot]
    return price / base - 1.0


def _pairs(view: PreparedPanel) -> list[tuple[int, int]]:
    """Panel columns (perp, spot) of the registered pairs that the panel holds, with a rate of funding."""
    columns = [(column_of(view, pair.perp), column_of(view, pair.spot)) for pair in view.market.cash_carry]
    return [pair for pair in columns if min(pair) >= 0 and not lacks_funding(view, pair[0])]


def _missing(view: PreparedPanel) -> str:
    """The first input that is lacking, in the order of the registered pairs."""
    lacking = [each.missing for each in _inputs(view) if each.missing]
    return lacking[0] if lacking else f"{view.panel.underlying}: no registered pair of perp and spot"


def _inputs(view: PreparedPanel) -> tuple[RegisteredInput, ...]:
    return tuple(RegisteredInput(f"{pair.perp} / {pair.spot}", _lack(view, pair)) for pair in view.market.cash_carry)


def _lack(view: PreparedPanel, pair: CashCarryPair) -> str | None:
    """What the block lacks of a pair, None where it has both legs and the funding."""
    for name, role in ((pair.perp, "perp"), (pair.spot, "spot")):
        if column_of(view, name) < 0:
            return f"{name}: no {role}"
    return f"{pair.perp}: no funding rate" if lacks_funding(view, column_of(view, pair.perp)) else None


CONSTRAINT = Constraint(
    code=CODE,
    name="cash_carry",
    title="cash-and-carry",
    rule="S2.C1",
    version=1,
    option_legs=False,
    roles=("perp", "spot"),
    scan=scan,
    build=build,
    keys=_keys,
    inputs=_inputs,
)
