"""Performance measures of an account.  [covenants 9.4]"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.exact.rounded import Floats

DAYS_A_YEAR = 365.0


def returns_of(equity: Floats) -> Floats:
    """Return simple returns along the last axis, one fewer than values; 0 after a ruin (equity at or below 0).

    The return of the day of ruin is -1.
    """
    before, after = equity[..., :-1], np.maximum(equity[..., 1:], 0.0)
    alive = before > 0
    return np.where(alive, after / np.where(alive, before, 1.0) - 1.0, 0.0)


def sharpe(returns: Floats) -> Floats:
    """Return mean / sd (n - 1) times sqrt(365) along the last axis, no risk-free rate; NaN where sd is 0."""
    sd = np.std(returns, axis=-1, ddof=1)
    mean = np.mean(returns, axis=-1)
    return np.where(sd > 0, mean / np.where(sd > 0, sd, 1.0) * np.sqrt(DAYS_A_YEAR), np.nan)


def drawdown(equity: Floats) -> Floats:
    """Return max(1 - equity / running maximum) along the last axis, the starting value included; 1 after a ruin."""
    level = np.maximum(equity, 0.0)
    return np.asarray(np.max(1.0 - level / np.maximum.accumulate(level, axis=-1), axis=-1))


def drawdown_of(returns: Floats) -> Floats:
    """Return the drawdown of the account that earns ``returns`` along the last axis, from 1."""
    equity = np.cumprod(1.0 + returns, axis=-1)
    peak = np.maximum(np.maximum.accumulate(equity, axis=-1), 1.0)
    return np.asarray(np.maximum(np.max(1.0 - equity / peak, axis=-1), 0.0))


def tail_loss(returns: Floats, level: float = 0.95) -> float:
    """Return CVaR: the mean loss of the worst 1 - ``level`` of days, at least one."""
    # Less 1e-9: in floats (1 - 0.95) * 100 is just above 5.
    count = max(1, int(np.ceil((1.0 - level) * returns.size - 1e-9)))
    return float(-np.mean(np.sort(returns)[:count]))


def drawdown_reduction(standard: float, covenanted: float) -> float:
    """Return ``1 - MDD_b / MDD_a``; NaN where the standard account never fell."""
    return 1.0 - covenanted / standard if standard > 0 else float("nan")


def sharpe_gain(standard: float, covenanted: float) -> float:
    """Return ``SR_b / SR_a - 1``; NaN unless ``SR_a > 0.1``, below which a ratio says nothing."""
    return covenanted / standard - 1.0 if standard > 0.1 else float("nan")


def summary(equity: Floats) -> Mapping[str, float]:
    """Return the measures of one account from its daily equity (days + 1,)."""
    returns = returns_of(equity)
    return {
        "final": float(equity[-1] / equity[0]),
        "sharpe": float(sharpe(returns)),
        "mdd": float(drawdown(equity)),
        "cvar_95": tail_loss(returns),
        "volatility": float(np.std(returns, ddof=1) * np.sqrt(DAYS_A_YEAR)),
    }
