"""The page of a covenant study and its Markdown twin, from the files of its run directory alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from reports.covenants import figures
from reports.plain_page import html, markdown, number

VIEWS = {"mean": "equal-weight mean of both orientations", "short_a": "short A, long B", "long_a": "long A, short B"}
OPPONENTS = {
    "a": "standard perpetuals (secondary)", "p1": "p1, same average leverage", "p2": "p2, volatility targeting",
    "p3": "p3, same reallocations at random times",
}  # fmt: skip


def write_page(run: Path) -> None:
    """Write report.html and report.md into the run directory ``run``."""
    manifest, numbers = (json.loads((run / f"{name}.json").read_text()) for name in ("manifest", "figures"))
    # Only a three-way study has verdicts; a replayed pair has none.
    verdicts = json.loads((run / "verdicts.json").read_text()) if (run / "verdicts.json").is_file() else {}
    facts = pd.read_csv(run / "accounts.csv")
    # The state before the accounts: time in MANUAL comes before any performance.  [covenants 14]
    parts = [("h1", manifest["title"]), ("p", _sentence(manifest)), *_state(numbers)]
    parts += _claims(verdicts) if verdicts else []
    parts += [("h2", "Accounts"), ("table", _accounts(facts))]
    for name, title in (
        ("learners", "Parameter engines out of sample"),
        ("august_2024", "August 2024"),
        ("crowding", "Crowding (synthetic)"),
    ):
        if (run / f"{name}.csv").is_file():
            parts += [("h2", title), ("table", _accounts(pd.read_csv(run / f"{name}.csv")))]
    parts += [("h2", "What this study cannot say"), *(("p", text) for text in manifest["cannot_say"])]
    (run / "report.md").write_text(markdown(parts), encoding="utf-8")
    (run / "report.html").write_text(html(manifest["title"], parts, _pictures(run, facts)), encoding="utf-8")


def _sentence(manifest: dict[str, Any]) -> str:
    kind = "Synthetic bars" if manifest["synthetic"] else f"Real data, {manifest['prices']} prices"
    window = manifest["window"]
    a, b = manifest["pair"]
    return f"{kind}; {a} is A, {b} is B; {window['start']} to {window['end']}, {window['bars']} bars; exploratory."


def _state(numbers: dict[str, Any]) -> list[tuple[str, Any]]:
    """Time in MANUAL comes before any performance figure.  [covenants 14]"""
    rows = [[name, number(value)] for name, value in numbers.items() if isinstance(value, (int, float))]
    text = (
        f"The machine rests in MANUAL for {numbers['manual_share']:.1%} of the bars and is LIVE for "
        f"{numbers['live_share']:.1%}; what follows is to be read with that."
    )
    return [("h2", "Time in MANUAL and breaches"), ("p", text), ("table", [["figure", "value"], *rows])]


def _claims(verdicts: dict[str, Any]) -> list[tuple[str, Any]]:
    parts: list[tuple[str, Any]] = [("h2", "Claims C1 and C2")]
    power = verdicts["power"]
    detectable = "; ".join(f"{VIEWS[v]} {power[v]['detectable']:.2f}" for v in VIEWS)
    parts.append(("p", (
        "Said beforehand: the smallest difference of Sharpe ratios that 80% power detects at the realised correlation "
        f"of both accounts is {detectable}. The claimed gain is 0.05 to 0.08 at a ratio of 1, so 'not distinguishable' "
        "is the expected verdict on C2. As a ratio C2 needs a standard account above 0.1. Placebos decide."
    )))  # fmt: skip
    for reading, views in verdicts["readings"].items():
        rows = [["view", "against", "MDD other", "MDD SCPC", "C1 and 95% interval", "verdict C1", "Sharpe other",
                 "Sharpe SCPC", "C2 and 95% interval", "verdict C2", "Sharpe difference"]]  # fmt: skip
        for view, table in views.items():
            for name, compared in table.items():
                rows.append([
                    VIEWS[view], OPPONENTS[name], *(f"{x:.1%}" for x in compared["mdd"]), _interval(compared["C1"]),
                    compared["C1"]["verdict"], f"{compared['sharpe'][0]:.2f}", f"{compared['sharpe'][1]:.2f}",
                    _interval(compared["C2"]), compared["C2"]["verdict"], _interval(compared["C2_difference"]),
                ])  # fmt: skip
        parts += [("h3", f"Reading: {'as registered' if reading == 'main' else reading}"), ("table", rows)]
    changes = "; ".join(
        f"{view} {test['median']:+.3f} (Wilcoxon p {test['p']:.3f})"
        for view, test in verdicts["windows_p1"].items()
        if test["median"] is not None
    )
    parts.append(("p", (
        f"Holm over C1 and C2 against p1: {_words(verdicts['holm']['p1'])}. {verdicts['configurations']} "
        f"configurations were tried; deflated Sharpe ratios {_words(verdicts['deflated'])}. "
        f"Mean block {verdicts['block_length']:.1f} days, {verdicts['draws']} draws. "
        f"A drawdown is one number a path and its bootstrap is biased: over windows "
        f"of 90 days the median change of drawdown against p1 is {changes}. The equal-weight mean of two opposite "
        "standard accounts is nearly riskless, so its drawdown is its costs."
    )))  # fmt: skip
    if verdicts["long_only"]:
        rows = [["comparison", "MDD other", "MDD b", "Sharpe other", "Sharpe b", "difference of Sharpe"]]
        for name, compared in verdicts["long_only"].items():
            label = f"{name} (model)" if name.endswith(" c") else name
            rows.append([label, *(f"{x:.1%}" for x in compared["mdd"]), *(f"{x:.2f}" for x in compared["sharpe"]),
                         _interval(compared["C2_difference"])])  # fmt: skip
        parts += [("h3", "Products of the same direction"), ("table", rows)]
    return parts


def _accounts(facts: pd.DataFrame) -> list[list[str]]:
    names = [name for name in facts.columns if name != "ruined"]
    return [names, *[[number(row[name]) for name in names] for _, row in facts.iterrows()]]


def _pictures(run: Path, facts: pd.DataFrame) -> list[tuple[str, str]]:
    signals, equity = pd.read_parquet(run / "signals.parquet"), pd.read_parquet(run / "equity.parquet")
    stems = {
        "a": "a standard",
        "b": "b SCPC",
        "p1_of_b": "p1",
        "p2": "p2",
        "b0": "b0 static",
        "c": "c covered call (model)",
    }
    shown = [("Spread, band in force, cap, states", figures.spread_and_band(signals))]
    views = [view for view in VIEWS if f"b_{view}" in equity]
    shown += [(f"Accounts: {VIEWS[view]}", figures.accounts(equity, view, stems)) for view in views]
    shown.append(("Margin moved, fees and funding", figures.transfers(facts)))
    if (run / "curve.csv").is_file():
        draws = pd.read_csv(run / "placebo.csv")
        own = {
            row["account"][2:]: float(row["mdd"])
            for _, row in facts.iterrows()
            if row["account"] in ("b_short_a", "b_long_a")
        }
        shown.append(("Placebo p3", figures.placebo(draws, own)))
        shown.append(("Specification curve", figures.specification_curve(pd.read_csv(run / "curve.csv"))))
    return shown


def _interval(compared: dict[str, Any]) -> str:
    if compared["point"] is None:
        return "not evaluable"
    return f"{compared['point']:+.3f} [{compared['low']:+.3f}, {compared['high']:+.3f}]"


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'not evaluable' if value is None else f'{value:.4f}'}" for name, value in values.items())
