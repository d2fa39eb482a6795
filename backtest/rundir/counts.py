"""Counts of a window for people: funnel, coverage, quality of quotes.  Nothing here decides.  [S1.4, S2.0, S10]"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from backtest.data.format.schema import FX
from backtest.pipeline.window import WindowRun
from backtest.records import Plan
from backtest.results.returns import days_of
from engine.records import Kind, Quality
from engine.replay import Block, Reading
from engine.units import NS_PER_SECOND

COUNTED = (
    "examined", "usable", "violations", "over_threshold", "untradable", "other_fits", "fires", "episodes", "crowded"
)  # fmt: skip


def funnel(run: WindowRun) -> dict[str, dict[str, Any]]:
    """Return, by constraint, the counts from packages examined to trades resolved, and why packages were stopped.

    ``missing`` names the lacking input of a constraint that could not be judged at any grid time of any underlying;
    ``lacking``, of one that could at some, counts the blocks (a coin's day) that named an input.
    """
    table = {}
    for code, rule in run.registration.params.rules.items():
        readings = [(b.underlying, r) for b in run.blocks for r in b.readings if r.constraint == code]
        counts = {name: sum(reading.funnel.get(name, 0) for _, reading in readings) for name in COUNTED}
        reasons: dict[str, int] = defaultdict(int)
        for _, reading in readings:
            for why, n in reading.stopped_by.items():
                reasons[why] += n
        of_constraint = [trade for trade in run.trades if trade.position.signal.constraint == code]
        traded = [trade for trade in of_constraint if not trade.rejected]
        judged = any(reading.evaluable for _, reading in readings)
        table[code] = {
            **counts,
            "traded": len(traded),
            # The end of the window closes what is open, so every traded position is resolved.  [R1.8]
            "resolved": len(traded),
            "rejected": _by_reason(of_constraint),
            "reasons": dict(sorted(reasons.items())),
            "threshold_bps": rule.threshold_bps,
            # NaN differs from itself: a block in which nothing was judged has no best.
            "best_net_bps": max((r.best_bps for _, r in readings if r.best_bps == r.best_bps), default=None),
            "missing": None if judged else _missing(rule.enabled, readings),
            "lacking": _lacking(readings) if judged else {},
            "remark": _remark(code, run),
            "inputs": _inputs(readings),
            "one_sided": _one_sided(readings),
        }
    return table


def _inputs(readings: Sequence[tuple[str, Reading]]) -> list[dict[str, Any]]:
    """Return a row for each registered pair, triangle or venue of each coin: counts, and what it lacked.

    ``judged`` of ``rows`` grid times; ``lacking`` counts the blocks (a coin's day) that named an input.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for coin, reading in readings:
        for counted in reading.inputs:
            empty: dict[str, Any] = {"rows": 0, "judged": 0, "over_threshold": 0, "fires": 0, "oldest_leg_s": 0.0}
            empty |= {"oldest_leg_most_s": 0.0, "lacking": {}}
            row = rows.setdefault((coin, counted.name), {"underlying": coin, "name": counted.name, **empty})
            row["rows"] += reading.rows
            row["judged"] += counted.evaluable
            # a running mean, weighted by packages
            seconds = row["oldest_leg_s"] * row["over_threshold"] + counted.oldest_leg_ns / NS_PER_SECOND
            row["over_threshold"] += counted.over_threshold
            row["oldest_leg_s"] = seconds / row["over_threshold"] if row["over_threshold"] else 0.0
            row["oldest_leg_most_s"] = max(row["oldest_leg_most_s"], counted.oldest_most_ns / NS_PER_SECOND)
            row["fires"] += counted.fires
            if counted.missing:
                row["lacking"][counted.missing] = row["lacking"].get(counted.missing, 0) + 1
    return [rows[key] for key in sorted(rows)]


def _one_sided(readings: Sequence[tuple[str, Reading]]) -> int | None:
    """Return the packages that the two-sided rule left out for the bid of a bought leg; None where none is."""
    counts = [reading.one_sided for _, reading in readings if reading.one_sided is not None]
    return sum(counts) if counts else None


def _by_reason(trades: Sequence[Any]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for trade in trades:
        if trade.rejected:
            counts[trade.rejected] += 1
    return dict(sorted(counts.items()))


def _remark(code: str, run: WindowRun) -> str | None:
    """Return what a reader must know of a constraint that the study shows and does not trade."""
    corners = [market.four_corner for market in run.registration.params.underlyings.values() if market.four_corner]
    if code == "C6" and any(block.mids_only for block in corners):
        return "mids_only: its corners are not simultaneous, so it is shown and takes no part in a verdict"
    return None


def _missing(enabled: bool, readings: Sequence[tuple[str, Any]]) -> str:
    """Return why a constraint was never judged: the inputs named by its scans, by underlying."""
    if not enabled:
        return "switched off in the registration"
    named = sorted(
        {reading.missing for _, reading in readings if reading.missing}
    )  # each names its coin or its instrument
    return "; ".join(named) or "no grid time had all of its inputs usable"


def _lacking(readings: Sequence[tuple[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for _, reading in readings:
        if reading.missing:
            counts[reading.missing] += 1
    return dict(sorted(counts.items()))


def coverage(run: WindowRun) -> dict[str, float | None]:
    """Return, by constraint, the share of (underlying, grid time) pairs at which at least one key could be judged."""
    daily = coverage_by_day(run.blocks, run.plan, tuple(run.registration.params.rules))
    return {code: _share(*totals) for code, totals in daily["totals"].items()}


def coverage_by_day(blocks: Sequence[Block], plan: Plan, codes: Sequence[str]) -> dict[str, Any]:
    """Return ``day``, ``share[code]`` a day (None where no grid time was) and ``totals[code]`` (judged, in all)."""
    cells = judged_cells(blocks)
    days = days_of(plan).tolist()
    return {
        "day": days,
        "share": {code: [_share(*cells[code, day][:2]) for day in days] for code in codes},
        "totals": {code: [sum(cells[code, day][i] for day in days) for i in (0, 1)] for code in codes},
    }


def judged_cells(blocks: Iterable[Block]) -> defaultdict[tuple[str, int], list[int]]:
    """Return (constraint, day) -> (grid times judged, grid times in all, packages examined), over all coins.

    A grid time is judged if at least one key could be; a day without a panel has zeros.
    """
    cells: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for block in blocks:
        for reading in block.readings:
            cell = cells[reading.constraint, block.day]
            cell[0] += reading.evaluable
            cell[1] += reading.rows
            cell[2] += reading.funnel.get("examined", 0)
    return cells


def _share(judged: int, rows: int) -> float | None:
    return judged / rows if rows else None


def quality(run: WindowRun) -> dict[str, Any]:
    """Return one row an (underlying, venue, kind) of the data set, those without a quote too.

    ``counts`` are the grid times of its quotes by first reason of not being usable; ``days_without_usable`` the days of
    the window on which none of them was usable at a grid time, those without a panel too: nothing is counted of them.
    """
    rows: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with_usable: dict[tuple[str, str, str], set[int]] = {
        (underlying, venue, _kind(kind)): set()
        for underlying in run.registration.params.underlyings
        for of, venue, kind in zip(
            run.instruments.underlying, run.instruments.venue, run.instruments.kind.tolist(), strict=True
        )
        # The pair of dollars is read with every coin.
        if of in (underlying, FX)
    }
    for block in run.blocks:
        for code, counts in zip(block.code.tolist(), block.quality.tolist(), strict=True):
            key = (block.underlying, block.instruments.venue[code], _kind(int(block.instruments.kind[code])))
            for reason, n in enumerate(counts):
                if n:
                    rows[key][Quality(reason).name.lower()] += n
            if counts[Quality.USABLE]:
                with_usable[key].add(block.day)
    days = len(days_of(run.plan))
    return {
        "rows": [
            {
                "underlying": u,
                "venue": v,
                "kind": k,
                "counts": dict(sorted(rows[u, v, k].items())),
                "days_without_usable": days - len(usable),
            }
            for (u, v, k), usable in sorted(with_usable.items())
        ]
    }


def _kind(number: int) -> str:
    return Kind(number).name.lower()


QUARANTINE = ("crossed", "non_positive", "far_from_median", "unit_change")


def quarantined(counts: Mapping[str, Any]) -> int:
    """Return how many (quote, grid time) pairs quarantine kept out.  [S1.5]"""
    return sum(row["counts"].get(reason, 0) for row in counts["rows"] for reason in QUARANTINE)


def days_with_data(blocks: Sequence[Block]) -> set[int]:
    """Return the days on which at least one quote was usable at a grid time."""
    return {block.day for block in blocks if block.quality[:, Quality.USABLE].any()}


def stale_legs(run: WindowRun) -> dict[int, int]:
    """Return, by day, how many leg-days of traded positions were marked with a carried mark.  [R1.4]"""
    counts: dict[int, int] = defaultdict(int)
    for trade in run.trades:
        if not trade.rejected:
            for mark in trade.position.marks:
                counts[mark.day] += sum(mark.stale)
    return dict(counts)
