"""Every table of the page, column by column, from the files of the run by an independent few lines.

A column that says "before capital" is added up from trades or trading profit, one that says "after" from the series
with the charge: mixing them up is what a reader cannot see.  Tables without a number of the run are named with where
their cells come from.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.constraints.codes import CODES
from reports.base import Table
from reports.load import Run
from reports.render import Built
from reports.sections import coverage
from reports.words import NONE
from tests.helpers.small_run import Tiny

CAPITAL = 1_000_000.0
SLEEVE = CAPITAL / 7
CHARGE = CAPITAL * 0.05 / 365

Column = list[str]


def shown(value: float | None, places: int = 2) -> str:
    """A number as the page writes it."""
    if value is None or np.isnan(value):
        return NONE
    text = f"{round(value, 10):,.{places}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


class Files:
    """The tables of a run, read by pandas alone; money in USD."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.returns = pd.read_parquet(folder / "returns.parquet").sort_values("day")
        paths = sorted(folder.glob("folds/[0-9][0-9]/trades.parquet"))
        self.all = pd.concat([pd.read_parquet(path) for path in paths if pd.read_parquet(path).shape[0]])
        self.trades = self.all[self.all.status == "traded"]
        signals = [pd.read_parquet(path) for path in sorted(folder.glob("folds/[0-9][0-9]/signals.parquet"))]
        self.signals = pd.concat([frame for frame in signals if len(frame)])
        self.folds = json.loads((folder / "folds.json").read_text())["folds"]
        self.funnel = json.loads((folder / "funnel.json").read_text())

    def of(self, code: str) -> pd.DataFrame:
        return self.trades if code == "all" else self.trades[self.trades.constraint == code]

    def usd(self, column: str, code: str = "all") -> float:
        return float(self.of(code)[f"{column}_usd_micro"].sum()) / 1e6

    def after(self, code: str = "all") -> np.ndarray:
        return self.returns["x" if code == "all" else f"x_{code}"].to_numpy() / 1e6

    def before(self, code: str = "all") -> np.ndarray:
        return self.returns["pnl" if code == "all" else f"pnl_{code}"].to_numpy() / 1e6

    def crossed(self, code: str) -> float:
        """Notional of all legs, crossed once."""
        legs = self.signals.set_index("signal_id").legs
        return sum(
            n * sum(leg["weight"] for leg in legs[i])
            for i, n in zip(self.of(code).signal_id, self.of(code).notional_usd, strict=True)
        )


def sharpe(x: np.ndarray) -> float | None:
    return None if len(x) < 2 or x.std() == 0 else float(x.mean() / x.std(ddof=1) * np.sqrt(365))


ALL = ("all", *CODES)


def pruned(f: Files) -> dict[str, Column]:
    # nothing is kept on so short a training span, so that the pruned portfolio trades nothing and pays its capital
    flat = -CHARGE * len(f.returns)
    return {
        "Sharpe, after capital": [shown(sharpe(f.after())), NONE],
        "trading profit before capital, USD": [shown(f.before().sum()), shown(0.0)],
        "net after capital, USD": [shown(f.after().sum()), shown(flat)],
    }


def delay(f: Files) -> dict[str, Column]:
    late = pd.read_parquet(f.folder / "delayed.parquet").query("not at_trigger")
    here = pd.read_parquet(f.folder / "placements.parquet")
    groups = [here[here.shift_ns == 0], *(group for _, group in late.groupby("delay_ns"))]
    code = f.all.set_index("signal_id").constraint
    day = f.returns.day.to_numpy()
    x = [np.array([g.usd_micro[g.day == d].sum() for d in day]) / 1e6 - CHARGE for g in groups]
    net = [g.usd_micro.sum() / 1e6 for g in groups]
    return {
        "delay, minutes": ["0", *(f"{ns // (60 * 10**9):,}" for ns, _ in late.groupby("delay_ns"))],
        "signals that earn or lose": [f"{g.signal_id.nunique()}" for g in groups],
        "net before capital, USD": [shown(n) for n in net],
        "share of the undelayed net": [f"{shown(100 * n / net[0], 1)}%" for n in net],
        "Sharpe of the portfolio, after capital": [shown(sharpe(series)) for series in x],
        **{f"{c}, USD": [shown(g.usd_micro[g.signal_id.map(code) == c].sum() / 1e6) for g in groups] for c in CODES},
    }


