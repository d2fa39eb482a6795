"""The page's claim that C6 has the highest EV, judged as printed: its mean modelled EV a day less that of each other.

The modelled EV of a day is that of the signals decided on it, traded ones alone, 0 on a day without.  Days are paired:
the difference of two constraints is a series of its own, whose mean has the studentised interval of H2's mean.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses.base import RunData
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.statistics.inference import infer_mean
from hypotheses.statistics.intervals import symmetric

CLAIMED: Final = "C6"
STREAM: Final = "h2/bootstrap"
"""The words of the mean that H2 judges: a difference of such means takes the same."""

COLUMNS: Final = (
    Column("series", "constraint", "text"),
    Column("trades", "traded signals", "count"),
    Column("mean", "mean modelled EV a day, USD", "usd"),
    Column("difference", f"{CLAIMED} less this, USD a day", "usd"),
    Column("low", "lower end at 95%, USD", "usd"),
    Column("high", "upper end, USD", "usd"),
    Column("note", "remark", "text"),
)


def build(judged: JudgedRun) -> Part:
    """Return a row a constraint, the highest mean first, and whether the claim holds against the next."""
    run, stats = judged.run, judged.registration.stats
    daily = {sleeve.code: modelled_ev(run, sleeve.code) for sleeve in run.sleeves}
    if CLAIMED not in daily or not any(values.any() for values in daily.values()):
        return Part((), (f"{CLAIMED} is not compared: no signal of this window has a modelled EV.",))
    rows: list[dict[str, Any]] = []
    for code, values in sorted(daily.items(), key=lambda item: -int(item[1].sum())):
        row: dict[str, Any] = {
            "series": code,
            "trades": int((_traded(run)["constraint"] == code).sum()),
            "mean": int(values.sum()) / run.n / MICRO,
            **dict.fromkeys(("difference", "low", "high")),
            "note": "",
        }
        if code != CLAIMED:
            difference = daily[CLAIMED] - values
            inference = infer_mean(difference, judged.draws, judged.streams(STREAM), stats.bootstrap_discard_share)
            interval = symmetric(inference, stats.level)
            row["difference"] = int(difference.sum()) / run.n / MICRO
            row["note"] = inference.undefined or ""
            if interval is not None:
                row |= {"low": float(interval.low) / MICRO, "high": float(interval.high) / MICRO}
        rows.append(row)
    return Part((SensitivityTable(_CAPTION, COLUMNS, tuple(rows)),), (_sentence(rows),))


_CAPTION: Final = f"Mean modelled EV a day by constraint, and {CLAIMED} less each; days paired, stationary bootstrap"


def _traded(run: RunData) -> Any:
    return run.trades[run.trades["status"] == "traded"]


def modelled_ev(run: RunData, code: str) -> IntArray:
    """Return the modelled EV of the traded signals of ``code`` by day of decision, micro-USD, shape ``[n]``."""
    own = _traded(run)[_traded(run)["constraint"] == code]
    values = np.zeros(run.n, dtype=np.int64)
    day = own["t_ns"].to_numpy(np.int64) // NS_PER_DAY - run.day[0]
    np.add.at(values, day, own["modelled_usd_micro"].to_numpy(np.int64))
    return values


def _sentence(rows: list[dict[str, Any]]) -> str:
    """Return the answer against the highest of the others: it holds, it does not, or it cannot be told."""
    follower = next(row for row in rows if row["series"] != CLAIMED)
    against = f"against {follower['series']}, the highest of the others"
    if follower["low"] is None:
        return f"Whether {CLAIMED} has the highest EV cannot be told {against}: there is no interval."
    if follower["low"] > 0.0:
        return f"{CLAIMED} has the highest EV {against}: the interval of the difference lies above zero."
    if follower["high"] < 0.0:
        return f"{CLAIMED} does not have the highest EV {against}: the interval of the difference lies below zero."
    return f"Whether {CLAIMED} has the highest EV cannot be told {against}: the interval of the difference holds zero."
