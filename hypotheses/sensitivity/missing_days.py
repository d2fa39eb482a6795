"""Bounds of the verdicts' statistics under other rules for missing days, stale marks and suspect quotes.

kept        as registered: every day of the window stays  [statistics R1.7]
dropped     days without data leave the series
zero        they earn nothing and pay the capital charge
worst       each series has its worst observed day on them (H2, a ceiling: its highest)
no stale    days with a leg marked at a carried price leave the series
neither     days without data and days with stale marks leave the series
suspect     trades and signals with a leg at a venue of whose coin quarantine kept a quote out are left out  [S1.5]

N2 permutes the days of the window, so it is drawn again for the rule that keeps them all and leaves signals out
(`quarantine`); where a rule changes nothing its p is the verdict's, and a rule that changes days has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from backtest.results.tables import read_table
from engine.records import BoolArray, IntArray
from engine.units import MICRO
from hypotheses.base import RunData, Sleeve
from hypotheses.records import STATISTIC_TEXT
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.quarantine import QuarantineWindow, leaning_on, n2_without, suspect_venues, window_without
from hypotheses.sensitivity.resampling import Pair
from hypotheses.sensitivity.series import annual, series_of
from hypotheses.statistics.bootstrap import blocks
from hypotheses.statistics.sign_flips import block_sums, n1
from hypotheses.statistics.studentised import sharpe_t

COLUMNS = (
    Column("rule", "rule", "text"),
    Column("days", "days", "count"),
    Column("sharpe", "H1: Sharpe", "ratio"),
    Column("interval", "H1: studentised", "interval"),
    Column("p_n1", "H1: p(N1)", "p"),
    Column("p_n2", "H1: p(N2)", "p"),
    Column("ev", "H2: mean EV, USD a day", "usd"),
    Column("above", "H3: lower ends above 0", "count"),
    Column("conditions", "conditions as registered", "flag"),
)
BOUNDS = (
    Column("series", "series", "text"),
    Column("sharpe", "Sharpe", "interval"),
    Column("low", "lower end", "interval"),
    Column("high", "upper end", "interval"),
)


def build(judged: JudgedRun) -> Part:
    """Return one row a rule, and the least and the greatest of each statistic over the rules."""
    stale, suspect, lacking = _stale_days(judged), suspect_venues(judged), ~judged.run.has_data
    gone = leaning_on(judged.run, suspect)
    columns_of: dict[bytes, dict[str, Any]] = {}
    rules = {name: _altered(judged, name, lacking, stale) for name in RULES}
    if gone:
        rules["suspect"] = window_without(judged, gone)
    results = {}
    for name, rule in rules.items():
        # Rules that change nothing share one bootstrap.
        if rule.key not in columns_of:
            columns_of[rule.key] = _statistics(judged, rule.run, rule.keep)
        results[name] = {**columns_of[rule.key], "ev": float(rule.ev_usd)}
    null = _n2(judged, gone, [name for name, rule in rules.items() if rule.key == rules["kept"].key])
    first = results["kept"]["met"]
    rows = tuple(
        {"rule": RULES[name], **{k: result[k] for k in ("days", "sharpe", "interval", "p_n1", "ev", "above")}}
        | {"p_n2": null.p.get(name), "conditions": result["met"] == first and name not in null.turned}
        for name, result in results.items()
    )
    codes = ["all", *(sleeve.code for sleeve in judged.run.sleeves)]
    bounds = tuple(_bounds(code, [result["ends"][code] for result in results.values()]) for code in codes)
    return Part(
        (
            SensitivityTable("The same window under other rules", COLUMNS, rows),
            SensitivityTable("Least and greatest over the rules", BOUNDS, bounds, folded=True),
        ),
        (
            f"{int(lacking.sum())} of {judged.run.n} days have no data, {int(stale.sum())} have a stale mark.",
            "The last column says whether the conditions the verdicts rest on come out as under the registered rule. "
            "p(N2) permutes all days of the window: a rule that changes days has none.",
            "Quarantined quotes never enter a signal; what they would have given is in no table, so the rule for "
            "them asks the other way round: what is left without their venues "
            f"({', '.join(f'{coin} at {venue}' for coin, venue in sorted(suspect)) or 'none here'}).",
            *null.notes,
        ),
    )


RULES = {
    "kept": "as registered",
    "dropped": "days without data dropped",
    "zero": "days without data earn nothing",
    "worst": "days without data as bad as the worst",
    "stale": "days with stale marks dropped",
    "neither": "both kinds of days dropped",
    "suspect": "signals at venues with quarantined quotes left out",
}


@dataclass(frozen=True, slots=True)
class _Null:
    """p(N2) by rule where it has one, the rules under which N2 decides otherwise than registered, and sentences."""

    p: dict[str, float]
    turned: tuple[str, ...]
    notes: tuple[str, ...]


def _n2(judged: JudgedRun, gone: set[str], same: list[str]) -> _Null:
    """Return N2 of the rules: the verdict's where a rule changes nothing, drawn again where signals are left out."""
    p, alpha = judged.verdicts.h1.p_n2, judged.registration.stats.alpha
    known = {} if p is None else {name: float(p.value) for name in same if not (gone and name == "suspect")}
    if not gone or p is None:
        return _Null(known, (), ())
    again = n2_without(judged, gone)
    text = f"N2 drawn again without {len(gone):,} of {len(judged.run.signals):,} signals: "
    if again is None or again.p is None:
        return _Null(known, ("suspect",), (f"{text}{again.reason if again else 'no signal is left to move'}.",))
    missing = again.missing
    text += (
        f"{again.draws:,} draws, {again.exceedances:,} reach the observed series, whose Sharpe ratio is "
        f"{float(again.sharpe or 0):.2f}, by {STATISTIC_TEXT[again.statistic]}; moves without a quote: "
        f"{100 * missing.count / missing.of:.1f}%."
    )
    turned = ("suspect",) if again.p.under(alpha) != p.under(alpha) else ()
    return _Null(known | {"suspect": float(again.p.value)}, turned, (text,))


