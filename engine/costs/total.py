"""What packages cost, term by term: one implementation for the decision, the settlement and H2.  [S3.6]"""

from __future__ import annotations

import numpy as np

from engine.costs.base import LegTerms, leg_terms
from engine.costs.registry import TERMS
from engine.market.view import PreparedPanel
from engine.records import ByteArray, CostModel, Costs, FloatArray, Packages


def package_costs(view: PreparedPanel, code: str, packages: Packages) -> Costs:
    """Return the costs of ``packages`` of constraint ``code`` over the rule's life, bps of S.  [S3]

    ``cost_bps`` is everything: fee, spread and impact of all legs for the round trip, borrow and capital.  A leg whose
    quote is not usable makes the package's cost NaN.
    """
    life_ns = view.params.rules[code].life_ns
    terms = leg_terms(view, packages.row, packages.column, packages.quantity, life_ns)
    return costs_of(terms)


def costs_of(terms: LegTerms) -> Costs:
    """Return the costs of legs already looked up; the sum over legs and terms is taken in a fixed order."""
    amount = {term.name: term.amount(terms) for term in TERMS}
    total = np.zeros(len(terms.life_ns))
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
    )


def cost_model(terms: LegTerms) -> ByteArray:
    """Return the `CostModel` of each package, ``[M]``: of its legs the poorest decides.  [S3.3]"""
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
