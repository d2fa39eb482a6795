"""A small plan of a covenant study on two hourly pairs, and the bars that one without drawn prices reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

DRAWN = 'price = "synthetic"'
STORED = 'price = "last"\nmark = ["a.feather", "b.feather"]'
"""Prices of the pair: drawn by the study, or those of `candles`."""


def plan_text(kind: str, start: str, end: str, price: str, more: str = "") -> str:
    """Return the plan of a study from day ``start`` to day ``end``; ``more`` goes on below its hourly parameters."""
    return f"""
schema = "covenants/1"
study = "tiny"
title = "Tiny"
kind = "{kind}"
[window]
start = "{start}T00:00:00Z"
end = "{end}T00:00:00Z"
[pair]
a = "A"
b = "B"
{price}
[parameters]
bar_min = 60
{more}"""


def candles(path: Path, hours: int = 60 * 24, seed: int = 1) -> pd.DataFrame:
    """Write hourly bars from 2024-01-01 on, a SYNTHETIC random walk, and return them."""
    rng = np.random.Generator(np.random.PCG64(seed))
    close = 100 * np.exp(np.cumsum(rng.normal(size=hours) * 0.005))
    date = pd.date_range("2024-01-01", periods=hours, freq="1h", tz="UTC")
    frame = pd.DataFrame({"date": date, "close": close, "volume": 1e6})
    frame.to_feather(path)
    return frame
