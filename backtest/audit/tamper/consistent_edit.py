"""What a patient forger does: ledger, manifest, results and tables made to agree again after an edit.

Used by the tamper drill on copies only.  He lists anew, in files.sha256, whatever he changed.  [audit 8.4]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backtest.audit.run import derived_fields
from backtest.audit.run.check_tables import funnel_ends
from backtest.pipeline.placements import DELAYED, PLACED, UNPLACED
from backtest.results.vocabulary import WORD_OF_STATUS
from backtest.rundir import checksums
from backtest.rundir.files import results_of
from engine.ledger.chain import Head, append, open_ledger
from engine.ledger.format.canonical_json import canonical, decimal_text, tagged_hash
from engine.ledger.merkle import root
from engine.units import MICRO

LedgerRows = list[dict[str, Any]]


def contents(run: Path, kind: str) -> LedgerRows:
    """Return the contents of a ledger's rows, genesis first."""
    lines = (run / "ledger" / f"{kind}.jsonl").read_bytes().splitlines()
    return [json.loads(line)["row"]["content"] for line in lines]


def write_ledger(run: Path, kind: str, rows: Sequence[dict[str, Any]]) -> Head:
    """Write a ledger whose every hash fits ``rows``, genesis first, and return its head."""
    head, first = open_ledger(rows[0])
    # The emit ledger's rows are of kind signal; those of the other are named as it is.
    done = append(head, "signal" if kind == "emit" else kind, rows[1:])
    (run / "ledger" / f"{kind}.jsonl").write_bytes(b"".join((first, *done.lines)))
    return done.head


def forge(run: Path, change: Callable[[LedgerRows, LedgerRows], None]) -> None:
    """Let ``change`` edit signals and resolutions in place (geneses left out), and make everything agree again."""
    emit, resolution = contents(run, "emit"), contents(run, "resolution")
    signals, outcomes = emit[1:], resolution[1:]
    change(signals, outcomes)
    rows = write_ledger(run, "emit", [emit[0], *signals]).rows
    for row in outcomes:
        # A changed signal has another row hash, to which its resolution refers.
        row["signal_row_hash"] = rows[row["signal_id"]]
    write_ledger(run, "resolution", [resolution[0], *outcomes])
    agree(run, outcomes)
    checksums.write(run)


def agree(run: Path, outcomes: LedgerRows) -> None:
    """Make manifest, tables and results say what the ledgers say."""
    by_id = {row["signal_id"]: row for row in outcomes}
    tables = [run / name for name in (PLACED, UNPLACED, DELAYED) if (run / name).exists()]
    for path in [*run.glob("folds/[0-9]*/signals.parquet"), *tables]:
        _keep(path, list(by_id))
    for path in sorted(run.glob("folds/[0-9]*/trades.parquet")):
        table = pd.read_parquet(path)
        table = table[table["signal_id"].isin(list(by_id))].reset_index(drop=True)
        for column, field in (("net_usd_micro", "net_pnl_usd"), ("gross_usd_micro", "gross_pnl_usd")):
            table[column] = [int(Decimal(by_id[name][field]) * MICRO) for name in table["signal_id"]]
        table.to_parquet(path)
    _accruals_and_returns(run, by_id)
    _funnel(run)
    manifest = read(run / "manifest.json")
    manifest["ledgers"] = {kind: facts(run, kind) for kind in ("emit", "resolution")}
    save(run / "manifest.json", manifest)
    settle_results(run, lambda document: _count(document, manifest["ledgers"], outcomes))


