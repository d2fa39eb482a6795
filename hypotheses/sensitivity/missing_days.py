"""Bounds of what the verdicts rest on, under other rules for days and quotes that are not what they should be.

kept        as registered: every day of the window stays  [statistics R1.7]
dropped     days without data leave the series
zero        they earn nothing and pay the capital charge
worst       each series has its worst observed day on them (H2, a ceiling: its highest)
no stale    days with a leg marked at a carried price leave the series
neither     days without data and days with stale marks leave the series
suspect     trades and signals with a leg at a venue of whose coin quarantine kept a quote out are left out  [S1.5]
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np

from backtest.tables import read_table
from engine.exact.decimals import of_float
from engine.records import BoolArray, IntArray
from engine.units import MICRO
from hypotheses.base import RunData, Sleeve
from hypotheses.bootstrap import blocks, sharpe_t
from hypotheses.h2_capacity import daily
from hypotheses.load import read_json
from hypotheses.nulls import block_sums, n1
from hypotheses.sensitivity.base import Column, Judged, Part, Table
from hypotheses.sensitivity.resampling import Pair
from hypotheses.sensitivity.series import annual, series_of

COLUMNS = (
    Column("rule", "rule", "text"),
    Column("days", "days", "count"),
    Column("sharpe", "H1: Sharpe", "ratio"),
    Column("interval", "H1: studentised", "interval"),
    Column("p_n1", "H1: p(N1)", "p"),
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


def build(judged: Judged) -> Part:
    """Return one row a rule, and the least and the greatest of each statistic over the rules."""
    stale, suspect = _stale_days(judged), _suspect(judged)
    lacking = ~judged.run.has_data
    found: dict[bytes, dict[str, Any]] = {}
    rules = {name: _altered(judged, name, lacking, stale) for name in RULES if name != "suspect"}
    rules["suspect"] = _without(judged, suspect)
    results = {}
    for name, (run, keep, ev) in rules.items():
        key = run.portfolio.x.tobytes() + keep.tobytes()
        if key not in found:
            found[key] = _statistics(judged, run, keep)
        results[name] = {**found[key], "ev": float(ev)}
    first = results["kept"]["met"]
    rows = tuple(
        {"rule": RULES[name], **{k: one[k] for k in ("days", "sharpe", "interval", "p_n1", "ev", "above")}}
        | {"conditions": one["met"] == first}
        for name, one in results.items()
    )
    codes = ["all", *(sleeve.code for sleeve in judged.run.sleeves)]
    bounds = tuple(_bounds(code, [one["ends"][code] for one in results.values()]) for code in codes)
    return Part(
        (
            Table("The same window under other rules", COLUMNS, rows),
            Table("Least and greatest over the rules", BOUNDS, bounds, folded=True),
        ),
        (
            f"{int(lacking.sum())} of {judged.run.n} days have no data, {int(stale.sum())} have a stale mark.",
            "The last column says whether the conditions the verdicts rest on come out as under the registered rule. "
            "p(N2) is not drawn again. Quarantined quotes never enter a signal; what they would have given is in no "
            "table, so the rule for them asks the other way round: what is left without their venues "
            f"({', '.join(f'{coin} at {venue}' for coin, venue in sorted(suspect)) or 'none here'}).",
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
QUARANTINE = ("crossed", "non_positive", "far_from_median", "unit_change")


def _altered(judged: Judged, rule: str, lacking: BoolArray, stale: BoolArray) -> tuple[RunData, IntArray, Decimal]:
    """Return the window under a rule, the numbers of the days that stay, and the mean daily EV in USD."""
    run, ev = judged.run, np.array(judged.verdicts.h2.daily_micro, dtype=np.int64)
    gone = {"dropped": lacking, "stale": stale, "neither": lacking | stale}.get(rule, np.zeros(run.n, dtype=np.bool_))
    keep = np.flatnonzero(~gone)
    if rule in ("zero", "worst") and lacking.any() and not lacking.all():
        filled = tuple(_filled(sleeve, lacking, rule == "worst") for sleeve in run.sleeves)
        profit, x = sum(s.profit for s in filled), sum(s.x for s in filled)
        whole = replace(run.portfolio, profit=np.asarray(profit), x=np.asarray(x))
        run = replace(run, sleeves=filled, portfolio=whole)
        ev = np.where(lacking, ev[~lacking].max() if rule == "worst" else 0, ev)
    return run, keep, Decimal(int(ev[keep].sum())) / max(len(keep), 1) / MICRO


def _suspect(judged: Judged) -> set[tuple[str, str]]:
    """Return the (coin, venue) of which quarantine kept a quote out."""
    path = judged.folder / "quality.json"
    rows = read_json(path)["rows"] if path.exists() else []
    return {(row["underlying"], row["venue"]) for row in rows if any(row["counts"].get(name) for name in QUARANTINE)}


def _without(judged: Judged, suspect: set[tuple[str, str]]) -> tuple[RunData, IntArray, Decimal]:
    """Return the window without the signals that have a leg at a suspect venue, all days, and its mean daily EV."""
    run, params = judged.run, judged.registration.params
    legs = zip(run.signals["signal_id"], run.signals["underlying"], run.signals["legs"], strict=True)
    gone = {name for name, coin, all_ in legs if any((coin, leg["book"].split(":")[0]) in suspect for leg in all_)}
    if not gone:
        return _altered(judged, "kept", ~run.has_data, ~run.has_data)
    accruals = read_table(judged.folder / "accruals.parquet")
    accruals = accruals[accruals["signal_id"].isin(gone)]
    sleeves = []
    for sleeve in run.sleeves:
        mine, lost = accruals[accruals["constraint"] == sleeve.code], np.zeros(run.n, dtype=np.int64)
        np.add.at(lost, mine["day"].to_numpy(np.int64) - run.day[0], mine["usd_micro"].to_numpy(np.int64))
        sleeves.append(replace(sleeve, profit=sleeve.profit - lost, x=sleeve.x - lost))
    profit, x = (np.asarray(sum(getattr(s, name) for s in sleeves)) for name in ("profit", "x"))
    left = replace(
        run,
        sleeves=tuple(sleeves),
        portfolio=replace(run.portfolio, profit=profit, x=x),
        signals=run.signals[~run.signals["signal_id"].isin(gone)],
    )
    ev = daily(left, of_float(params.target_notional_usd), params.refill_window_ns).joint
    return left, np.arange(run.n), Decimal(int(ev.sum())) / run.n / MICRO


def _filled(sleeve: Sleeve, lacking: BoolArray, worst: bool) -> Sleeve:
    """Return a sleeve whose profit on the ``lacking`` days is that of its worst other day, or nothing."""
    charge = sleeve.profit - sleeve.x
    profit = np.where(lacking, min(int(sleeve.profit[~lacking].min()), 0) if worst else 0, sleeve.profit)
    return replace(sleeve, profit=profit, x=profit - charge)


def _statistics(judged: Judged, run: RunData, keep: IntArray) -> dict[str, Any]:
    """Return what the three verdicts rest on for the days ``keep``, and which of their conditions are met."""
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


def _bounds(code: str, found: list[tuple[float | None, Pair | None]]) -> dict[str, Any]:
    sharpe = [ratio for ratio, _ in found if ratio is not None]
    pairs = [pair for _, pair in found if pair is not None]
    return {
        "series": code,
        "sharpe": _span(sharpe),
        "low": _span([low for low, _ in pairs]),
        "high": _span([high for _, high in pairs]),
    }


def _span(values: list[float]) -> Pair | None:
    return (min(values), max(values)) if values else None


def _stale_days(judged: Judged) -> BoolArray:
    """Return which days of the window had a leg marked at a price carried from before."""
    table = read_table(judged.folder / "returns.parquet", columns=["day", "stale_leg_days"])
    return np.asarray(table.sort_values("day", kind="stable")["stale_leg_days"].to_numpy() > 0)