def waits(f: Files) -> dict[str, Column]:
    """Recounted from the trades; the nets from the placements at each signal's own time."""
    late = pd.read_parquet(f.folder / "delayed.parquet").query("at_trigger")
    here = pd.read_parquet(f.folder / "placements.parquet").query("shift_ns == 0")
    codes = [c for c in ALL if len(f.of(c))]
    met = {c: f.of(c).query("trigger != ''") for c in codes}
    minutes = {c: (f.of(c).entry_ns - f.of(c).t_ns).median() / (60 * 10**9) for c in codes}
    nets = {
        name: [g.usd_micro[g.signal_id.isin(f.of(c).signal_id)].sum() / 1e6 for c in codes]
        for name, g in (("net before capital, USD", here), ("net at trigger, USD", late))
    }
    return {
        "trades": [f"{len(f.of(c)):,}" for c in codes],
        "median wait at entry, minutes": [shown(minutes[c]) for c in codes],
        "exits triggered": [f"{len(met[c]):,}" for c in codes],
        "of them filled before horizon and expiry": [
            f"{(met[c].trigger == met[c].exit_reason).sum():,}" for c in codes
        ],
        "median wait at exit, minutes": [
            shown(((met[c].exit_ns - met[c].trigger_ns).median() / (60 * 10**9)) if len(met[c]) else None)
            for c in codes
        ],
        **{name: [shown(net) for net in values] for name, values in nets.items()},
    }


def slippage(f: Files) -> dict[str, Column]:
    crossed = {c: f.crossed(c) for c in ALL}
    rate = {c: 2e-4 * crossed[c] for c in ALL}
    return {
        "break-even before capital, bps": [shown(f.usd("net", c) / rate[c] if rate[c] else None, 1) for c in ALL],
        "break-even after capital, bps": [shown(f.after(c).sum() / rate[c] if rate[c] else None, 1) for c in ALL],
        "net": [shown(f.usd("net", c)) for c in ALL],
        **{f"at {e} bps": [shown(f.usd("net", c) - e * rate[c]) for c in ALL] for e in (1, 2, 5, 10, 20)},
    }


def stranded(f: Files) -> dict[str, Column]:
    net = {c: f.usd("net", c) for c in ALL}
    paid = {c: f.usd("fees", c) + f.usd("slippage", c) for c in ALL}
    even = [shown(100 * net[c] / (net[c] + paid[c]), 1) + "%" if net[c] > 0 else NONE for c in ALL]
    return {
        "break-even share": even,
        "net": [shown(net[c]) for c in ALL],
        **{f"at {q}%": [shown((1 - q / 100) * net[c] - q / 100 * paid[c]) for c in ALL] for q in (1, 5, 10, 25)},
    }


def margin(f: Files) -> dict[str, Column]:
    used = {c: f.returns[f"margin_{c}"].to_numpy() / 1e6 for c in CODES}
    used["all"] = sum(used.values())
    capital = {c: CAPITAL if c == "all" else SLEEVE for c in ALL}
    charged = {c: used[c] * 0.05 / 365 for c in ALL}
    return {
        "margin in use, mean, USD": [shown(used[c].mean()) for c in ALL],
        "highest day, USD": [shown(used[c].max()) for c in ALL],
        "mean share of the capital": [shown(100 * used[c].mean() / capital[c], 1) + "%" for c in ALL],
        "charged as registered, USD": [shown((f.before(c) - f.after(c)).sum()) for c in ALL],
        "charged on margin, USD": [shown(charged[c].sum()) for c in ALL],
        "Sharpe, all capital charged": [shown(sharpe(f.after(c))) for c in ALL],
        "Sharpe, margin in use charged": [shown(sharpe(f.before(c) - charged[c])) for c in ALL],
    }


def realised(f: Files) -> dict[str, Column]:
    gained = [(f.of(c).net_usd_micro > 0).mean() if len(f.of(c)) else None for c in ALL]
    ratio = [f.usd("net", c) / f.usd("modelled", c) if f.usd("modelled", c) else None for c in ALL]
    return {
        "trades": [str(len(f.of(c))) for c in ALL],
        "modelled net": [shown(f.usd("modelled", c)) for c in ALL],
        "realised net": [shown(f.usd("net", c)) for c in ALL],
        "realised / modelled": [shown(value) for value in ratio],
        "trades that gained": [NONE if g is None else shown(100 * g, 1) + "%" for g in gained],
        **{term: [shown(f.usd(term, c)) for c in ALL] for term in ("gross", "fees", "slippage", "funding", "borrow")},
    }


