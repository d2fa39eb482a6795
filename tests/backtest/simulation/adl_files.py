"""Hand-made files in the form of the published deleveraging: two waves, three coins, five accounts."""

from __future__ import annotations

import gzip
from pathlib import Path

from backtest.simulation.events.adl_waves import PUBLISHED

FOLDER = "made-adl"
PLAN = """
schema = "scenario/1"
name = "made"
title = "Made"
kind = "KIND"
venue = "harness"
seed = 7
[KIND]
folder = "made-adl"
"""
ADL = PLAN.replace("KIND", "adl_waves") + 'books = 2\ncap = "0.5"\nmaintenance = "0.01"\n'
LEDGER = PLAN.replace("KIND", "deficit_ledger")


def write(root: Path) -> Path:
    """Write the files below ``root`` and return it."""
    folder = root / FOLDER
    folder.mkdir(parents=True)
    _csv(folder, "h0_two_pass_wave_coin_gap_per_contract.csv", "wave,coin,gap_usd_x_qty,qty_contracts", [
        "1,AAA,30,15", "1,BBB,10,2.5", "3,AAA,20,4",
    ])  # fmt: skip
    _csv(folder, "bad_debt_loser_waves.csv", "wave,deficit_usd,max_loss_usd", [
        "1,100.25,90.125", "3,90.125,90.125",
    ])  # fmt: skip
    _csv(folder, "adl_by_coin_REALTIME.csv", "coin,closed_pnl", ["AAA,200", "BBB,100", "CCC,50"])
    _csv(folder, "adl_by_user_REALTIME.csv.gz", "user,adl_notional,closed_pnl,account_value_realtime", [
        "a,1000,200,400", "b,500,100,50", "c,400,60,600", "d,100,-10,5", "e,50,0,5",
    ])  # fmt: skip
    columns = ["wave", "budget_needed", "total_cap"]
    rows = [["1", "40", "400"], ["3", "20", "200"]]
    # Production takes 50 and 10 in all; equity pro-rata's share lies below 10% in both waves.
    for suffix in PUBLISHED.values():
        columns += [f"budget_{suffix}", f"overshoot_{suffix}", f"max_pct_{suffix}"]
        rows[0] += ["50", "10", "1.0"] if suffix == "prod" else ["40", "0", "0.05" if suffix == "eq_pr" else "0.1"]
        rows[1] += ["10", "-10", "0.5"] if suffix == "prod" else ["20", "0", "0.05" if suffix == "eq_pr" else "0.1"]
    _csv(folder, "policy_per_wave_metrics.csv", ",".join(columns), [",".join(row) for row in rows])
    _csv(folder, "high_leverage_outliers_analysis.csv.gz",
         "coin,time,adl_price,adl_size,position_size,entry_price,total_equity", [
             "AAA,5,90,2,-2,100,50", "AAA,5,90,0,-2,120,50", "BBB,6,10,1,-1,11,5",
         ])  # fmt: skip
    return root


def _csv(folder: Path, name: str, head: str, rows: list[str]) -> None:
    data = "\n".join([head, *rows, ""]).encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
