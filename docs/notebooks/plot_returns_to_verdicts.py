"""Daily returns of your own, judged
=================================

Whatever made them, daily returns are enough for the tests that decide H1: the interval of the Sharpe ratio from a
stationary bootstrap, and the sign flips of whole blocks (N1). Nothing of the engine or of a plan is needed.

Returns are **simple** (profit over the capital that is committed), **one a UTC day without a gap**, idle days included
with 0. Whatever else is refused, with the reason.
"""

# %%
# Ninety days, drawn with a true annual Sharpe ratio of 2: synthetic, so that the truth is known.
import numpy as np
import pandas as pd
from hypotheses.notebook import (
    annual_sharpe,
    deflated,
    probabilistic,
    sharpe_interval,
    sign_flip_p,
)

days = pd.date_range("2026-01-01", periods=90, tz="UTC")
daily_sd = 0.002
drawn = np.random.default_rng(20260101).normal(
    2 / np.sqrt(365) * daily_sd, daily_sd, 90
)
returns = pd.Series(drawn, index=days)

# %%
# The eight lines.
ratio = annual_sharpe(returns)
low, high = sharpe_interval(
    returns, lambda r: np.random.PCG64([7, r]), level=0.95, draws=999
)
n1 = sign_flip_p(returns, blocks=10)
p_n1 = n1.count / n1.of
exceeds_1 = probabilistic(returns, claim=1.0)
among_three = deflated(returns, trials=[ratio, 1.2, -0.4])
answer = (
    "refuted"
    if high < 1
    else "supported"
    if ratio > 1 and p_n1 < 0.05
    else "cannot tell"
)
print(f"{answer}: Sharpe {ratio:.2f} [{low:.2f}, {high:.2f}], p(N1) {p_n1:.3f}")
print(f"P(ratio > 1) {exceeds_1:.3f}; deflated by two more trials {among_three:.3f}")

# %%
# Ninety days are few, and the interval is wide because it has to be: `cme power` says beforehand how often a true
# ratio would be shown.
#
# ``answer`` is the rule of H1 without N2, the permutation of the signals' days, which needs the signals; a run that
# lacks it is marked *provisional*. ``trials`` are the annual ratios of **all** configurations that you ever tried on
# these days, this one included: with one the deflated ratio is no penalty, and to leave some out is to cheat yourself.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
axes.plot(returns.index, 100 * returns.cumsum())
axes.set(
    ylabel="sum of returns, %",
    title=f"Synthetic returns: Sharpe {ratio:.1f} [{low:.1f}, {high:.1f}]",
)

# %%
# What is no series of daily returns is refused before anything is computed.
from engine.errors import UsageError

for wrong in (
    returns.tz_localize(None),
    returns.drop(returns.index[10]),
    returns * 1e6,
):
    try:
        annual_sharpe(wrong)
    except UsageError as error:
        print(error)
