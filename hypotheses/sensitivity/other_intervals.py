"""The same Sharpe ratios under other intervals and other tests.  [statistics 8.5]"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from hypotheses.bootstrap import blocks, days, sharpe_t
from hypotheses.nulls import block_sums, n1
from hypotheses.sensitivity.base import Column, Judged, Part, Table
from hypotheses.sensitivity.parametric import block_t, normal_interval
from hypotheses.sensitivity.resampling import (
    acceleration,
    bca,
    by_draw,
    circular_blocks,
    circular_length,
    percentile,
    sharpe,
)
from hypotheses.sensitivity.series import Series, all_series, annual, annual_pair, series_of

INTERVALS = Table(
    "Annualised Sharpe ratio under other intervals; the studentised symmetric one decides",
    (
        Column("series", "series", "text"),
        Column("sharpe", "Sharpe", "ratio"),
        Column("studentised", "studentised", "interval"),
        Column("percentile", "percentile", "interval"),
        Column("bca", "BCa", "interval"),
        Column("circular", "circular blocks", "interval"),
        Column("ten_blocks", "t over blocks", "interval"),
        Column("normal", "iid normal, exact", "interval"),
        Column("note", "why undefined", "text"),
    ),
    (),
)

TESTS = Table(
    "Other tests of a ratio at or under 0, and the ratio without its best day",
    (
        Column("series", "series", "text"),
        Column("p_flip", "p, block sign-flip", "p"),
        Column("flip_rejects", "under the tail", "flag"),
        Column("t_blocks", "t over blocks", "ratio"),
        Column("best_day_usd", "best day, USD", "usd"),
        Column("sharpe_without", "Sharpe without it", "ratio"),
        Column("interval_without", "studentised, without it", "interval"),
    ),
    (),
)


def build(judged: Judged) -> Part:
    """Return percentile, BCa and circular-block intervals, block tests, and the series without its best day."""
    intervals, tests = [], []
    for series in all_series(judged.run):
        intervals.append(_intervals(series, judged))
        tests.append(_tests(series, judged))
    return Part(
        (_filled(INTERVALS, intervals), _filled(TESTS, tests)),
        (
            f"{judged.draws:,} draws each, of the streams of the decision and of the circular streams; "
            "the BCa acceleration deletes blocks of the rounded mean length.",
            "The exact normal interval and the percentile forms under-cover where days depend on one another.",
        ),
    )


def _intervals(series: Series, judged: Judged) -> dict[str, Any]:
    row: dict[str, Any] = {"series": series.code, "sharpe": annual(series.point), "note": series.undefined or ""}
    empty = dict.fromkeys(["studentised", "percentile", "bca", "circular", "ten_blocks", "normal"])
    if series.point is None or series.length is None:
        return {**empty, **row}
    stats, n, values = judged.registration.stats, judged.run.n, series.values
    level, point = float(stats.level), float(series.point)
    drawn = blocks(n, series.length, judged.draws, judged.streams(series.stream("bootstrap")))
    resampled = by_draw(values, days(drawn), sharpe)
    bend = acceleration(values, sharpe, min(max(round(series.length), 1), n - 2))
    circle = circular_blocks(
        n, circular_length(series.length, n), judged.draws, judged.streams(series.stream("circular"))
    )
    found = block_t(values, judged.run.block, level)
    return {
        **row,
        "studentised": series.interval(sharpe_t(series.returns, drawn), stats.level),
        "percentile": annual_pair(percentile(resampled, level)),
        "bca": annual_pair(bca(resampled, point, bend, level)),
        "circular": series.interval(sharpe_t(series.returns, circle), stats.level),
        "ten_blocks": annual_pair(found[1]) if found else None,
        "normal": annual_pair(normal_interval(point, n, level)),
        "note": "" if found else "a block has no variance",
    }


def _tests(series: Series, judged: Judged) -> dict[str, Any]:
    run, stats, sleeve = judged.run, judged.registration.stats, series.sleeve
    found = block_t(series.values, run.block, float(stats.level)) if series.point is not None else None
    best = int(np.argmax(sleeve.x))
    rest = series_of(sleeve, np.delete(np.arange(run.n), best))
    p = n1(block_sums(sleeve.x, run.block)) if series.point is not None else None
    within = None
    if rest.length is not None:
        drawn = blocks(run.n - 1, rest.length, judged.draws, judged.streams(series.stream("bootstrap")))
        within = rest.interval(sharpe_t(rest.returns, drawn), stats.level)
    return {
        "series": series.code,
        "p_flip": None if p is None else float(p.value),
        "flip_rejects": None if p is None else p.under((1 - Decimal(stats.level)) / 2),
        "t_blocks": found[0] if found else None,
        "best_day_usd": float(sleeve.x[best]) / 1e6,
        "sharpe_without": annual(rest.point),
        "interval_without": within,
    }


def _filled(table: Table, rows: list[dict[str, Any]]) -> Table:
    return Table(table.caption, table.columns, tuple(rows))