def _altered(judged: JudgedRun, rule: str, lacking: BoolArray, stale: BoolArray) -> QuarantineWindow:
    """Return the window under a rule for days."""
    run, ev = judged.run, np.array(judged.verdicts.h2.daily_micro, dtype=np.int64)
    gone = {"dropped": lacking, "stale": stale, "neither": lacking | stale}.get(rule, np.zeros(run.n, dtype=np.bool_))
    keep = np.flatnonzero(~gone)
    # Without another day there is no worst one to take.
    if rule in ("zero", "worst") and lacking.any() and not lacking.all():
        filled = tuple(_filled(sleeve, lacking, rule == "worst") for sleeve in run.sleeves)
        profit, x = sum(s.profit for s in filled), sum(s.x for s in filled)
        whole = replace(run.portfolio, profit=np.asarray(profit), x=np.asarray(x))
        run = replace(run, sleeves=filled, portfolio=whole)
        ev = np.where(lacking, ev[~lacking].max() if rule == "worst" else 0, ev)
    return QuarantineWindow(run, keep, Decimal(int(ev[keep].sum())) / max(len(keep), 1) / MICRO)


def _filled(sleeve: Sleeve, lacking: BoolArray, worst: bool) -> Sleeve:
    """Return a sleeve whose profit on the ``lacking`` days is that of its worst other day, or nothing."""
    charge = sleeve.profit - sleeve.x
    # At most 0: a sleeve that never lost must not gain on a day without data.
    profit = np.where(lacking, min(int(sleeve.profit[~lacking].min()), 0) if worst else 0, sleeve.profit)
    return replace(sleeve, profit=profit, x=profit - charge)


def _statistics(judged: JudgedRun, run: RunData, keep: IntArray) -> dict[str, Any]:
    """Return the statistics of the three verdicts over the days ``keep``, and which of their conditions are met."""
    stats = judged.registration.stats
    ends: dict[str, tuple[float | None, Pair | None]] = {}
    for sleeve in (run.portfolio, *run.sleeves):
        series = series_of(sleeve, keep)
        within = None
        if series.length is not None:
            resample = blocks(len(keep), series.length, judged.draws, judged.streams(series.stream("bootstrap")))
            within = series.interval(sharpe_t(series.returns, resample), stats.level)
        ends[series.code] = (annual(series.point), within)
    sharpe, interval = ends["all"]
    p = n1(block_sums(run.portfolio.x[keep], run.block[keep])) if sharpe is not None else None
    above = [code for code, (_, pair) in ends.items() if code != "all" and pair is not None and pair[0] > 0]
    high = sharpe is not None and sharpe > float(stats.sharpe_claim)
    return {
        "days": len(keep),
        "sharpe": sharpe,
        "interval": interval,
        "p_n1": None if p is None else float(p.value),
        "above": len(above),
        "ends": ends,
        "met": (high, p is not None and p.under(stats.alpha), tuple(above)),
    }


def _bounds(code: str, intervals: list[tuple[float | None, Pair | None]]) -> dict[str, Any]:
    sharpe = [ratio for ratio, _ in intervals if ratio is not None]
    pairs = [pair for _, pair in intervals if pair is not None]
    return {
        "series": code,
        "sharpe": _span(sharpe),
        "low": _span([low for low, _ in pairs]),
        "high": _span([high for _, high in pairs]),
    }


def _span(values: list[float]) -> Pair | None:
    return (min(values), max(values)) if values else None


def _stale_days(judged: JudgedRun) -> BoolArray:
    """Return the days of the window, bool ``[n]``, on which a leg was marked at a price carried from before."""
    table = read_table(judged.folder / "returns.parquet", columns=["day", "stale_leg_days"])
    return np.asarray(table.sort_values("day", kind="stable")["stale_leg_days"].to_numpy() > 0)
