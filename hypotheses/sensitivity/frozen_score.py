"""C5's z with the constants of training frozen for the fold, beside the rolling one that is registered.  [R9.5]

    c_t      = v3'(y_t - mean of train)                     one score a day, of the curve at 00:00 UTC  [R9.1]
    rolling  = (c_t - mean(c)) / sd(c)                      over the 60 days ending the day before: the registered rule
    frozen   = (c_t - mean_train(c)) / sd_train(c)          constants of the fold's training, the sensitivity

Both fire where |z|, to nine places, reaches the fold's threshold; the side is the sign of z.  Only the gate is
compared: whether the package paid its costs, and the other grid times of a day, take part in neither.  The threshold
was chosen on the rolling z.  [spec README "Constraints and costs"]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtest.results.curves import read_curves
from engine.market.curve import rolling_score, score_of
from engine.params import Curve, CurveFit
from engine.records import BoolArray, CurveHistory, FloatArray
from engine.units import NS_PER_DAY
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.thresholds import fits_of

NINE_PLACES = 1e9

COLUMNS = (
    Column("coin", "coin", "text"),
    Column("fold", "fold", "text"),
    Column("threshold", "threshold of |z|", "ratio"),
    Column("days", "days with a curve", "count"),
    Column("rolling", "rolling fires, days", "count"),
    Column("frozen", "frozen fires, days", "count"),
    Column("both", "both, same side", "count"),
    Column("agree", "days on which they agree", "share"),
    Column("sign", "days with the same sign of z", "share"),
    Column("correlation", "correlation of z", "ratio"),
    Column("note", "why not", "text"),
)


@dataclass(frozen=True, slots=True)
class Days:
    """The two z of some days, and the side on which each fires: -1, 0, +1.  ``rolling`` NaN: its past is too short."""

    rolling: FloatArray
    frozen: FloatArray
    rolling_side: FloatArray
    frozen_side: FloatArray


def build(judged: JudgedRun) -> Part:
    """Return one row a coin and fold, and one a coin for the whole window; a sentence where no curve was kept."""
    curves, plan, markets = read_curves(judged.folder), judged.plan, judged.registration.params.underlyings
    if curves is None:
        return Part((), ("not computed: this run was made before daily curves were kept; `cme run` keeps them.",))
    fits = fits_of(judged.folder)
    rows: list[dict[str, Any]] = []
    for coin, history in curves.items():
        registered, days = markets[coin].curve, []
        for fold, fit in [(fold, by_coin[coin]) for fold, by_coin in enumerate(fits) if coin in by_coin]:
            # A fold without an identified curve emits nothing under either reading.  [R9.4]
            if registered is None or not fit.identified:
                rows.append(_row(coin, str(fold), None, None) | {"note": fit.reason})
                continue
            first = plan.start_ns(fold) // NS_PER_DAY
            inside = (history.day >= first) & (history.day < first + plan.fold_ns // NS_PER_DAY)
            days.append(scored(history, fit, registered, history.day[inside].tolist()))
            rows.append(_row(coin, str(fold), fit.z_threshold, days[-1]))
        rows.append(_row(coin, "all", None, _joined(days)))
    if not rows:
        return Part((), ("not evaluable: no underlying of this run has a curve.",))
    return Part(
        (SensitivityTable("The gate of C5 at 00:00 UTC under both readings of z", COLUMNS, tuple(rows)),),
        (
            "They agree on a day where neither fires, or both do to the same side. Frozen constants stay those of the "
            "fold's training; rolling ones follow the last days, so that a lasting move of the curve stops firing.",
        ),
    )


def scored(history: CurveHistory, fit: CurveFit, registered: Curve, days: Sequence[int]) -> Days:
    """Return both z of ``days``, each a day of ``history``, under an identified ``fit``."""
    curve = dict(zip(history.day.tolist(), history.curve.tolist(), strict=True))
    score = np.array([score_of(curve[day], fit.mean, fit.loadings[2]) for day in days], dtype=np.float64)
    # The engine's own function, so that the registered z is compared and not a copy of it.
    past = np.array([rolling_score(history, fit, registered, day) for day in days], dtype=np.float64).reshape(-1, 2)
    rolling, frozen = _places((score - past[:, 0]) / past[:, 1]), _places((score - fit.train_mean) / fit.train_sd)
    return Days(rolling, frozen, _side(rolling, fit.z_threshold), _side(frozen, fit.z_threshold))


def _places(z: FloatArray) -> FloatArray:
    return np.asarray(np.rint(z * NINE_PLACES) / NINE_PLACES)


def _side(z: FloatArray, threshold: float) -> FloatArray:
    # To nine places, as the engine compares them.
    fires: BoolArray = np.rint(np.abs(z) * NINE_PLACES) >= np.rint(threshold * NINE_PLACES)
    return np.where(fires, np.sign(z), 0.0)


def _joined(parts: Sequence[Days]) -> Days | None:
    if not parts:
        return None
    return Days(*(np.concatenate([getattr(part, name) for part in parts]) for name in Days.__slots__))


def _row(coin: str, fold: str, threshold: float | None, days: Days | None) -> dict[str, Any]:
    row: dict[str, Any] = {column.key: None for column in COLUMNS}
    row |= {"coin": coin, "fold": fold, "threshold": threshold, "note": ""}
    if days is None:
        return row
    known = ~np.isnan(days.rolling)
    return row | {
        "days": len(days.frozen),
        "rolling": int(np.count_nonzero(days.rolling_side)),
        "frozen": int(np.count_nonzero(days.frozen_side)),
        "both": int(np.count_nonzero((days.rolling_side == days.frozen_side) & (days.frozen_side != 0.0))),
        "agree": _mean(days.rolling_side == days.frozen_side),
        "sign": _mean(np.sign(days.rolling[known]) == np.sign(days.frozen[known])),
        "correlation": _correlation(days.rolling[known], days.frozen[known]),
    }


def _mean(holds: BoolArray) -> float | None:
    return float(holds.mean()) if len(holds) else None


def _correlation(x: FloatArray, y: FloatArray) -> float | None:
    """Return Pearson's correlation; None for fewer than three days or a constant series."""
    # Two points correlate perfectly whatever they are.
    if len(x) < 3 or np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return None
    return float(np.corrcoef(x, y)[0, 1])
