"""Fits a fold on its training labels and nothing else: curve, threshold of z, capture factors.  [statistics 2.3]

Rules: [S8.4].

    fits = curve_fits(fold, plan, params, curves, plan.cut_ns(fold))
    z = choose_z(fits, evaluate, params)
    capture = capture_factors(training_trades, params)

This module cuts curves to what was known ``gap`` before the fold, `backtest.folds.walk_forward` cuts trades: a change
of any later datum leaves the result bit-identical.  An empty training set gives the registered defaults.
[statistics 2.6]
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

    Parameters
    ----------
    fold : int
        Number of the fold, from 0: the fit carries it.
    plan : Plan
        Where history begins.
    params : Params
        Registered curves, and the default threshold of ``|z|`` that every fit starts with.
    curves : mapping of underlying to CurveHistory
        Daily curves; they may reach beyond the cut.
    cut_ns : int
        Nanoseconds UTC.  A curve belongs to 00:00 UTC of its day: that instant must lie strictly before the cut.

    Returns
    -------
    dict of underlying to CurveFit
        Underlyings without a registered curve or without curves are left out.  A fit on too few days is not
        identified and says why.

    Examples
    --------
    >>> from backtest.environment import ROOT
    >>> from backtest.registration.load import load_registration
    >>> demo = load_registration(ROOT / "configs" / "demo.toml")
    >>> first, count = demo.plan.history_ns // NS_PER_DAY, 90
    >>> random = np.random.Generator(np.random.PCG64(1))
    >>> curves = {"BTC": CurveHistory(np.arange(first, first + count), random.normal(0.1, 0.01, (count, 5)))}
    >>> fit = curve_fits(0, demo.plan, demo.params, curves, demo.plan.cut_ns(0))["BTC"]
    >>> fit.fold, fit.z_threshold, len(fit.mean)
    (0, 2.0, 5)
    """
    # The last day whose 00:00 lies strictly before the cut: its curve was known by then.  [R9.1]
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

    Parameters
    ----------
    fits : mapping of underlying to CurveFit
        The curves of one fold.
    evaluate : callable
        Called with ``fits`` under one threshold; returns the net Sharpe ratio of C5's sleeve over the training span,
        None where it is not defined, and its number of trades.
    params : Params
        ``z_grid``, ``z_min_trades`` and ``default_z``.

    Returns
    -------
    float
        A value of the registered grid.  Only values with at least ``z_min_trades`` training trades and a defined ratio
        compete; ties go to the larger value.  The registered default where no value competes or no curve is identified.

    Examples
    --------
    >>> from backtest.environment import ROOT
    >>> from backtest.registration.load import load_registration
    >>> params = load_registration(ROOT / "configs" / "demo.toml").params
    >>> choose_z({}, lambda fits: (Decimal(1), 100), params) == params.default_z  # no curve is identified
    True
    """
    if not any(fit.identified for fit in fits.values()):
        return params.default_z
    competing: list[tuple[Decimal, float]] = []
    for z in params.z_grid:
        ratio, trades = evaluate({coin: replace(fit, z_threshold=z) for coin, fit in fits.items()})
        if ratio is not None and trades >= params.z_min_trades:
            competing.append((ratio, z))
    # Ties go to the larger threshold: pairs compare by ratio, then by z.  [R9.7]
    return max(competing)[1] if competing else params.default_z


def capture_factors(trades: pd.DataFrame, params: Params) -> dict[str, float]:
    """Return ``c_k``, the share of the modelled net that training trades of each constraint realised.  [S4.8]

        c_k = (sum realised_k + n0 cbar vbar) / (sum modelled_k + n0 vbar),  clipped to [0, 1]

    with ``vbar`` the mean modelled net of all training trades, ``cbar`` the pooled share and ``n0`` the registered
    prior count: a constraint with few resolutions is drawn to the pool.  Computed in integers of micro-USD and
    fractions, rounded once.

    Parameters
    ----------
    trades : frame with ``constraint``, ``status``, ``net_usd_micro``, ``modelled_usd_micro``
        Training trades of one fold; rows of another status than ``traded`` are ignored.
    params : Params
        The registered rules and ``capture_prior``.

    Returns
    -------
    dict of constraint to float
        A share in [0, 1] for every registered constraint; 1 for all without training trades, or where they modelled
        no profit.

    Examples
    --------
    >>> from backtest.environment import ROOT
    >>> from backtest.registration.load import load_registration
    >>> params = load_registration(ROOT / "configs" / "demo.toml").params
    >>> row = {"constraint": "C1", "status": "traded", "net_usd_micro": 40, "modelled_usd_micro": 100}
    >>> capture_factors(pd.DataFrame([row]), params)["C2"]  # no trade of its own: the pooled share
    0.4
    """
    traded = trades[trades["status"] == "traded"]
    realised, modelled = (_sum(traded[column]) for column in ("net_usd_micro", "modelled_usd_micro"))
    # Without a modelled net there is no share of it: the default is 1.  [statistics 2.6]
    if not len(traded) or modelled <= 0:
        return dict.fromkeys(params.rules, 1.0)
    vbar, cbar = Fraction(modelled, len(traded)), Fraction(realised, modelled)
    prior = params.capture_prior * vbar
    factors = {}
    for code in params.rules:
        rows = traded[traded["constraint"] == code]
        share = (_sum(rows["net_usd_micro"]) + cbar * prior) / (_sum(rows["modelled_usd_micro"]) + prior)
        factors[code] = float(min(max(share, Fraction(0)), Fraction(1)))
    return factors


def modelled_ev_usd(net_bps: float, size_usd: float, capture: float) -> float:
    """Return the modelled net EV in USD, ``1e-4 Q c net``: ``capture`` scales what it was fitted on.  [S4.8]

    >>> modelled_ev_usd(net_bps=20.0, size_usd=25_000.0, capture=0.5)
    25.0
    """
    return 1e-4 * size_usd * capture * net_bps


def _sum(column: pd.Series) -> int:
    return int(column.to_numpy(np.int64).sum())
