"""The page of a covenant study and its Markdown twin, from the files of its run directory alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.base import Block, Figure, Frame, Heading, Section, Table, Text
from reports.citation import Cited, cited
from reports.covenants import figures
from reports.load import read_document
from reports.render import Built, markdown, page
from reports.tables import frame_table, mixed_table
from reports.words import count, number, rounded, share

VIEWS = {"mean": "equal-weight mean of both orientations", "short_a": "short A, long B", "long_a": "long A, short B"}
OPPONENTS = {
    "a": "standard perpetuals (secondary)", "p1": "p1, same average leverage", "p2": "p2, volatility targeting",
    "p3": "p3, same reallocations at random times",
}  # fmt: skip


def write_page(run: Path) -> None:
    """Write report.html and report.md into the run directory ``run``."""
    manifest, numbers = read_document(run, "manifest.json"), read_document(run, "figures.json")
    # Only a three-way study has verdicts; a replayed pair has none.
    verdicts = read_document(run, "verdicts.json") if (run / "verdicts.json").is_file() else {}
    # The state before the accounts: time in MANUAL comes before any performance.  [covenants 14]
    built = [_section("state", "Time in MANUAL and breaches", _state(numbers))]
    if verdicts:
        built.append(_section("claims", "Claims C1 and C2", _claims(verdicts)))
    for stem, title in (
        ("accounts", "Accounts"),
        ("learners", "Parameter engines out of sample"),
        ("august_2024", "August 2024"),
        ("crowding", "Crowding (synthetic)"),
    ):
        file = f"{stem}.csv"
        if (run / file).is_file():
            frame = pd.read_csv(run / file).drop(columns="ruined", errors="ignore")
            built.append(_section(stem, title, [frame_table(frame, file, f"{title}, as in {file}")]))
    built.append(_section("cannot", "What this study cannot say", [Text(said) for said in manifest["cannot_say"]]))
    built.append(_section("pictures", "Pictures", _pictures(run, pd.read_csv(run / "accounts.csv"))))
    (run / "report.md").write_text(markdown(_frame(manifest), built), encoding="utf-8")
    (run / "report.html").write_text(page(_frame(manifest), built), encoding="utf-8")


def _section(anchor: str, title: str, blocks: Sequence[Block]) -> Built:
    return Section(anchor, title, "", lambda _: blocks), list(blocks)


def _frame(manifest: dict[str, Any]) -> Frame:
    kind = "Synthetic bars" if manifest["synthetic"] else Cited("Real data, {} prices").format(manifest["prices"])
    window = manifest["window"]
    a, b = manifest["pair"]
    facts = Cited("{}; {} is A, {} is B; {} to {}, {} bars; exploratory.").format(
        kind, a, b, window["start"], window["end"], count(window["bars"])
    )
    return Frame(manifest["title"], "", facts, "Made by `cme covenants` from the files of the run directory.")


def _state(numbers: dict[str, Any]) -> list[Block]:
    """Time in MANUAL comes before any performance figure.  [covenants 14]"""
    rows = [(name, rounded(value)) for name, value in numbers.items() if isinstance(value, (int, float))]
    said = Cited(
        "The machine rests in MANUAL for {} of the bars and is LIVE for {}; what follows is to be read with that."
    ).format(share(numbers["manual_share"]), share(numbers["live_share"]))
    return [Text(said), mixed_table("Figures of the state machine", ("figure", "value"), rows)]


def _claims(verdicts: dict[str, Any]) -> list[Block]:
    power = verdicts["power"]
    detectable = Cited("; ").join(Cited("{} {}").format(VIEWS[v], number(power[v]["detectable"])) for v in VIEWS)
    blocks: list[Block] = [Text(Cited(
        "Said beforehand: the smallest difference of Sharpe ratios that 80% power detects at the realised correlation "
        "of both accounts is {}. The claimed gain is 0.05 to 0.08 at a ratio of 1, so 'not distinguishable' is the "
        "expected verdict on C2. As a ratio C2 needs a standard account above 0.1. Placebos decide."
    ).format(detectable))]  # fmt: skip
    for reading, views in verdicts["readings"].items():
        head = ("view", "against", "MDD other", "MDD SCPC", "C1 and 95% interval", "verdict C1", "Sharpe other",
                "Sharpe SCPC", "C2 and 95% interval", "verdict C2", "Sharpe difference")  # fmt: skip
        rows = [
            (
                VIEWS[view], OPPONENTS[name], *map(share, compared["mdd"]), _interval(compared["C1"]),
                compared["C1"]["verdict"], *map(number, compared["sharpe"]), _interval(compared["C2"]),
                compared["C2"]["verdict"], _interval(compared["C2_difference"]),
            )
            for view, table in views.items()
            for name, compared in table.items()
        ]  # fmt: skip
        title = f"Reading: {'as registered' if reading == 'main' else reading}"
        blocks += [Heading(title), Table(f"Drawdown and Sharpe ratio by account. {title}", head, tuple(rows))]
    changes = Cited("; ").join(
        Cited("{} {} (Wilcoxon p {})").format(view, _signed(test["median"]), number(test["p"], 3))
        for view, test in verdicts["windows_p1"].items()
        if test["median"] is not None
    )
    blocks.append(Text(Cited(
        "Holm over C1 and C2 against p1: {}. {} configurations were tried; deflated Sharpe ratios {}. Mean block {} "
        "days, {} draws. A drawdown is one number a path and its bootstrap is biased: over windows of 90 days the "
        "median change of drawdown against p1 is {}. The equal-weight mean of two opposite standard accounts is nearly "
        "riskless, so its drawdown is its costs."
    ).format(
        _words(verdicts["holm"]["p1"]), count(verdicts["configurations"]), _words(verdicts["deflated"]),
        number(verdicts["block_length"], 1), count(verdicts["draws"]), changes,
    )))  # fmt: skip
    if verdicts["long_only"]:
        products = ("comparison", "MDD other", "MDD b", "Sharpe other", "Sharpe b", "difference of Sharpe")
        longs = [
            (
                f"{name} (model)" if name.endswith(" c") else name, *map(share, compared["mdd"]),
                *map(number, compared["sharpe"]), _interval(compared["C2_difference"]),
            )
            for name, compared in verdicts["long_only"].items()
        ]  # fmt: skip
        title = "Products of the same direction"
        blocks += [Heading(title), Table(f"{title}: drawdown and Sharpe ratio", products, tuple(longs))]
    return blocks


def _pictures(run: Path, facts: pd.DataFrame) -> list[Figure]:
    signals, equity = pd.read_parquet(run / "signals.parquet"), pd.read_parquet(run / "equity.parquet")
    stems = {
        "a": "a standard",
        "b": "b SCPC",
        "p1_of_b": "p1",
        "p2": "p2",
        "b0": "b0 static",
        "c": "c covered call (model)",
    }
    shown = [("Spread, band in force, cap, states.", figures.spread_and_band(signals), "signals.parquet")]
    views = [view for view in VIEWS if f"b_{view}" in equity]
    shown += [(f"Accounts: {VIEWS[view]}.", figures.accounts(equity, view, stems), "equity.parquet") for view in views]
    shown.append(("Margin moved, fees and funding.", figures.transfers(facts), "accounts.csv"))
    if (run / "curve.csv").is_file():
        draws, curve = pd.read_csv(run / "placebo.csv"), pd.read_csv(run / "curve.csv")
        measured = {
            row["account"][2:]: float(row["mdd"])
            for _, row in facts.iterrows()
            if row["account"] in ("b_short_a", "b_long_a")
        }
        shown.append(("Placebo p3.", figures.placebo(draws, measured), "placebo.csv, accounts.csv: mdd"))
        shown.append(("Specification curve.", figures.specification_curve(curve), "curve.csv: mdd, mdd_p1"))
    return [
        Figure(f"picture-{place}", caption, svg, "Its numbers are in the tables above.", drawn_from)
        for place, (caption, svg, drawn_from) in enumerate(shown)
    ]


def _interval(compared: dict[str, Any]) -> str:
    if compared["point"] is None:
        return "not evaluable"
    return Cited("{} [{}, {}]").format(*(_signed(compared[name]) for name in ("point", "low", "high")))


def _signed(value: float) -> str:
    return cited(f"{value:+.3f}", value, "signed 3")


def _words(values: dict[str, Any]) -> str:
    return Cited(", ").join(
        Cited("{} {}").format(name, "not evaluable" if value is None else number(value, 4))
        for name, value in values.items()
    )
