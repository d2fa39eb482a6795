"""The same Sharpe ratios under other intervals and other tests.  [statistics 8.5]"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from scipy.stats import norm

from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.parametric import block_t, error_at, first_order_bias, normal_interval
from hypotheses.sensitivity.resampling import (
    bca,
    by_draw,
    circular_blocks,
    circular_length,
    jackknife_acceleration,
    percentile,
    sharpe,
)
from hypotheses.sensitivity.series import ANNUAL, Series, all_series, annual, annual_pair, series_of
from hypotheses.statistics.bootstrap import blocks, resampled_days
from hypotheses.statistics.sign_flips import block_sums, n1
from hypotheses.statistics.studentised import sharpe_t

INTERVALS = SensitivityTable(
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

TESTS = SensitivityTable(
    "Other tests of a ratio at or under 0, and the ratio without its best day",
    (
        Column("series", "series", "text"),
        Column("p_flip", "p, block sign-flip", "p"),
        Column("flip_rejects", "under the tail", "flag"),
        Column("t_blocks", "t over blocks", "ratio"),
        Column("best_day_usd", "best day after capital, USD", "usd"),
        Column("sharpe_without", "Sharpe without it", "ratio"),
        Column("interval_without", "studentised, without it", "interval"),
    ),
    (),
)

FORMULAS = SensitivityTable(
    "What formulas say of the estimate, annualised: bias to order 1/n, error under a fitted AR(1) at the benchmark",
    (
        Column("series", "series", "text"),
        Column("sharpe", "Sharpe", "ratio"),
        Column("bias", "bias", "ratio"),
        Column("rho", "AR(1) slope", "ratio"),
        Column("benchmark", "benchmark", "ratio"),
        Column("error", "error", "ratio"),
        Column("above", "probability above the benchmark", "share"),
    ),
    (),
    folded=True,
)


def build(judged: JudgedRun) -> Part:
    """Return percentile, BCa and circular-block intervals, block tests, and the series without its best day."""
    intervals, tests, formulas = [], [], []
    for series in all_series(judged.run):
        intervals.append(_intervals(series, judged))
        tests.append(_tests(series, judged))
        formulas.append(_formulas(series, judged))
    return Part(
        (_filled(INTERVALS, intervals), _filled(TESTS, tests), _filled(FORMULAS, formulas)),
        (
            f"{judged.draws:,} draws each, of the streams of the decision and of the circular streams; "
            "the BCa acceleration deletes blocks of the rounded mean length.",
            "The probability is that of Lopez de Prado, Lipton and Zoonekynd (2025), the newer convention of the PSR.",
            "The exact normal interval and the percentile forms under-cover where days depend on one another.",
        ),
    )


def _intervals(series: Series, judged: JudgedRun) -> dict[str, Any]:
    row: dict[str, Any] = {"series": series.code, "sharpe": annual(series.point), "note": series.undefined or ""}
    empty = dict.fromkeys(["studentised", "percentile", "bca", "circular", "ten_blocks", "normal"])
    if series.point is None or series.length is None:
        return {**empty, **row}
    stats, n, values = judged.registration.stats, judged.run.n, series.values
    level, point = float(stats.level), float(series.point)
    drawn = blocks(n, series.length, judged.draws, judged.streams(series.stream("bootstrap")))
    resampled = by_draw(values, resampled_days(drawn), sharpe)
    # Two days must be left: of one there is no ratio.
    skew_term = jackknife_acceleration(values, sharpe, min(max(round(series.length), 1), n - 2))
    circle = circular_blocks(
        n, circular_length(series.length, n), judged.draws, judged.streams(series.stream("circular"))
    )
    block_result = block_t(values, judged.run.block, level)
    return {
        **row,
        "studentised": series.interval(sharpe_t(series.returns, drawn), stats.level),
        "percentile": annual_pair(percentile(resampled, level)),
        "bca": annual_pair(bca(resampled, point, skew_term, level)),
        "circular": series.interval(sharpe_t(series.returns, circle), stats.level),
        "ten_blocks": annual_pair(block_result[1]) if block_result else None,
        "normal": annual_pair(normal_interval(point, n, level)),
        "note": "" if block_result else "a block has no variance",
    }


def _tests(series: Series, judged: JudgedRun) -> dict[str, Any]:
    run, stats, sleeve = judged.run, judged.registration.stats, series.sleeve
    block_result = block_t(series.values, run.block, float(stats.level)) if series.point is not None else None
    # After capital, as the ratio is.
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
        # One tail of the two-sided level, as an interval's lower end has.  [statistics 8.5]
        "flip_rejects": None if p is None else p.under((1 - Decimal(stats.level)) / 2),
        "t_blocks": block_result[0] if block_result else None,
        "best_day_usd": float(sleeve.x[best]) / 1e6,
        "sharpe_without": annual(rest.point),
        "interval_without": within,
    }


def _formulas(series: Series, judged: JudgedRun) -> dict[str, Any]:
    """Return the row of one series; the benchmark is H1's claim for the portfolio and 0 for a sleeve."""
    benchmark = 0.0 if series.sleeve.code else float(judged.registration.stats.sharpe_claim)
    row: dict[str, Any] = {"series": series.code, "benchmark": benchmark, "sharpe": annual(series.point)}
    if series.point is None:
        return {**row, **dict.fromkeys(["bias", "rho", "error", "above"])}
    ratio, z = float(series.point), series.values - series.values.mean()
    spread = float(z.std())
    skew, kurtosis = float((z**3).mean() / spread**3), float((z**4).mean() / spread**4)
    rho = float((z[1:] * z[:-1]).sum() / (z[:-1] ** 2).sum())
    # At a slope of 1 or more the AR(1) has no variance.
    error = error_at(benchmark / ANNUAL, len(z), skew, kurtosis, rho) if abs(rho) < 1 else float("nan")
    known = error == error
    return {
        **row,
        "bias": annual(first_order_bias(ratio, len(z), skew, kurtosis - 3)),
        "rho": rho,
        "error": annual(error),
        "above": float(norm.cdf((ratio - benchmark / ANNUAL) / error)) if known else None,
    }


def _filled(table: SensitivityTable, rows: list[dict[str, Any]]) -> SensitivityTable:
    return replace(table, rows=tuple(rows))