def costs(f: Files) -> dict[str, Column]:
    capital = {c: (f.before(c) - f.after(c)).sum() for c in CODES}
    terms = {
        "gross": "gross",
        "funding received": "funding",
        "fees": "fees",
        "slippage": "slippage",
        "borrow": "borrow",
    }
    return {
        "trades": [str(len(f.of(c))) for c in CODES],
        **{head: [shown(f.usd(term, c)) for c in CODES] for head, term in terms.items()},
        "trading net": [shown(f.before(c).sum()) for c in CODES],
        "capital": [shown(capital[c]) for c in CODES],
        "net": [shown(f.after(c).sum()) for c in CODES],
    }


def capacity(f: Files) -> dict[str, Column]:
    h2 = json.loads((f.folder / "verdicts.json").read_text())["H2"]
    mean = {name: np.mean(h2[f"daily{name}_micro"]) / 1e6 for name in ("", "_greedy", "_naive")}
    both = f.of("all").merge(f.signals[["signal_id", "capture"]], on="signal_id")
    captured = float((both.capture * both.modelled_usd_micro).sum()) / 1e6
    wanted = {
        "joint optimum, depth counted once (decides)": f"{shown(mean[''])} USD",
        "greedy in order of time": f"{shown(mean['_greedy'])} USD",
        "naive sum, depth counted repeatedly": f"{shown(mean['_naive'])} USD",
        "signals": str(len(f.signals)),
        "days without modelled profit": f"{sum(v == 0 for v in h2['daily_micro'])} of {len(f.returns)}",
        "modelled net of trades taken, whole window, before capital": f"{shown(f.usd('modelled'))} USD",
        "settled net of trades taken, whole window, before capital": f"{shown(f.usd('net'))} USD",
        "realised over captured net of trades taken": shown(f.usd("net") / captured),
    }
    return {"by row": [f"{name}: {value}" for name, value in wanted.items()]}


def folds(f: Files) -> dict[str, Column]:
    begun = [f.trades[f.trades.fold == fold["fold"]] for fold in f.folds]
    starts = [fold["start_ns"] for fold in f.folds]
    label = [((f.all.t_ns >= s) & (f.all.t_ns < s + 86_400 * 10**9)).sum() for s in starts]
    return {
        "starts (UTC)": [pd.Timestamp(s).strftime("%Y-%m-%d %H:%M") for s in starts],
        "test labels": [str(n) for n in label],
        "trades": [str(len(group)) for group in begun],
        "net USD": [shown(group.net_usd_micro.sum() / 1e6) for group in begun],
    }


def opened(trades: pd.DataFrame) -> int:
    """Dislocations of one constraint, counted key by key: an hour from the trade that opened the last one."""
    count = 0
    for _, own in trades.groupby(["underlying", "venue", "expiry_ns"], dropna=False):
        until = -1
        for t_ns in sorted(own.t_ns):
            if t_ns >= until:
                count, until = count + 1, t_ns + 3_600 * 10**9
    return count


def h3(f: Files) -> dict[str, Column]:
    blocks = np.arange(len(f.returns)) * len(f.folds) // len(f.returns)
    active = {c: f.before(c) != 0 for c in CODES}
    return {
        "Sharpe": [shown(sharpe(f.after(c))) for c in CODES],
        "active days": [str(active[c].sum()) for c in CODES],
        "dislocations": [str(opened(f.of(c))) for c in CODES],
        "trades": [str(len(f.of(c))) for c in CODES],
        "blocks": [str(len(set(blocks[active[c]]))) for c in CODES],
    }


def other_tests(f: Files) -> dict[str, Column]:
    best = {c: int(np.argmax(f.after(c))) for c in ALL}
    # days are blocks here: a fold is a day
    flips = (np.arange(2**10)[:, None] >> np.arange(10) & 1) * 2 - 1
    p = [((flips @ f.after(c)) >= f.after(c).sum() - 1e-7).mean() for c in ALL]
    return {
        "p, block sign-flip": [shown(value, 4) for value in p],
        "best day after capital, USD": [shown(f.after(c)[best[c]]) for c in ALL],
        "Sharpe without it": [
            shown(sharpe(np.delete(f.after(c), best[c]))) if f.before(c).any() else NONE for c in ALL
        ],
    }