def settle_results(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the results document and make digest, verdicts and what is retained say what it says; list them anew."""
    name, document = results_of(run)
    change(document)
    (run / name).write_bytes(canonical(document))
    digest = tagged_hash("results", canonical(document))
    (run / "digest.txt").write_text(digest + "\n")
    manifest, verdicts = read(run / "manifest.json"), read(run / "verdicts.json")
    _say(verdicts, derived_fields.verdicts_of(document, manifest, digest))
    save(run / "verdicts.json", verdicts)
    kept = derived_fields.retained_of(document, manifest, digest, verdicts)
    (run / "retained.json").write_bytes(canonical(kept) + b"\n")
    checksums.renew(run, (name, "digest.txt", "verdicts.json", "retained.json"))


def facts(run: Path, kind: str) -> dict[str, Any]:
    """Return what manifest and results say of a ledger."""
    lines = (run / "ledger" / f"{kind}.jsonl").read_bytes().splitlines()
    last = json.loads(lines[-1])
    tree = root(line[7:-79] for line in lines).hex()
    return {"ledger_id": last["row"]["ledger_id"], "size": len(lines), "root": tree, "head": last["row_hash"]}


def read(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def save(path: Path, value: object) -> None:
    """Write a JSON file as a run directory has them."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def shifted(outcome: dict[str, Any], usd: str) -> None:
    """Add ``usd`` to what a resolution earned, gross and net, so that its own sums still hold."""
    for field in ("gross_pnl_usd", "net_pnl_usd"):
        outcome[field] = decimal_text(Decimal(outcome[field]) + Decimal(usd), 6)


def _say(verdicts: dict[str, Any], expected: dict[str, Any]) -> None:
    """Put the ``expected`` fields into `verdicts.json`, and leave what nothing expects."""
    third = expected.pop("H3")
    for section, fields in expected.items():
        verdicts[section] |= fields | ({"n2": verdicts["H1"]["n2"] | fields["n2"]} if fields.get("n2") else {})
    verdicts["H3"] |= {"verdict": third["verdict"], "retained": third["retained"]}
    for row in verdicts["H3"]["constraints"]:
        kept = row["code"] in third["kept"]
        # A status between retain and drop does not follow from the document, and stays.
        word = WORD_OF_STATUS[row["status"]]
        row["status"] = "retained" if kept else "dropped" if word == "retained" else row["status"]
        row |= third["constraints"][row["code"]]


def _funnel(run: Path) -> None:
    """Let the funnel end in the trades there are."""
    trades = pd.concat([pd.read_parquet(path) for path in sorted(run.glob("folds/[0-9]*/trades.parquet"))])
    funnel = read(run / "funnel.json")
    for code, ends in funnel_ends(trades, funnel).items():
        funnel[code] |= ends
    save(run / "funnel.json", funnel)


def _keep(path: Path, ids: list[str]) -> None:
    """Leave the rows of these signals in a table, and every value as it is."""
    table = pq.read_table(path)
    names = table["signal_id"].cast(pa.string())
    pq.write_table(table.filter(pc.is_in(names, pa.array(ids, pa.string()))), path)


def _accruals_and_returns(run: Path, by_id: dict[str, dict[str, Any]]) -> None:
    """Put what changed in a signal's result on its last day, and the days' sums into the returns."""
    accruals = pd.read_parquet(run / "accruals.parquet")
    accruals = accruals[accruals["signal_id"].isin(list(by_id))].reset_index(drop=True)
    owed = {name: int(Decimal(row["net_pnl_usd"]) * MICRO) for name, row in by_id.items()}
    for name, rows in accruals.groupby("signal_id").groups.items():
        # On the last day: the days of a signal must sum to its net again.
        accruals.loc[rows[-1], "usd_micro"] += owed[str(name)] - int(accruals.loc[rows, "usd_micro"].sum())
    accruals.to_parquet(run / "accruals.parquet")
    returns = pd.read_parquet(run / "returns.parquet")
    for code in [column.removeprefix("pnl_") for column in map(str, returns) if column.startswith("pnl_")]:
        by_day = accruals[accruals["constraint"] == code].groupby("day")["usd_micro"].sum()
        _move(returns, f"pnl_{code}", f"x_{code}", by_day)
    _move(returns, "pnl", "x", accruals.groupby("day")["usd_micro"].sum())
    returns.to_parquet(run / "returns.parquet")


def _move(returns: pd.DataFrame, profit: str, net: str, by_day: pd.Series[int]) -> None:
    now = by_day.reindex(returns["day"]).fillna(0).astype("int64").to_numpy()
    # By the difference: the capital charge between the two stays.
    returns[net] += now - returns[profit]
    returns[profit] = now


def _count(document: dict[str, Any], ledgers: dict[str, Any], outcomes: LedgerRows) -> None:
    derived_fields = document["ledgers"]
    document["ledgers"] = {kind: {key: ledgers[kind][key] for key in derived_fields[kind]} for kind in derived_fields}
    void = sum(row["exit_reason"] == "void" for row in outcomes)
    document["counts"] = {"signals": len(outcomes), "resolved": len(outcomes) - void, "void": void}
