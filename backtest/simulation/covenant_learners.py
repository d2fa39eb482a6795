"""Learners that compete with the closed forms for the band: the 99% quantile of |S| ahead.  [covenants 4]

Every engine fits on 90 days that end a day before its block of 7 and is judged by the pinball loss on the block.  A
learner replaces the closed form only if it is better in at least 60% of blocks *and* in the mean, by the 95% interval
of a stationary bootstrap over blocks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from arch import arch_model
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import QuantileRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from backtest.simulation.covenant_claims import ahead_max, horizon_bars
from backtest.simulation.covenant_signals import Signals
from engine.covenants.leverage_cap import ewma_before
from engine.covenants.parameter_engine import blocks, unscaled_band
from engine.covenants.parameters import Parameters
from engine.exact.rounded import Floats

LEVEL: Final = 0.99
BETTER_SHARE: Final = 0.6
MOST_ROWS: Final = 6000
"""Training rows a learner sees, evenly spaced: 90 days of minutes are 129,600, of which neighbours say the same."""

Predict = Callable[[NDArray[np.int64], NDArray[np.int64]], Floats]
"""(training bars, test bars) -> predicted quantile at the test bars."""


def pinball(target: Floats, predicted: Floats, level: float = LEVEL) -> Floats:
    """Return the pinball loss of each prediction."""
    gap = target - predicted
    return np.maximum(level * gap, (level - 1.0) * gap)


def compete(s: Signals, every: int) -> pd.DataFrame:
    """Return a row a tested block: mean pinball loss of each engine, in pp.  Tests every ``every``-th block.

    Raises ValueError if the study has no 90 days before its first block.
    """
    target = ahead_max(np.abs(s.measures.spread), horizon_bars(s.p.bar_min))
    engines = _engines(s, target)
    usable = np.isfinite(_features(s)).all(axis=1) & np.isfinite(target)
    rows = []
    for train, until, begin, end in blocks(target.size, s.first, s.p)[::every]:
        known = np.flatnonzero(usable[train:until]) + train
        test = np.flatnonzero(usable[begin:end]) + begin
        known = known[:: max(1, known.size // MOST_ROWS)]
        # Of fewer than 100 rows the 99% quantile is the largest.
        if known.size < 100 or test.size == 0:
            continue
        # One thread: several add in another order, where an optimiser stops then differs, and on fits this small they
        # cost thirty times the processor time where other programs run.
        with threadpool_limits(1):
            losses = {
                name: float(np.mean(pinball(target[test], predict(known, test)))) for name, predict in engines.items()
            }
        rows.append({"block_ns": int(s.measures.t_ns[begin]), **losses})
    return pd.DataFrame(rows)


def replaces(losses: pd.DataFrame, indices: NDArray[np.int64]) -> pd.DataFrame:
    """Return a row an engine: mean loss, share of blocks better than the registered closed form, interval, decision.

    ``indices`` (draws, blocks) are bootstrap draws of blocks.
    """
    registered = losses["closed_form"].to_numpy(np.float64)
    rows = []
    for name in losses.columns[1:]:
        loss = losses[name].to_numpy(np.float64)
        gain = registered - loss
        low, high = (float(np.quantile(gain[indices].mean(axis=1), q)) for q in (0.025, 0.975))
        better = float(np.mean(gain > 0))
        rows.append({
            "engine": name, "mean_loss": float(loss.mean()), "better_share": better, "gain": float(gain.mean()),
            "low": low, "high": high, "replaces": bool(better >= BETTER_SHARE and low > 0),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _features(s: Signals) -> Floats:
    m = s.measures
    size = np.abs(m.spread)
    before = np.concatenate(([np.nan], size[:-1]))
    return np.column_stack((size, before, m.sigma, m.rms, m.volatility, m.rho, m.beta, s.funding))


def _engines(s: Signals, target: Floats) -> dict[str, Predict]:
    m, x, size = s.measures, _features(s), np.abs(s.measures.spread)
    z = np.log(m.price_a) - np.log(m.price_b)
    change = 100.0 * np.diff(z, prepend=np.nan)
    ahead = horizon_bars(s.p.bar_min) ** 0.5
    ewma = np.sqrt(ewma_before(np.append(change, np.nan), 0.94 ** (s.p.bar_min / 60.0))[1:]) * ahead

    def closed(p: Parameters) -> Predict:
        band = unscaled_band(m, p)

        def predict(train: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
            # The principled band is defined up to a factor, which the training days give it.
            scale = float(np.quantile(target[train] / band[train], LEVEL)) if p.reading == "principled" else 1.0
            return scale * band[test]

        return predict

    def on_scale(scale: Floats) -> Predict:
        def predict(train: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
            factor = float(np.quantile((target[train] - size[train]) / scale[train], LEVEL))
            return size[test] + factor * scale[test]

        return predict

    def garch(train: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
        """GARCH(1,1)-t fitted once on the training returns, then filtered over the test block; EWMA where it fails."""
        span = np.arange(train[0], test[-1] + 1)
        returns = np.nan_to_num(change[span])[: -1 if span[-1] + 1 >= change.size else None]
        # Returns of about one for the optimiser; a flat price would divide by zero.
        unit = 1.0 / max(float(np.std(returns)), 1e-12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Scaled by hand: a scale of its own would leave the parameters in another unit than the filter's.
            model = arch_model(returns * unit, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False)
            # Fitted on the training span only, though the series goes on.
            fitted = model.fit(last_obs=int(train[-1] - train[0]), disp="off", show_warning=False)
        if fitted.convergence_flag != 0:
            return on_scale(ewma)(train, test)
        omega, a, b = (float(fitted.params[name]) for name in ("omega", "alpha[1]", "beta[1]"))
        variance = np.empty(span.size)
        # Forgotten long before the test block: the weight of the start falls as b^n.
        v = float(np.var(returns * unit))
        for k, r in enumerate((np.nan_to_num(change[span]) * unit).tolist()):
            v = omega + a * r * r + b * v  # forecast after this bar's return
            variance[k] = v
        scale = np.full(change.size, np.nan)
        scale[span] = np.sqrt(variance) / unit * ahead
        return on_scale(scale)(train, test)

    def linear(train: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
        unit = StandardScaler().fit(x[train])
        model = QuantileRegressor(quantile=LEVEL, alpha=1e-4, solver="highs").fit(
            unit.transform(x[train]), target[train]
        )
        return np.asarray(model.predict(unit.transform(x[test])), dtype=np.float64)

    def boosting(train: NDArray[np.int64], test: NDArray[np.int64]) -> Floats:
        # Early stopping would set rows aside at random.
        model = HistGradientBoostingRegressor(
            loss="quantile", quantile=LEVEL, max_iter=60, max_leaf_nodes=8, min_samples_leaf=50, learning_rate=0.1,
            early_stopping=False, random_state=0,
        )  # fmt: skip
        return np.asarray(model.fit(x[train], target[train]).predict(x[test]), dtype=np.float64)

    return {
        "closed_form": closed(s.p),
        "principled": closed(replace(s.p, reading="principled")),
        "ewma": on_scale(ewma),
        "garch": garch,
        "linear_quantile": linear,
        "gradient_boosting": boosting,
    }