def funnel(f: Files) -> dict[str, Column]:
    return {
        "episodes": [str((f.signals.constraint == c).sum()) for c in CODES],
        "traded": [str(len(f.of(c))) for c in CODES],
        "resolved": [str(len(f.of(c))) for c in CODES],
        "examined": [f"{f.funnel[c]['examined']:,}" for c in CODES],
        "usable": [f"{f.funnel[c]['usable']:,}" for c in CODES],
        "violations": [f"{f.funnel[c]['violations']:,}" for c in CODES],
        "over threshold": [f"{f.funnel[c]['over_threshold']:,}" for c in CODES],
    }


def inputs(f: Files) -> dict[str, Column]:
    rows = [row for c in CODES for row in f.funnel[c]["inputs"]]
    return {
        "grid times": [str(48 * len(f.returns)) for _ in rows],
        "judged": [shown(100 * row["judged"] / (48 * len(f.returns)), 1) + "%" for row in rows],
    }


def quotes(f: Files) -> dict[str, Column]:
    # tests/backtest/rundir/test_counts.py recounts the file from the market
    rows = json.loads((f.folder / "quality.json").read_text())["rows"]
    return {
        "kind": [row["kind"] for row in rows],
        "days without a usable quote": [str(row["days_without_usable"]) for row in rows],
        "usable": [f"{row['counts'].get('usable', 0):,}" for row in rows],
        "stale": [f"{row['counts'].get('stale', 0):,}" for row in rows],
    }


def ended(f: Files) -> dict[str, Column]:
    counts = f.all.groupby(["status", "exit_reason"]).size()
    return {"trades": [f"{n:,}" for n in counts]}


def listed(f: Files) -> dict[str, Column]:
    rows = f.all.sort_values(["t_ns", "signal_id"])
    return {
        "hours": [shown(ns / 3.6e12, 1) for ns in rows.exit_ns - rows.entry_ns],
        "notional": [shown(value, 0) for value in rows.notional_usd],
        "entry gross bps": [shown(value, 1) for value in rows.entry_gross_bps],
        "net USD": [shown(value / 1e6) for value in rows.net_usd_micro],
        "ledger id": rows.signal_id.tolist(),
    }


def claims(f: Files) -> dict[str, Column]:
    mean = np.mean(json.loads((f.folder / "verdicts.json").read_text())["H2"]["daily_micro"]) / 1e6
    return {"computed": [shown(sharpe(f.after())), f"{shown(mean)} USD", "0 of 7"]}


def rules(f: Files) -> dict[str, Column]:
    table = f.returns.assign(stale=f.returns.stale_leg_days > 0)
    fresh = f.after()[~table.stale.to_numpy()]
    series = {"days with stale marks dropped": fresh, "both kinds of days dropped": fresh}
    names = [r["rule"] for part in _parts(f) if part["name"] == "missing_days" for r in part["tables"][0]["rows"]]
    return {
        "days": [str(len(series.get(name, f.after()))) for name in names],
        "H1: Sharpe": [shown(sharpe(series.get(name, f.after()))) for name in names],
    }


def _parts(f: Files) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = json.loads((f.folder / "sensitivities.json").read_text())["parts"]
    return parts


def factors(f: Files) -> dict[str, Column]:
    """Variance shares and loadings of each fold.  [R9.8]"""
    fits = [(fold["fold"], coin, fit) for fold in f.folds for coin, fit in fold["curve"].items() if fit["loadings"]]
    rows = [(n, coin, fit, k) for n, coin, fit in fits for k in range(3)]
    columns = {
        "fold": [f"{n}" for n, *_ in rows],
        "coin": [coin for _, coin, *_ in rows],
        "share of variance": [f"{shown(100 * fit['shares'][k])}%" for *_, fit, k in rows],
    }
    for at, tenor in enumerate(fits[0][2]["tenor_days"]):
        columns[f"{tenor:.0f} d"] = [shown(fit["loadings"][k][at], 3) for *_, fit, k in rows]
    return columns


