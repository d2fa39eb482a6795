"""The report of a check as plain aligned text, for people.  JSON is ``dataclasses.asdict`` of the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backtest.data.checks.check import DatasetReport, InstrumentCheck
from backtest.data.checks.lag import Lag, duration
from backtest.data.checks.level import Level
from engine.units import NS_PER_SECOND

_HEADER = (
    "instrument", "feed", "quotes", "first", "last", "cover", "age p50", "age p95", "longest gap", "1-sided", "crossed",
    "jumps", "settled", "missing",
)  # fmt: skip


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with columns as wide as their widest cell: the first flush left, the others right.

    >>> print(aligned(("a", "b"), [("x", "10"), ("yy", "2")]))
    a    b
    x   10
    yy   2
    """
    widths = [max(len(row[at]) for row in (header, *rows)) for at in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def text_of(report: DatasetReport) -> str:
    """Return the whole report: what it is, instruments (options of one venue and underlying in one line), findings."""
    made = " (synthetic)" if report.synthetic else ""
    grid = f"grid of {report.grid_ns // NS_PER_SECOND} s" if report.grid_ns else "grid of its own snapshot times"
    parts = [
        f"{report.name}{made}: {report.files} files, {report.rows:,} rows, {grid}",
        f"dataset hash {report.dataset_hash}",
    ]
    for name, (first, last, lacking) in report.days.items():
        parts.append(f"{name}: {_date(first)} to {_date(last)}, {lacking} days without a file")
    rows = [_row(result) for result in report.instruments if result.kind != "option"]
    parts += ["", aligned(_HEADER, rows + _option_rows(report.instruments))]
    if report.lags:
        stamped = (
            f"{len(report.lags)} pairs of sources compared, {sum(bool(lag.warning) for lag in report.lags)} out of step"
        )
        parts += ["", stamped]
    if report.levels:
        follow = sum(bool(level.warning) for level in report.levels)
        parts.append(f"{len(report.levels)} pairs compared in level, {follow} follow a peg, funding or a tick")
    parts += [f"gap: {line}" for line in report.gaps]
    parts += ["", *(f"problem ({result.exit_code}): {result.message}" for result in report.problems)]
    of_pairs = {*(lag.warning for lag in report.lags), *(level.warning for level in report.levels)}
    others = (text for text in report.warnings if text not in of_pairs)
    parts += [f"warning: {text}" for text in (*others, *_pairs(report, report.lags), *_pairs(report, report.levels))]
    parts.append("the data set does not hold" if report.problems else "every file is as the manifest says and in form")
    return "\n".join(parts)


def _pairs(report: DatasetReport, compared: Sequence[Lag] | Sequence[Level]) -> list[str]:
    """Return the warnings of pairs: one line for all pairs of two venues and a coin, with the middle pair."""
    coin = {result.name: result.underlying for result in report.instruments}
    groups: dict[tuple[str, ...], list[tuple[float, str, str, str]]] = {}
    for pair in compared:
        if pair.warning:
            venues = (pair.second.partition(":")[0], pair.first.partition(":")[0])
            if isinstance(pair, Lag):
                said, size = "", float(pair.lag_ns)
            else:
                raised = [found for found in pair.follows if found.alarm]
                said, size = " ".join(found.driver for found in raised), raised[0].slope
            key = (coin[pair.second], *venues, said)
            groups.setdefault(key, []).append((size, pair.second, pair.first, pair.warning))
    lines = []
    for (underlying, second, first, *_), pairs in groups.items():
        # Not the worst pair: one with bad data must not speak for the clock or currency of a venue.
        warning = sorted(pairs)[len(pairs) // 2][-1]
        many = f"{underlying}, {len(pairs)} pairs of {second} and {first}, among them: " if len(pairs) > 1 else ""
        lines.append(many + warning)
    return lines


def _row(result: InstrumentCheck) -> tuple[str, ...]:
    return (
        result.name,
        result.feed,
        f"{result.quotes:,}",
        _minute(result.first_us),
        _minute(result.last_us),
        "-" if result.coverage is None else f"{result.coverage:.1%}",
        _span(result.age_p50_ns),
        _span(result.age_p95_ns),
        _span(result.longest_gap_ns),
        f"{result.one_sided:,}",
        f"{result.crossed:,}",
        f"{result.jumps:,}",
        f"{result.settlements:,}",
        f"{result.settlements_missing:,}",
    )


def _option_rows(instruments: Sequence[InstrumentCheck]) -> list[tuple[str, ...]]:
    """One line for the options of a venue and underlying: counts are sums, ages and coverage medians."""
    groups: dict[tuple[str, str], list[InstrumentCheck]] = {}
    for result in instruments:
        if result.kind == "option":
            groups.setdefault((result.name.partition(":")[0], result.underlying), []).append(result)
    rows: list[tuple[str, ...]] = []
    for (venue, underlying), results in sorted(groups.items()):
        known = [result.coverage for result in results if result.coverage is not None]
        rows.append((
            f"{venue}: {len(results):,} {underlying} options",
            "/".join(sorted({result.feed for result in results})),
            f"{sum(result.quotes for result in results):,}",
            _minute(min((result.first_us for result in results if result.first_us is not None), default=None)),
            _minute(max((result.last_us for result in results if result.last_us is not None), default=None)),
            f"{float(np.median(known)):.1%}" if known else "-",
            _span(int(np.median([result.age_p50_ns for result in results]))),
            _span(int(np.median([result.age_p95_ns for result in results]))),
            _span(max(result.longest_gap_ns for result in results)),
            f"{sum(result.one_sided for result in results):,}",
            f"{sum(result.crossed for result in results):,}",
            "-",
            "-",
            "-",
        ))  # fmt: skip
    return rows


def _date(day: int) -> str:
    return str(np.datetime64(day, "D"))


def _minute(us: int | None) -> str:
    return "-" if us is None else str(np.datetime64(us, "us").astype("datetime64[m]")).replace("T", " ")


def _span(ns: int) -> str:
    return "-" if ns < 0 else duration(ns)[1:]
