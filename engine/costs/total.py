"""What packages cost, term by term: one implementation for the decision, the settlement and H2.  [S3.6]"""

from __future__ import annotations

import numpy as np

from engine.costs.base import LegTerms, leg_terms
from engine.costs.lots import WholeLots, in_whole_lots
from engine.costs.registry import TERMS
from engine.market.view import PreparedPanel
from engine.records import ByteArray, CostModel, Costs, FloatArray, Packages


def package_costs(view: PreparedPanel, code: str, packages: Packages) -> Costs:
    """Return the costs of packages of one constraint over the rule's life, bps of S.  [S3]

    Parameters
    ----------
    view : PreparedPanel
        The block that the packages were found on.
    code : str
        Code of the constraint, such as ``C1``; its registered life is the planned life.
    packages : Packages
        M packages, for example from `Constraint.build`.

    Returns
    -------
    Costs
        One row a package.  ``cost_bps`` is the sum of fee, spread and impact of all legs for the round trip, borrow and
        capital; NaN where the quote of a leg is not usable.

    Raises
    ------
    UsageError
        If the borrow rate of what a spot leg pays with is not registered.

    Examples
    --------
    The perp costs 1% more than its spot; selling it and buying the spot costs 32.1 bps of S, of which fees are 30.1:

    >>> from engine.constraints.detect import detect
    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import cash_carry
    >>> planted = cash_carry()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> (violations,) = detect(view, None, codes=("C1",))
    >>> package_costs(view, "C1", violations.packages).cost_bps.round(1).tolist()
    [32.1]
    """
    life_ns = view.params.rules[code].life_ns
    terms = leg_terms(view, packages.row, packages.column, packages.quantity, life_ns)
    return costs_of(in_whole_lots(terms))


def costs_of(lots: WholeLots) -> Costs:
    """Return the costs of M packages out of the terms of their legs in whole lots, one row a package.

    A package that does not fit its lots is costed at the size and quantities that were looked for.

    The terms are added in the order of the registry, each over its legs from left to right: with floats another order
    gives another sum, and the sum is hashed.  [audit 10.3]  Raises ``UsageError`` if a borrow rate is not registered.
    """
    terms = lots.terms
    amount = {term.name: term.amount(terms) for term in TERMS}
    total = np.zeros(len(terms.life_ns))
    # Not np.sum: its order of additions depends on length and memory layout.
    for term in TERMS:
        total = total + (_over_legs(amount[term.name]) if term.by_leg else amount[term.name])
    return Costs(
        size_usd=terms.size_usd,
        fee_bps=amount["fee"],
        spread_bps=amount["spread"],
        impact_bps=amount["impact"],
        borrow_bps=amount["borrow"],
        capital_bps=amount["capital"],
        cost_bps=total,
        model=cost_model(terms),
        fits=lots.fits,
    )


def cost_model(terms: LegTerms) -> ByteArray:
    """Return the `CostModel` of each package, uint8, ``[M]``: that of the leg whose book is least known.  [S3.3]"""
    leg = np.where(
        np.isnan(terms.spread_bps),
        CostModel.FALLBACK,
        np.where(np.isnan(terms.depth_usd), CostModel.SPREAD, CostModel.DEPTH),
    )
    poorest: ByteArray = np.where(terms.present, leg, CostModel.DEPTH).max(axis=1, initial=0).astype(np.uint8)
    return poorest


def _over_legs(amount: FloatArray) -> FloatArray:
    """Sum over legs, left to right: the order of the legs is the package's, not the panel's.  [audit 10.3]"""
    total = np.zeros(len(amount))
    for leg in range(amount.shape[1]):
        total = total + amount[:, leg]
    return total
