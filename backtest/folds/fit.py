"""What a fold fits on its training labels, and nothing else: curve, threshold of z, capture.  [statistics 2.3]

Rules: [S8.4].

    fits = curve_fits(fold, plan, params, curves, plan.cut_ns(fold))
    z = choose_z(fits, evaluate, params)
    capture = capture_factors(training_trades, params)

Curves are cut here to what was known ``gap`` before the fold, trades by `backtest.folds.walk_forward`: a change of
any later datum leaves the result bit-identical.  An empty training set gives the registered defaults.  [statistics 2.6]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from backtest.records import Plan
from engine.market.curve import days_between, fit_curve
from engine.params import CurveFit, Params
from engine.records import CurveHistory
from engine.units import NS_PER_DAY

Evaluate = Callable[[Mapping[str, CurveFit]], tuple[Decimal | None, int]]
"""Net Sharpe ratio of C5's sleeve over the training span and its number of trades, with these curve fits in force."""


def curve_fits(
    fold: int, plan: Plan, params: Params, curves: Mapping[str, CurveHistory], cut_ns: int
) -> dict[str, CurveFit]:
    """Return the fit of each underlying with a registered curve, on the curves of history before ``cut_ns``.

    A curve belongs to 00:00 UTC of its day: that instant must lie strictly before the cut.
    """
    first, last = -(-plan.history_ns // NS_PER_DAY), (cut_ns - 1) // NS_PER_DAY
    fits = {}
    for coin, market in params.underlyings.items():
        if market.curve is None or coin not in curves:
            continue
        train = days_between(curves[coin], first, last)
        fits[coin] = fit_curve(train, market.curve, fold=fold, z_threshold=params.default_z)
    return fits


def choose_z(fits: Mapping[str, CurveFit], evaluate: Evaluate, params: Params) -> float:
    """Return the threshold of |z| with the highest training net Sharpe ratio.  [statistics R9.7]

    Only values of the registered grid with enough training trades and a defined ratio compete; ties go to the larger;
    where none competes, and where no curve is identified, the registered default stands.
    """
    if not any(each.identified for each in fits.values()):
        return params.default_z
    competing: list[tuple[Decimal, float]] = []
    for z in params.z_grid:
        ratio, trades = evaluate({coin: replace(each, z_threshold=z) for coin, each in fits.items()})
        if ratio is not None and trades >= params.z_min_trades:
            competing.append((ratio, z))
    return max(competing)[1] if competing else params.default_z


def capture_factors(trades: pd.DataFrame, params: Params) -> dict[str, float]:
    """Return ``c_k``, the share of the modelled net that training trades of each constraint realised.  [S4.8]

        c_k = (sum realised_k + n0 cbar vbar) / (sum modelled_k + n0 vbar),  clipped to [0, 1]

    with ``vbar`` the mean modelled net of all training trades, ``cbar`` the pooled share and ``n0`` the registered
    prior count: a constraint with few resolutions is drawn to the pool.  Without training trades, or where they
    modelled nothing, 1.  Computed in integers of micro-USD and fractions, rounded once.
    """
    traded = trades[trades["status"] == "traded"]
    realised, modelled = (_sum(traded[column]) for column in ("net_usd_micro", "modelled_usd_micro"))
    if not len(traded) or modelled <= 0:
        return dict.fromkeys(params.rules, 1.0)
    vbar, cbar = Fraction(modelled, len(traded)), Fraction(realised, modelled)
    prior = params.capture_prior * vbar
    factors = {}
    for code in params.rules:
        own = traded[traded["constraint"] == code]
        share = (_sum(own["net_usd_micro"]) + cbar * prior) / (_sum(own["modelled_usd_micro"]) + prior)
        factors[code] = float(min(max(share, Fraction(0)), Fraction(1)))
    return factors


def modelled_ev_usd(gross_bps: float, carry_bps: float, cost_bps: float, size_usd: float, capture: float) -> float:
    """Return the modelled net EV in USD: ``1e-4 Q (c v + carry - cost)``; the cost holds borrow and capital.

    Capture shrinks the gross edge only: carry and costs are not uncertain in the same way.  [spec README, 7.1]
    """
    return 1e-4 * size_usd * (capture * gross_bps + carry_bps - cost_bps)


def _sum(column: pd.Series) -> int:
    return int(column.to_numpy(np.int64).sum())