def packages(f: Files) -> dict[str, Column]:
    rows = f.signals[f.signals.constraint == "C5"].sort_values(["t_ns", "signal_id"]).head(12)
    detail = [json.loads(text) for text in rows.detail]
    legs = [[leg["quantity"] for leg in package] for package in rows.legs]
    # of whole lots, each within 1% of its weight
    assert all(abs(sum(abs(w) for w in weights) - 2.0) < 0.02 for weights in legs)
    columns = {
        name: [shown(w[at], 3) for w in legs] for at, name in enumerate(("belly", "near wing", "far wing", "perp"))
    }
    columns["score, bps"] = [shown(d["score_bps"], 1) for d in detail]
    columns["residual, bps"] = [shown(d["residual_bps"], 1) for d in detail]
    columns["gross, bps"] = [shown(min(d["score_bps"], d["residual_bps"]), 1) for d in detail]
    return columns


def funding_by_venue(f: Files) -> dict[str, Column]:
    """Of the trades with an expected funding, C5's left out: each for the share of its planned life that it lasted."""
    both = f.trades.merge(f.signals[["signal_id", "carry_bps"]], on="signal_id")
    both = both[(both.carry_bps != 0) & (both.constraint != "C5")]
    modelled = both.carry_bps * both.notional_usd / 1e4
    held = modelled * (both.exit_ns - both.entry_ns) / (24 * 3600 * 10**9)
    of = {name: both.venue == name for name in sorted(both.venue.unique())}
    rows = [(modelled[at], held[at], both.funding_usd_micro[at].sum() / 1e6) for at in of.values()]
    return {
        "trades with a carry": [f"{len(m)}" for m, *_ in rows],
        "expected funding over the planned life, USD": [shown(m.sum()) for m, *_ in rows],
        "the same for the time held, USD": [shown(h.sum()) for _, h, _ in rows],
        "funding received, USD": [shown(p) for *_, p in rows],
        "received / expected for the time held": [
            shown(p / h.sum()) if 2 * abs(h.sum()) > h.abs().sum() else NONE for _, h, p in rows
        ],
    }


def conversion(f: Files) -> dict[str, Column]:
    """Each side of the leg at the pair of dollars pays what lacks to 10 bps."""
    legs = f.signals.set_index("signal_id").legs
    pair = "binance:USDCUSDT"
    rows = []
    for series in ALL:
        own = f.of(series)
        more = {
            i: sum(
                leg["weight"] * (max(0, 10 - leg["fee_bps"]) + max(0, 10 - leg["exit_fee_bps"]))
                for leg in legs[i]
                if leg["instrument"] == pair
            )
            for i in own.signal_id
        }
        converts = [i for i in own.signal_id if any(leg["instrument"] == pair for leg in legs[i])]
        paid = sum(more[i] * n / 1e4 for i, n in zip(own.signal_id, own.notional_usd, strict=True))
        judged = f.signals.set_index("signal_id").loc[converts]
        extra = np.array([more[i] for i in converts], dtype=float)
        fewer = int((judged.net_bps.to_numpy() - extra < judged.threshold_bps.to_numpy()).sum())
        rows += [(len(converts), fewer, f.usd("net", series), f.usd("net", series) - paid)] if converts else []
    return {
        "trades that convert": [f"{n}" for n, *_ in rows],
        "of them, net under the threshold then": [f"{n}" for _, n, *_ in rows],
        "net before capital, USD": [shown(net) for *_, net, _ in rows],
        "net at 10 bps, USD": [shown(other) for *_, other in rows],
    }


RECOMPUTED: dict[str, Callable[[Files], dict[str, Column]]] = {
    "Every claim": claims,
    "Portfolios: trading profit": pruned,
    "Net profit by delay": delay,
    "Waits of fills, and exits": waits,
    "Extra slippage": slippage,
    "Share of packages stranded": stranded,
    "Capital cost on margin": margin,
    "Modelled and realised": realised,
    "Expected and received funding": funding_by_venue,
    "The conversion at": conversion,
    "Terms by constraint": costs,
    "H2 in numbers": capacity,
    "Folds: labels": folds,
    "Factors of the curve": factors,
    "Packages of C5": packages,
    "H3, one row": h3,
    "Other tests of a ratio": other_tests,
    "The funnel in numbers": funnel,
    "Each registered pair": inputs,
    "Quotes at grid times": quotes,
    "How trades ended": ended,
    "The first 3": listed,
    "The same window under other rules": rules,
}

