"""Reading a run
=============

A run directory is files: JSON, Parquet and a page. Everything the page shows is in them, so a notebook needs no door
but :func:`hypotheses.notebook.return_series`. The run below is of a small synthetic market that the build of this site makes;
set ``CME_RUN`` to one of yours.
"""

# %%
# A run is named by a hash of what went in; ``cme list`` names those of a folder.
import json
import os
from pathlib import Path

import pandas as pd
from hypotheses.notebook import annual_sharpe, return_series

run = Path(os.environ["CME_RUN"])
verdicts = json.loads((run / "verdicts.json").read_text())
print(
    verdicts["run"]["mode"],
    verdicts["window"]["start"][:10],
    "to",
    verdicts["window"]["end"][:10],
)
for name in ("H1", "H2", "H3"):
    print(f"{name} {verdicts[name]['verdict']}: {verdicts[name]['statement']}")

# %%
# Returns
# -------
# Simple daily returns on committed capital, after all costs and the capital charge, on a UTC index: what libraries of
# performance statistics take. Annualise with **365** days. The integer micro-USD of ``returns.parquet`` are for
# adding up, and are no returns: quantstats takes profits without a loss for prices, and empyrical and pyfolio
# compound whatever they are given.
returns = return_series(run)
print(returns.tail(3))
print(
    f"annual Sharpe {annual_sharpe(returns):.2f}, in verdicts.json {verdicts['H1']['sharpe']:.2f}"
)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for code in ("C1", "C3", "C6"):
    axes.step(
        returns.index, 100 * return_series(run, code).cumsum(), where="post", label=code
    )
axes.step(returns.index, 100 * returns.cumsum(), "k", where="post", label="portfolio")
axes.set(ylabel="sum of returns, % of its capital", title="A small synthetic market")
axes.tick_params("x", rotation=30)
axes.legend()

# %%
# Trades
# ------
# One row a signal in each fold: what it was to earn when it was emitted, what it earned, and how it ended.
trades = pd.concat(
    pd.read_parquet(path) for path in sorted(run.glob("folds/[0-9]*/trades.parquet"))
)
traded = trades[trades["status"] == "traded"]
print(
    traded.groupby(["constraint", "exit_reason"], observed=True)
    .size()
    .unstack(fill_value=0)
)

# %%
# Why not more
# ------------
# The funnel counts, for each constraint, from packages examined to trades.
funnel = json.loads((run / "funnel.json").read_text())
stages = ["examined", "usable", "violations", "over_threshold", "episodes", "traded"]
print(pd.DataFrame(funnel).T[stages].to_string())
