"""The least edge of a trade, in bps after costs, at which H3 retains its constraint with 80%.  [statistics 10]

    edge = (SR80/sqrt(365) s + c) 90 / (k Q)

s: standard deviation of the sleeve's daily profit, c its daily capital charge, k Q the notional traded in the window,
measured in the market with every constraint planted; SR80: where the certificate's curve of H3 reaches 80%.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, Final

import numpy as np

from backtest.results.returns import DAYS_A_YEAR
from engine.constraints.codes import CODES
from engine.units import BPS
from hypotheses.calibration.base import Columns
from hypotheses.calibration.distributions import DAYS

POWER: Final = 0.8
CURVE: Final = "power/h3/"


def ratio_at_power(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the true Sharpe ratio that H3 retains with 80%, linear between the points of the measured curve."""
    points = sorted(
        (float(row["cell"].removeprefix(CURVE)), row["count"] / row["of"])
        for row in rows
        if row["cell"].startswith(CURVE) and "retains" in row["name"] and row["of"]
    )
    for (low, p), (high, q) in pairwise(points):
        # The first crossing: chance may let a measured curve fall again.
        if p < POWER <= q:
            return float(low + (POWER - p) / (q - p) * (high - low))
    return None


def detectable_edges(rows: Sequence[Mapping[str, Any]], measured: Columns) -> list[dict[str, Any]]:
    """Return a row a constraint: recovery, trades, the edge realised a trade and the least detectable one, bps."""
    ratio, out = ratio_at_power(rows), []
    for code in CODES:
        mean = {key: float(np.mean(measured[f"{code}/{key}"])) for key in ("trades", "notional", "net", "sd", "charge")}
        traded = mean["notional"] > 0
        least = None
        # Without trades or a crossing no edge follows, and none is claimed.
        if traded and ratio is not None:
            least = (ratio / sqrt(DAYS_A_YEAR) * mean["sd"] + mean["charge"]) * DAYS / mean["notional"] * BPS
        out.append(
            {
                "constraint": code,
                "planted": int(measured[f"{code}/found/of"].sum()),
                "recovered": int(measured[f"{code}/found"].sum()),
                "trades": f"{mean['trades']:.1f}",
                "realised_bps": f"{mean['net'] / mean['notional'] * BPS:.1f}" if traded else None,
                "detectable_bps": None if least is None else f"{least:.1f}",
                "sharpe_at_power": None if ratio is None else f"{ratio:.2f}",
            }
        )
    return out
