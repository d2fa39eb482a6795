"""Tables and counts of a run directory against its ledgers, to the micro-dollar.  [audit 8]"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from backtest.results.tables import read_table
from backtest.rundir.files import FORCED_EXITS, read_object, registration_of, require_same
from engine.ledger.verification.verify import Report, Verified, opened
from engine.ledger.verification.walk import lines, parsed
from engine.units import MICRO, NS_PER_SECOND

FIGURES = ("gross_usd_micro", "fees_usd_micro", "slippage_usd_micro", "funding_usd_micro", "net_usd_micro")
SIGNAL_COLUMNS = ["signal_id", "provenance_hash"]
TRADE_COLUMNS = ["signal_id", "constraint", "rejected_why", "exit_reason", "borrow_usd_micro", *FIGURES]
TRIGGERS = ("", "stopped", "converged")
FORCED = ("venue", "covenant")
FIELDS = ("gross_pnl_usd", "fees_usd", "slippage_usd", "funding_usd", "net_pnl_usd")


def tables(folder: Path, ledgers: Mapping[str, Verified]) -> None:  # noqa: ARG001  # all checks are called alike
    """Check that signals, trades, accruals, returns and the funnel's ends say what the ledgers say.  (15)

    And that every signal was judged by the tables of this plan (26).
    """
    signals, trades = _folds(folder, "signals", SIGNAL_COLUMNS), _folds(folder, "trades", TRADE_COLUMNS)
    plan, emitted = registration_of(folder), {}
    before = (read_object(folder / "manifest.json").get("emitted") or {}).get("plans", [])
    for content in _contents(folder, "emit", "signal"):
        emitted[content["signal_id"]] = content["provenance_hash"]
        judged = content["provenance"]["engine"]["config_hash"]
        # runs of before decision 0461 hold the hash of the whole plan
        if judged != plan.config_hash:
            expected = _judging_at(before, content["provenance"]["as_of_us"], plan.judging_hash)
            require_same(f"emit ledger, config_hash of {content['signal_id']}", expected, judged, 26)
    resolved = {content["signal_id"]: content for content in resolutions(folder)}
    shown = dict(zip(signals["signal_id"], signals["provenance_hash"], strict=True))
    require_same("folds/*/signals.parquet, ids", _summary(emitted), _summary(shown), 15)
    require_same("folds/*/signals.parquet, rows", len(emitted), len(signals), 15)
    in_tables = {row[0]: row[1:] for row in _figures(trades)}
    owed = {
        name: (*(_micro(content[field]) for field in FIELDS), content["exit_reason"])
        for name, content in resolved.items()
    }
    require_same("folds/*/trades.parquet, figures", _summary(owed), _summary(in_tables), 15)
    _triggers(folder, plan.params.exit_latency_ns)
    _forced(folder)
    accruals = read_table(folder / "accruals.parquet")
    # A signal that earned nothing has no row of accruals.
    earned = dict.fromkeys(owed, 0) | accruals.groupby("signal_id")["usd_micro"].sum().astype(int).to_dict()
    net = {signal_id: figures[4] for signal_id, figures in owed.items()}
    require_same("accruals.parquet, net of each signal", _summary(net), _summary(earned), 15)
    returns = read_table(folder / "returns.parquet")
    by_day = accruals.groupby("day")["usd_micro"].sum().reindex(returns["day"]).fillna(0).astype(int).tolist()
    require_same("returns.parquet, pnl of each day", by_day, returns["pnl"].astype(int).tolist(), 15)
    funnel = read_object(folder / "funnel.json")
    for code, ends in funnel_ends(trades, funnel).items():
        require_same(f"funnel.json, {code}", ends, {key: funnel[code][key] for key in ends}, 15)


def _judging_at(plans: list[dict[str, Any]], as_of_us: int, otherwise: str) -> str:
    """Return the judging hash of the plan in force at a time; ``otherwise`` where one plan judged all."""
    in_force = [plan["judging_hash"] for number, plan in enumerate(plans) if not number or plan["from_us"] <= as_of_us]
    return str(in_force[-1]) if in_force else otherwise


def funnel_ends(trades: pd.DataFrame, codes: Any) -> dict[str, dict[str, Any]]:
    """Return what the funnel says of the ``trades`` of each of the ``codes``: traded, and rejected by reason."""
    ends = {}
    for code in sorted({*codes, *trades["constraint"]}):
        why = trades.loc[trades["constraint"] == code, "rejected_why"].fillna("").astype(str)
        rejected = why[why != ""].value_counts().sort_index()
        ends[code] = {"traded": int((why == "").sum()), "rejected": {str(k): int(n) for k, n in rejected.items()}}
    return ends


def _triggers(folder: Path, latency_ns: int) -> None:
    """Check what triggered each exit against its time and reason: a trigger is filled a latency later at the earliest.

    A run of an earlier version does not say what triggered its exits.
    """
    # not by pandas, which reads a column of nanoseconds with nulls as floats
    tables = [pq.read_table(path) for path in sorted(folder.glob("folds/[0-9]*/trades.parquet"))]
    for row in (row for table in tables if "trigger" in table.column_names for row in table.to_pylist()):
        trigger, reason, signal_id = row["trigger"], row["exit_reason"], row["signal_id"]
        if trigger not in TRIGGERS:
            require_same(f"folds/*/trades.parquet, trigger of {signal_id}", TRIGGERS, trigger, 15)
        if reason in TRIGGERS[1:]:
            require_same(f"folds/*/trades.parquet, trigger of {signal_id}", reason, trigger, 15)
        if trigger:
            wait_ns = row["exit_ns"] - row["trigger_ns"]
            due = row["entry_ns"] <= row["trigger_ns"] and wait_ns >= (latency_ns if reason == trigger else 0)
            require_same(f"folds/*/trades.parquet, whether {signal_id} ended when its trigger was due", True, due, 15)
            require_same(f"folds/*/trades.parquet, wait_s of {signal_id}", wait_ns / NS_PER_SECOND, row["wait_s"], 15)


def _forced(folder: Path) -> None:
    """Check that each exit as `venue` or `covenant` has an order of that reason, after its entry and not after it.

    Orders are in ``forced_exits.json``; a run of a plan without a family over its book has neither.
    """
    path = folder / FORCED_EXITS
    orders = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    tables = [pq.read_table(path) for path in sorted(folder.glob("folds/[0-9]*/trades.parquet"))]
    for row in (row for table in tables for row in table.to_pylist()):
        if row["exit_reason"] in FORCED:
            times = [order["t_ns"] for order in orders if order["reason"] == row["exit_reason"]]
            due = any(row["entry_ns"] < t_ns <= row["exit_ns"] for t_ns in times)
            name = f"{FORCED_EXITS}, an order of {row['exit_reason']} for {row['signal_id']}"
            require_same(name, True, due, 15)


def facts_of(report: Report) -> dict[str, Any]:
    """Return what manifest and results say of a ledger."""
    return {"ledger_id": report.ledger_id, "size": report.rows, "root": report.root, "head": report.head}


def resolutions(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the first revisions, which the tables show."""
    return (content for content in _contents(folder, "resolution", "resolution") if content["revision"] == 0)


def _summary(by_id: Mapping[str, object]) -> list[tuple[str, object]]:
    return sorted(by_id.items())


def _figures(trades: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    # The ledger's funding is the cost of financing: borrow less funding received.  [audit 4.3]
    financing = trades["borrow_usd_micro"] - trades["funding_usd_micro"]
    columns = trades.assign(funding_usd_micro=financing)[["signal_id", *FIGURES, "exit_reason"]]
    return columns.itertuples(index=False, name=None)


def _folds(folder: Path, table: str, columns: list[str]) -> pd.DataFrame:
    return pd.concat([read_table(path, columns) for path in sorted(folder.glob(f"folds/[0-9]*/{table}.parquet"))])


def _contents(folder: Path, ledger: str, kind: str) -> Iterator[dict[str, Any]]:
    with opened(folder / "ledger" / f"{ledger}.jsonl") as stream:
        for line, _ in lines(stream):
            row = parsed(line)["row"]
            if row["kind"] == kind:
                yield row["content"]


def _micro(text: str) -> int:
    return int(Decimal(text) * MICRO)
