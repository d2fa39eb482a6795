"""Tampers with copies of a run, outside its ledgers: documents, tables, pages.  [audit 8.4]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from backtest.audit.tamper import consistent_edit
from backtest.rundir import checksums
from backtest.rundir.files import results_of


def edit_result(run: Path) -> None:
    """Turn one decision of the results document."""
    path = run / results_of(run)[0]
    data = path.read_bytes()
    place = data.index(b'"decision":"') + len(b'"decision":"')
    word = b"inconclusive" if data.startswith(b"supported", place) else b"supported"
    path.write_bytes(data[:place] + word + data[data.index(b'"', place) :])


def change_digest(run: Path) -> None:
    """Write a digest that is none of this run."""
    (run / "digest.txt").write_text("0" * 64 + "\n")


def edit_result_and_digest(run: Path) -> None:
    """Raise a statistic and make digest, verdicts and listing agree: only recomputation gives it away."""

    def change(document: dict[str, Any]) -> None:
        document["hypotheses"][0]["statistic"] = "99.5"

    consistent_edit.settle_results(run, change)


def alter_verdict(run: Path) -> None:
    """Change what is read of H1 in verdicts.json, and neither the document that is hashed nor its digest."""
    verdicts = consistent_edit.read(run / "verdicts.json")
    verdicts["H1"]["verdict"] = "refuted" if verdicts["H1"]["verdict"] == "supported" else "supported"
    consistent_edit.save(run / "verdicts.json", verdicts)


def alter_verdict_and_list(run: Path) -> None:
    """The same by somebody who knows of the listing."""
    alter_verdict(run)
    checksums.renew(run, ("verdicts.json",))


def cut_table(run: Path) -> None:
    """Lose the second half of a table that no ledger states."""
    path = run / "placements.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def add_file(run: Path) -> None:
    """Put a file of another name beside the verdicts."""
    (run / "verdicts.final.json").write_text("{}\n")


def take_file(run: Path) -> None:
    """Remove a count that no document needs."""
    (run / "quality.json").unlink()


def alter_page(run: Path) -> None:
    """Change what is read on the page."""
    path = run / "report.md"
    path.write_bytes(path.read_bytes().replace(b"cannot tell", b"supported").replace(b"exploratory", b"confirmatory"))


def edit_returns(run: Path) -> None:
    """Add a profit to the first day."""
    path = run / "returns.parquet"
    table = pd.read_parquet(path)
    # All four, so that sums and charges still agree.
    table.loc[0, ["pnl", "pnl_C1", "x", "x_C1"]] += 1_000_000_000
    table.to_parquet(path)


def edit_charge(run: Path) -> None:
    """Spare every day its capital charge and list the table anew: profits stay, what is tested does not."""
    path = run / "returns.parquet"
    table = pd.read_parquet(path)
    for column in [name for name in map(str, table) if name == "x" or name.startswith("x_")]:
        table[column] = table["pnl" + column[1:]]
    table.to_parquet(path)
    checksums.renew(run, ("returns.parquet",))


def edit_trades(run: Path) -> None:
    """Spare the first trade its fees."""
    # A fold without trades has no row to change.
    path = next(p for p in sorted(run.glob("folds/[0-9]*/trades.parquet")) if len(pd.read_parquet(p)))
    table = pd.read_parquet(path)
    table.loc[0, "fees_usd_micro"] = 0
    table.to_parquet(path)


def edit_registration(run: Path) -> None:
    """Change a number of the plan."""
    path = run / "registration.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("1000000", "2000000", 1), encoding="utf-8")


def edit_manifest(run: Path) -> None:
    """Name another head of a ledger."""
    manifest = consistent_edit.read(run / "manifest.json")
    manifest["ledgers"]["emit"]["head"] = "0" * 64
    consistent_edit.save(run / "manifest.json", manifest)


def edit_data(run: Path) -> None:
    """Name another hash of a file of the data set."""
    path = run / "data.json"
    # A byte in and a byte out: the size gives nothing away.
    path.write_bytes(path.read_bytes().replace(b'"sha256":"', b'"sha256":"0', 1)[:-1])


def edit_seeds(run: Path) -> None:
    """Write another root of chance."""
    path = run / "seeds.lock"
    path.write_bytes(path.read_bytes().replace(b"AsPredicted", b"asPredicted", 1))


def flatter_and_agree(run: Path) -> None:
    """Raise one result and make ledger, manifest, tables and results agree: only statistics give it away."""
    consistent_edit.forge(run, lambda _, outcomes: consistent_edit.shifted(outcomes[0], "5000"))


def drop_loser_and_agree(run: Path) -> None:
    """Leave out the worst signal, and make everything agree."""

    def change(signals: consistent_edit.LedgerRows, outcomes: consistent_edit.LedgerRows) -> None:
        worst = min(outcomes, key=lambda row: float(row["net_pnl_usd"]))["signal_id"]
        for rows in (signals, outcomes):
            rows[:] = [row for row in rows if row["signal_id"] != worst]

    consistent_edit.forge(run, change)