ELSEWHERE = {
    "Power of the rule that decides": "tests/hypotheses/planning/test_statement.py, counts of the certificate",
    "N1 alone and the t-test": "tests/hypotheses/statistics/test_power.py, closed forms",
    "Measured error rates": "the certificate's own rows",
    "Departures": "text", "What the registered page leaves open": "text", "Where each constraint ends": "text",
    "Why a constraint": "text", "Hashes that name": "hashes", "Versions and machine": "text", "Sources of data": "text",
    "Coverage by constraint": "tests/backtest/rundir/test_counts.py recounts it from the market",
    "Packages within": "tests/reports/test_sections.py, the counts of funnel.json",
    "Annualised Sharpe ratio under other": "tests/hypotheses/sensitivity/test_resampling.py",
    "What formulas say": "tests/hypotheses/sensitivity/test_formulas.py",
    "Ends of the interval": "tests/hypotheses/sensitivity/test_days_and_draws.py",
    "Every interval of the panel": "tests/hypotheses/sensitivity/test_days_and_draws.py",
    "Least and greatest": "tests/hypotheses/sensitivity/test_days_and_draws.py",
    "A venue cannot be traded": "tests/hypotheses/sensitivity/test_book_stress.py, by hand",
    "A dollar falls": "tests/hypotheses/sensitivity/test_book_stress.py, by hand",
    "Collateral by venue": "tests/hypotheses/sensitivity/test_book_stress.py, by hand",
    "Modelled EV by notional": "tests/hypotheses/sensitivity/test_costs.py",
    "The gate of C5": "tests/hypotheses/sensitivity/test_frozen_score.py",
    "Walk-forward folds": "tests/hypotheses/sensitivity/test_folds.py",
    "What each fold keeps": "tests/hypotheses/sensitivity/test_folds.py",
    "The window in figures": "tests/reports/test_performance.py",
    "Net profit by month": "tests/reports/test_performance.py",
    "Autocorrelation": "statsmodels and arch themselves",
    "Expiries that traded positions met": "tests/backtest/rundir/test_deliveries.py",
    "Gaps of the recorded feeds": "tests/backtest/rundir/test_gaps.py",
    "Violations planted": "tests/backtest/rundir/test_recovery.py",
    "Mean modelled EV a day": "tests/hypotheses/sensitivity/test_page_claims.py",
    "The ceiling that a leak": "tests/hypotheses/sensitivity/test_page_claims.py",
    "Amendments": "text", "Looks": "text", "What each null needs": "text", "Statistics, nulls and rules": "text",
    "Words of this page": "text", "The registered page": "text", "Works that the methods": "text",
}  # fmt: skip
"""Caption -> what holds its cells, or that there is no number in it."""


@pytest.fixture(scope="module")
def tables(built: list[Built]) -> list[Table]:
    return [block for _, blocks in built for block in blocks if isinstance(block, Table)]


def test_every_table_is_recomputed_or_named(tables: list[Table]) -> None:
    """A new table needs its lines here, or a word on where its numbers are recomputed."""
    known = (*RECOMPUTED, *ELSEWHERE)

    assert [table.caption for table in tables if sum(table.caption.startswith(name) for name in known) != 1] == []
    for name in RECOMPUTED:
        assert sum(table.caption.startswith(name) for table in tables) == 1, name


@pytest.mark.parametrize("name", RECOMPUTED)
def test_each_column_is_what_the_files_give(tables: list[Table], tiny: Tiny, name: str) -> None:
    """Cell by cell, as text."""
    table = next(table for table in tables if table.caption.startswith(name))
    for head, cells in RECOMPUTED[name](Files(tiny.folder)).items():
        if head == "by row":
            found = {f"{row[0]}: {row[1]}" for row in table.rows}
            assert set(cells) - found == set()
        else:
            column = table.head.index(head)
            assert [row[column] for row in table.rows] == cells, head


def test_a_run_that_does_not_count_days_without_a_quote_is_shown_with_a_dash(run: Run) -> None:
    """Runs of an earlier version have no such count; it is not shown as zero."""
    rows = [{k: v for k, v in row.items() if k != "days_without_usable"} for row in run.quality["rows"]]
    tables = [t for t in coverage.build(replace(run, quality={"rows": rows})) if isinstance(t, Table)]
    quoted = next(t for t in tables if t.caption.startswith("Quotes at grid times"))

    assert {row[quoted.head.index("days without a usable quote")] for row in quoted.rows} == {NONE}
