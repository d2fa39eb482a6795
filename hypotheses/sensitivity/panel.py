"""Intervals under other block lengths, other forms and other draws.  They decide nothing.

Block lengths L/2, L and 2L, three forms, three streams of their own; one set of words serves all series, so that rows
differ by the choice and not by chance.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.resampling import Pair, by_draw, percentile, sharpe
from hypotheses.sensitivity.series import Series, all_series, annual_pair
from hypotheses.statistics.bootstrap import Blocks, blocks_of_words, raw_words, resampled_days
from hypotheses.statistics.intervals import equal_tailed, symmetric
from hypotheses.statistics.studentised import sharpe_t

STREAMS = ("panel/a", "panel/b", "panel/c")
FACTORS = (("L/2", Decimal("0.5")), ("L", Decimal(1)), ("2L", Decimal(2)))
FORMS = ("studentised", "equal-tailed", "percentile")

SUMMARY = (
    Column("series", "series", "text"),
    Column("above", "lower end above 0", "count"),
    Column("of", "of", "count"),
    Column("lowest", "lowest lower end", "ratio"),
    Column("highest", "highest lower end", "ratio"),
    Column("least_high", "least upper end", "ratio"),
    Column("most_high", "greatest upper end", "ratio"),
)
DETAIL = (
    Column("series", "series", "text"),
    Column("length", "length", "text"),
    Column("days", "mean block, days", "ratio"),
    Column("form", "interval", "text"),
    *(Column(name, f"stream {name}", "interval") for name in STREAMS),
)


def build(judged: JudgedRun) -> Part:
    """Return one row a (series, length, form), an interval a stream, and the span of the ends by series."""
    defined = [series for series in all_series(judged.run) if series.length is not None]
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for stream in STREAMS if defined else ():
        # Drawn once a stream: lengths and series then differ by the choice and not by chance.
        words = raw_words(judged.run.n, judged.draws, judged.streams(stream))
        for series in defined:
            for name, factor in FACTORS:
                length = _length(series, factor, judged.run.n)
                for form, interval in _forms(
                    series, blocks_of_words(words, length), judged.registration.stats.level
                ).items():
                    row = rows.setdefault(
                        (series.code, name, form),
                        {"series": series.code, "length": name, "days": float(length), "form": form},
                    )
                    row[stream] = interval
    summary = [
        _summary(series.code, [row for row in rows.values() if row["series"] == series.code]) for series in defined
    ]
    return Part(
        (
            SensitivityTable("Ends of the interval over block lengths, forms and streams", SUMMARY, tuple(summary)),
            SensitivityTable("Every interval of the panel", DETAIL, tuple(rows.values()), folded=True),
        ),
        (f"{judged.draws:,} draws a cell. The verdicts rest on L, the studentised form and their own streams.",),
    )


def _length(series: Series, factor: Decimal, n: int) -> Decimal:
    # A mean block is a day at least, and the sample at most.
    return min(max((series.length or Decimal(1)) * factor, Decimal(1)), Decimal(n))


def _forms(series: Series, resample: Blocks, level: Decimal) -> dict[str, Pair | None]:
    drawn = sharpe_t(series.returns, resample)
    forms = (
        series.interval(drawn, level, symmetric),
        series.interval(drawn, level, equal_tailed),
        annual_pair(percentile(by_draw(series.values, resampled_days(resample), sharpe), float(level))),
    )
    return dict(zip(FORMS, forms, strict=True))


def _summary(code: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    ends = [row[stream] for row in rows for stream in STREAMS if row[stream] is not None]
    lows, highs = [low for low, _ in ends], [high for _, high in ends]
    return {
        "series": code,
        "above": sum(low > 0 for low in lows),
        "of": len(rows) * len(STREAMS),
        "lowest": min(lows, default=None),
        "highest": max(lows, default=None),
        "least_high": min(highs, default=None),
        "most_high": max(highs, default=None),
    }
