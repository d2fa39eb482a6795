"""The leverage cap: volatility index, funding factor, cap, and the test that it leaves enough margin.  [covenants 5]"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.covenants.base import Covenant
from engine.covenants.elementary import exp, ln
from engine.covenants.parameters import Parameters
from engine.exact.rounded import Floats

COVENANT: Final = Covenant(
    "leverage_cap", "Leverage cap", "LM = floor_0.1 clip(L_max (V_ref / V)^gamma phi, L_min, L_max)", "5"
)
DAILY_DECAY: Final = 0.94
TOLERANCE: Final = 1.1
"""Existing exposure is cut when its leverage exceeds the cap by more than a tenth ..."""
PATIENCE_BARS: Final = 5
"""... for five bars in a row."""
_DIGIT: Final = 1e-9
"""Absorbs the rounding of a quotient that is a whole tenth: 10 x 0.6 / 0.9 x 0.6 is 4, not 3.9."""


def bar_decay(grid_min: int) -> float:
    """Return the decay a return of ``grid_min`` minutes: 0.94 a day.  [covenants 5.1, 15.1]"""
    return float(exp(float(ln(DAILY_DECAY)) * grid_min / 1440.0))


def ewma_before(returns: Floats, decay: float, start: float | None = None) -> Floats:
    """Return the variance forecast for each return, shape (n,), from the returns before it.  [covenants 5.1]

    ``start`` is the forecast of the first return; the first square where it is not given.  A missing return (NaN)
    leaves the forecast as it is.  The value after the last return is `ewma_after`.
    """
    return _ewma(returns, decay, start)[:-1]


def ewma_after(returns: Floats, decay: float, start: float | None = None) -> float:
    """Return the variance that contains every return."""
    return float(_ewma(returns, decay, start)[-1])


def _ewma(returns: Floats, decay: float, start: float | None) -> Floats:
    variances = np.full(returns.size + 1, np.nan)
    v = start
    for t, value in enumerate(returns.tolist()):
        if v is not None:
            # Before the return of t joins: a forecast holds earlier returns only.  [covenants 5.1]
            variances[t] = v
        if value == value:
            v = value * value if v is None else decay * v + (1.0 - decay) * value * value
    if v is not None:
        variances[returns.size] = v
    return variances


def annualised(variance: Floats | float, returns_a_year: float) -> Floats:
    """Return the annual volatility of a variance a return."""
    return np.sqrt(np.asarray(variance, dtype=np.float64) * returns_a_year)


def funding_factor(funding_8h: Floats | float, spike: float, phi_min: float) -> Floats:
    """Return phi in [phi_min, 1]: 1 up to the spike, then spike / |F|.  [covenants 5.3]"""
    size = np.abs(np.asarray(funding_8h, dtype=np.float64))
    # Both branches are evaluated: the inner maximum keeps a rate of 0 from dividing.
    return np.where(size <= spike, 1.0, np.maximum(phi_min, spike / np.maximum(size, spike)))


def costly_funding(funding_a: Floats, funding_b: Floats, side_a: int, payer_only: bool) -> Floats:
    """Return the 8 h rate that the cap looks at: the larger in size of what the two legs pay.

    A leg of side s pays s times the rate.  With ``payer_only`` a rate that is received counts as zero.  [covenants 5.3]
    """
    pays_a, pays_b = side_a * funding_a, -side_a * funding_b
    if payer_only:
        return np.maximum(np.maximum(pays_a, pays_b), 0.0)
    return np.where(np.abs(pays_a) >= np.abs(pays_b), pays_a, pays_b)


def cap(volatility: Floats | float, reference: Floats | float, phi: Floats | float, p: Parameters) -> Floats:
    """Return the leverage cap in whole tenths, within [l_min, l_max]; l_min where the volatility is unknown.

    The clip comes after the funding factor; rounding is down.  [covenants 5.2]
    """
    v = np.asarray(volatility, dtype=np.float64)
    known = np.isfinite(v) & (v > 0) & np.isfinite(reference)
    ratio = np.where(known, reference, 1.0) / np.where(known, v, 1.0)
    # exp(ln(x)) is not x to the last bit.
    ratio = ratio if p.gamma == 1.0 else exp(p.gamma * ln(ratio))
    raw = np.where(known, p.l_max * ratio * phi, p.l_min)
    return np.floor(np.clip(raw, p.l_min, p.l_max) * 10.0 + _DIGIT) / 10.0


def margin_shortfall(leverage_cap: Floats, expected_shortfall: Floats) -> float:
    """Return the share of bars in which 1 / LM is below the leg's expected shortfall, of those where both are known.

    At most 1% is consistent; NaN where nothing is known.  [covenants 5.5]
    """
    known = np.isfinite(leverage_cap) & np.isfinite(expected_shortfall)
    if not known.any():
        return float("nan")
    return float(np.count_nonzero(1.0 / leverage_cap[known] < expected_shortfall[known]) / np.count_nonzero(known))


def excess(leverage: float, leverage_cap: float) -> float:
    """Return the share of a leg's size by which it must shrink to meet the cap, 0 where it does.  [covenants 5.4]"""
    return 0.0 if leverage <= leverage_cap else 1.0 - leverage_cap / leverage
