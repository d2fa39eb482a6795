"""The folds in ``cross_val_score``
================================

The walk-forward split of the backtest is a splitter of scikit-learn: training labels end before the test fold begins,
less a gap, and a sample whose outcome is not known by then is left out (purged). It goes wherever ``cv=`` goes.
"""

# %%
# A year of hourly samples, drawn: ``x`` says a little about an outcome that is known a day later.
from itertools import islice

import numpy as np
import pandas as pd
from backtest.folds.sklearn_splitter import WalkForwardPurged
from backtest.records import Plan
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline

rng = np.random.default_rng(11)
emitted = pd.date_range(
    "2025-01-01", "2026-01-01", freq="h", tz="UTC", inclusive="left"
)
frame = pd.DataFrame(
    {
        "t0": emitted,
        "t1": emitted + pd.Timedelta(days=1),
        "x": rng.normal(size=len(emitted)),
    }
)
frame["y"] = (0.3 * frame["x"] + rng.normal(size=len(frame)) > 0).astype(int)

# %%
# Ten folds of nine days at the end of the year; all that came before is history. A plan is in nanoseconds.
day = pd.Timedelta(days=1).value
end = pd.Timestamp("2026-01-01", tz="UTC").value
plan = Plan(
    t0_ns=end - 90 * day,
    t1_ns=end,
    history_ns=end - 365 * day,
    folds=10,
    fold_ns=9 * day,
    gap_ns=day,
    embargo_ns=0,
)
folds = WalkForwardPurged(plan, t0="t0", t1="t1")

# %%
# The columns of time tell the splitter where a sample lies; the model sees ``x`` alone.
model = make_pipeline(
    ColumnTransformer([("features", "passthrough", ["x"])]), LogisticRegression()
)
scores = cross_val_score(model, frame, frame["y"], cv=folds)
print("accuracy by fold:", scores.round(3))

# %%
# Each training set ends a day before its test fold, and no label of it reaches into the fold.
for number, (train, test) in enumerate(islice(folds.split(frame), 3)):
    last, first = frame["t1"].iloc[train].max(), frame["t0"].iloc[test].min()
    print(
        f"fold {number}: {len(train)} samples, the last label known {last:%m-%d %H:%M}, first test {first:%m-%d %H:%M}"
    )

# %%
# Training sets grow; between a training set and its test fold lies the gap.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for number, (train, test) in enumerate(folds.split(frame)):
    for rows, colour in ((train, "tab:blue"), (test, "tab:orange")):
        span = frame["t0"].iloc[rows]
        axes.barh(number, span.max() - span.min(), left=span.min(), color=colour)
axes.set(ylabel="fold", title="Training labels (blue) and test folds (orange)")
axes.invert_yaxis()

# %%
# What it is for
# --------------
# Let the outcome be where a random walk is a day later: neighbours share most of it, and nothing predicts it. The feature
# is a mere clock. A shuffled split trains on both sides of each test sample and finds skill; this one does not.
from sklearn.neighbors import KNeighborsClassifier

walk = pd.Series(rng.normal(size=len(frame) + 24)).cumsum()
outcome = (walk.shift(-24) > walk).astype(int)[: len(frame)]
clock = pd.DataFrame(
    {"t0": frame["t0"], "t1": frame["t1"], "x": np.arange(len(frame), dtype=float)}
)
nearest = make_pipeline(
    ColumnTransformer([("features", "passthrough", ["x"])]), KNeighborsClassifier(5)
)
shuffled = cross_val_score(
    nearest, clock, outcome, cv=KFold(10, shuffle=True, random_state=0)
).mean()
forward = cross_val_score(nearest, clock, outcome, cv=folds).mean()
print(f"accuracy of a clock: shuffled folds {shuffled:.2f}, walk-forward {forward:.2f}")
