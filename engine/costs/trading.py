"""Fee, spread and impact of each leg over a round trip, in bps of S.  [S3.1-S3.3]

A leg that is planned to be held to its expiry is settled there: it pays spread and impact once, and the delivery fee
in place of the exit fee.
"""

from __future__ import annotations

import numpy as np

from engine.costs.base import CostTerm, LegTerms
from engine.costs.depth import impact_bps
from engine.records import FloatArray


def fee_bps(terms: LegTerms) -> FloatArray:
    """Return the fees of each leg for the round trip, bps of S, ``[M, L]``; 0 where there is no leg.  [S3.2]

    ``weight * (entry fee + exit or delivery fee)``; NaN where the quote of the leg is not usable.

    >>> from types import SimpleNamespace
    >>> leg = SimpleNamespace(present=np.array([[True]]), weight=np.array([[1.01]]), fee_bps=np.array([[5.0]]),
    ...                       exit_fee_bps=np.array([[5.0]]))
    >>> fee_bps(leg).round(6).tolist()
    [[10.1]]
    """
    return _absent_is_zero(terms, terms.weight * (terms.fee_bps + terms.exit_fee_bps))


def spread_bps(terms: LegTerms) -> FloatArray:
    """Return half the touch spread for each side traded, bps of S, ``[M, L]``; 0 where it is not known.  [S3.1]"""
    # The fallback slippage stands for an unknown spread too: it is charged once, by the impact term.  [S3.3]
    half = np.where(np.isnan(terms.spread_bps), 0.0, 0.5 * terms.spread_bps)
    return _absent_is_zero(terms, terms.weight * half * _sides(terms))


def impact_or_fallback_bps(terms: LegTerms) -> FloatArray:
    """Return the impact of each side traded at the package's size, bps of S, ``[M, L]``; 0 where there is no leg.

    Where the depth of a leg is not known it is charged the registered fallback slippage instead.  [S3.1, S3.3]
    """
    impact = impact_bps(terms.spread_bps, terms.weight, terms.size_usd[:, None], terms.depth_usd)
    side = np.where(np.isnan(terms.depth_usd), terms.weight * terms.slip_bps, impact)
    return _absent_is_zero(terms, side * _sides(terms))


def _sides(terms: LegTerms) -> FloatArray:
    """Return how many times a leg crosses the book, ``[M, L]``."""
    return np.where(terms.held, 1.0, 2.0)


def _absent_is_zero(terms: LegTerms, amount: FloatArray) -> FloatArray:
    return np.where(terms.present, amount, 0.0)


FEE = CostTerm("fee", "S3.2", by_leg=True, amount=fee_bps)
SPREAD = CostTerm("spread", "S3.1", by_leg=True, amount=spread_bps)
IMPACT = CostTerm("impact", "S3.1", by_leg=True, amount=impact_or_fallback_bps)
