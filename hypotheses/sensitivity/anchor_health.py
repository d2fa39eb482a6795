"""How healthy the anchors of the perps are: how far each is from its spot, how often that is broken, and for how long.

    gap        |perp / spot - 1|, bps, at mids in one dollar  [S2.C1]
    limit      the registered threshold of C1 and the round trip of both legs without impact, bps
    broken     a grid time with gap > limit; one without both quotes is unknown and ends a break

The corner of C6 that is off is the one furthest from the median of the corners at a grid time; more than C6's threshold
from it, it is called off.  Exploratory: no rule reads any of this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import nan
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtest.data.format.dataset import open_dataset
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from backtest.records import Plan
from engine.constraints.c6_four_corner import CORNERS, corner_prices
from engine.market.view import PreparedPanel, prepare
from engine.params import Params
from engine.records import BoolArray, FloatArray, IntArray
from engine.units import BPS, NS_PER_DAY, NS_PER_HOUR
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable

HOURS: Final = 24

PERPS: Final = (
    Column("perp", "perp", "text"),
    Column("spot", "spot", "text"),
    Column("known", "hours with both quotes", "hours"),
    Column("gap", "median gap, bps", "bps"),
    Column("limit", "median limit, bps", "bps"),
    Column("broken", "share of that time broken", "share"),
    Column("longest", "longest break, hours", "hours"),
)
BY_HOUR: Final = (Column("perp", "perp", "text"), *(Column(f"h{h}", f"{h} h UTC", "share") for h in range(HOURS)))
OFF: Final = (
    Column("coin", "coin", "text"),
    Column("corner", "corner", "text"),
    Column("known", "grid times with three corners or more", "count"),
    Column("furthest", "share of them furthest from the median", "share"),
    Column("off", "share furthest and beyond C6's threshold", "share"),
    Column("distance", "median distance from the median, bps", "bps"),
)


@dataclass(slots=True)
class GapSeries:
    """The gap of one pair at the grid times of a window, ``[T]`` each; NaN where a quote is missing."""

    times_ns: list[IntArray] = field(default_factory=list)
    gap: list[FloatArray] = field(default_factory=list)
    limit: list[FloatArray] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AnchorHealth:
    """What the gap of one pair was: times in hours, shares of the known time, NaN where nothing is known."""

    known_h: float
    gap_bps: float
    limit_bps: float
    broken: float
    longest_h: float
    by_hour: tuple[float, ...]


def build(judged: JudgedRun) -> Part:
    """Return a row a registered pair, the same by hour of the day, and a row a corner of C6."""
    if judged.data is None:
        return Part((), ("not computed: the market was not read again.",))
    params = judged.registration.params
    gaps: dict[tuple[str, str], GapSeries] = defaultdict(GapSeries)
    corners: dict[str, list[FloatArray]] = defaultdict(list)
    for view in _views(judged.data, params, judged.plan):
        _gaps(view, params.rules["C1"].threshold_bps, gaps)
        if (prices := corner_prices(view)) is not None:
            corners[view.panel.underlying].append(BPS * prices / view.spot_usd[:, None])
    found = {
        pair: health(np.concatenate(series.times_ns), np.concatenate(series.gap), np.concatenate(series.limit))
        for pair, series in sorted(gaps.items())
    }
    if not found and not corners:
        return Part((), ("No registered pair and no corner is quoted in this window.",))
    rows = tuple(
        {
            "perp": perp, "spot": spot, "known": h.known_h, "gap": _known(h.gap_bps), "limit": _known(h.limit_bps),
            "broken": _known(h.broken), "longest": h.longest_h,
        }
        for (perp, spot), h in found.items()
    )  # fmt: skip
    hours = tuple(
        {"perp": perp, **{f"h{n}": _known(share) for n, share in enumerate(h.by_hour)}}
        for (perp, _), h in found.items()
    )
    off = tuple(
        row
        for coin, values in sorted(corners.items())
        for row in corner_rows(coin, np.concatenate(values), params.rules["C6"].threshold_bps)
    )
    tables = (
        SensitivityTable("Gap of each perp to its spot against C1's threshold and the round trip", PERPS, rows),
        SensitivityTable("Share of the known time broken, by hour of the day", BY_HOUR, hours, folded=True),
        SensitivityTable("Corners of C6 beside their median", OFF, off),
    )
    return Part(tuple(table for table in tables if table.rows))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _views(data: Path, params: Params, plan: Plan) -> Iterator[PreparedPanel]:
    dataset = open_dataset(data)
    for name in params.underlyings:
        if name in dataset.underlyings:
            for panel in registered_panels(dataset, params, name, plan.t0_ns, plan.t1_ns):
                yield prepare(panel, params, empty_history(params, name))


def _gaps(view: PreparedPanel, threshold_bps: float, gaps: Mapping[tuple[str, str], GapSeries]) -> None:
    names = [view.panel.instruments.name[code] for code in view.panel.code.tolist()]
    for pair in view.market.cash_carry:
        if pair.perp not in names or pair.spot not in names:
            continue
        perp, spot = names.index(pair.perp), names.index(pair.spot)
        usd = [view.mid[:, column] * view.usd[:, column] for column in (perp, spot)]
        charge = view.charge[:, perp] * view.money[:, perp] + view.charge[:, spot] * view.money[:, spot]
        series = gaps[pair.perp, pair.spot]
        series.times_ns.append(view.panel.times_ns)
        series.gap.append(BPS * np.abs(usd[0] / usd[1] - 1.0))
        series.limit.append(threshold_bps + BPS * 2.0 * charge / view.spot_usd)


def health(times_ns: IntArray, gap: FloatArray, limit: FloatArray) -> AnchorHealth:
    """Return the health of one pair from its gaps and limits at grid times, ``[T]`` each, NaN where unknown.

    A grid time stands for the time to the next one, the last for as much as the one before it.

    >>> hours = np.arange(4) * NS_PER_HOUR
    >>> h = health(hours, np.array([1.0, 9.0, 9.0, np.nan]), np.full(4, 5.0))
    >>> h.known_h, round(h.broken, 3), h.longest_h, h.by_hour[:4]
    (3.0, 0.667, 2.0, (0.0, 1.0, 1.0, nan))
    """
    known = ~np.isnan(gap - limit)
    broken = known & (gap > limit)
    step = np.diff(times_ns, append=times_ns[-1:] + (times_ns[-1] - times_ns[-2] if len(times_ns) > 1 else 0))
    hours = step / NS_PER_HOUR
    hour = times_ns % NS_PER_DAY // NS_PER_HOUR
    total = np.bincount(hour[known], hours[known], HOURS)
    bad = np.bincount(hour[broken], hours[broken], HOURS)
    by_hour = tuple(b / t if t else nan for b, t in zip(bad.tolist(), total.tolist(), strict=True))
    spent = float(total.sum())
    return AnchorHealth(
        spent,
        float(np.median(gap[known])) if known.any() else nan,
        float(np.median(limit[known])) if known.any() else nan,
        float(bad.sum()) / spent if spent else nan,
        longest(broken, hours),
        by_hour,
    )


def longest(broken: BoolArray, hours: FloatArray) -> float:
    """Return the longest run of grid times that are ``broken``, in hours; ``hours`` is what each stands for."""
    most = so_far = 0.0
    for bad, length in zip(broken.tolist(), hours.tolist(), strict=True):
        so_far = so_far + length if bad else 0.0
        most = max(most, so_far)
    return most


def corner_rows(coin: str, prices_bps: FloatArray, threshold_bps: float) -> list[dict[str, Any]]:
    """Return a row a corner from the prices of the corners, ``[T, 4]`` bps of S, NaN where one is missing."""
    whole = prices_bps[np.count_nonzero(~np.isnan(prices_bps), axis=1) >= 3]
    if not len(whole):
        return []
    away = np.abs(whole - np.nanmedian(whole, axis=1)[:, None])
    furthest = np.where(np.isnan(away), -1.0, away).argmax(axis=1)
    beyond = away[np.arange(len(away)), furthest] > threshold_bps
    return [
        {
            "coin": coin,
            "corner": name,
            "known": len(whole),
            "furthest": float((furthest == number).mean()),
            "off": float(((furthest == number) & beyond).mean()),
            "distance": float(np.nanmedian(away[:, number])) if (~np.isnan(away[:, number])).any() else None,
        }
        for number, name in enumerate(CORNERS)
    ]
