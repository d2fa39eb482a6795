"""E1: the sixteen waves of a deleveraging, in three layers that are never mixed.  [risk.md 21, 9.4]

recomputed  from published rows: what each coin of each wave needed, pro-rata shares of the published capacity
read        sums of published tables: what production and six policies took
ours        policies on synthetic books with the published totals, over seeds, and on the published single events
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from backtest.simulation.events import deficit_ledger
from backtest.simulation.events.deleveraging_book import (
    Cells,
    PublishedAccounts,
    draw_book,
    read_accounts,
    read_cells,
    read_coin_profits,
)
from backtest.simulation.events.deleveraging_policies import event_policies, policies, run_policy
from backtest.simulation.result import OURS, READ, RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import DeleveragingBook, table_of
from backtest.simulation.source_files import SourceFiles, total
from backtest.tasks.parallel import parallel_map
from engine.errors import DataError
from engine.venue.integers import PPM

WAVES, EVENTS = "policy_per_wave_metrics.csv", "high_leverage_outliers_analysis.csv.gz"
PUBLISHED = {
    "production": "prod", "pro_rata": "pr", "pnl_pro_rata": "pnl_pr", "equity_pro_rata": "eq_pr", "vector": "vector",
    "contract_pro_rata": "contract_pr", "integer": "fixed_point_ilp_integer",
}  # fmt: skip
"""Policy -> suffix of its columns in the published table."""
CLOSE = 1e-9
READ_FIGURES = ("taken_usd", "overshoot_net_usd", "overshoot_positive_usd", "deficit_published_usd")

CANNOT_SAY = (
    "Fills and snapshots of the chain are not here: taken and overshoot are sums of a published table, not recomputed.",
    "Published largest shares lie below what the published capacity allows in some waves (in all of them for equity "
    "pro-rata, which is no share of profit and has no regret): regrets are over the other waves.",
    "Coins whose published profit is negative have no winners in the synthetic books: their needs stay uncovered.",
    "Which coins an account had is not published: the synthetic books draw it, and their figures are ours.",
    "The 480 single events were selected by extreme leverage: a biased sample.",
    "A wave is a choice of clustering (gap 5,000 ms); waves without a deficit were dropped by the source.",
)  # fmt: skip


def measure(task: SimulationTask) -> SimulationResult:
    """Return the figures of E1 to E3.  Errors as `SourceFiles.table`."""
    given = table_of(task.plan, DeleveragingBook)
    files = SourceFiles(task.data_root, given.folder)
    cells, _, rows = read_cells(files)
    waves = _read_waves(files)
    needed = rows.groupby("wave", sort=True)["gap_usd_x_qty"].apply(total)
    if list(needed.index) != waves["wave"].tolist():
        raise DataError(
            f"{WAVES}: expected the waves {list(needed.index)} of the coin rows, was {waves['wave'].tolist()}"
        )
    task.on_progress("deficits")
    deficits, ledger = deficit_ledger.book_waves(files)
    accounts = read_accounts(files)
    losses = accounts.profit[accounts.profit < 0]
    figures: dict[str, Any] = {
        "needed_usd": round(math.fsum(needed), 2),
        "taken_usd": round(total(waves["budget_prod"]), 2),
        "overshoot_net_usd": round(total(waves["overshoot_prod"]), 2),
        "overshoot_positive_usd": round(math.fsum(x for x in waves["overshoot_prod"] if x > 0), 2),
        "deficit_published_usd": deficits["deficit_published_usd"],
        "deficit_once_usd": deficits["deficit_once_usd"],
        "accounts": len(accounts.profit),
        "accounts_closed_at_a_loss": len(losses),
        "loss_of_those_usd": round(int(losses.sum()) / 1e6, 2),
        "waves": len(waves),
        "coin_rows": len(rows),
    }
    layers = dict.fromkeys(figures, RECOMPUTED)
    layers |= dict.fromkeys(READ_FIGURES, READ)
    shares = [n / c for n, c in zip(needed, waves["total_cap"], strict=True)]
    figures["policies"] = _read_policies(waves) | {
        "pro_rata_recomputed": {
            "layer": RECOMPUTED, "overshoot_usd": 0.0, "largest_share": max(shares), "regret": 0.0,
        }
    }  # fmt: skip
    task.on_progress("synthetic books")
    ours, outcomes = _ours(task, given, cells, accounts, read_coin_profits(files, sorted(set(rows["coin"]))))
    figures["policies"] |= ours
    events = read_single_events(files)
    singles = event_policies(events, _ppm(given.maintenance))
    figures["single_events"] = {"events": len(events), "policies": singles.set_index("policy").to_dict("index")}
    layers |= {"policies": "by policy", "single_events": OURS}
    table = waves.assign(needed_usd=list(needed), pro_rata_share=shares)
    return SimulationResult(
        figures, {"waves": table, "ledger": ledger, "books": outcomes, "single_events": singles}, layers, files.digests,
        CANNOT_SAY,
    )  # fmt: skip


def _read_waves(files: SourceFiles) -> pd.DataFrame:
    columns = [f"{kind}_{suffix}" for suffix in PUBLISHED.values() for kind in ("budget", "overshoot", "max_pct")]
    table = files.table(WAVES, ("wave", "budget_needed", "total_cap", *columns))
    if (table["total_cap"] <= 0).any():
        raise DataError(f"{WAVES}: total_cap: expected capacities > 0, was {table['total_cap'].min()}")
    return table.assign(wave=table["wave"].astype(int)).sort_values("wave", ignore_index=True)


def read_single_events(files: SourceFiles) -> pd.DataFrame:
    """Return the published single events.  Errors as `SourceFiles.table`."""
    numbers = ("time", "adl_price", "adl_size", "position_size", "entry_price", "total_equity")
    return files.table(EVENTS, numbers, ("coin",))


def _read_policies(waves: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return overshoot and largest share as published, and the regret against the published capacity.

    The regret of a wave is the published largest share less the smallest that its total allows.  A wave whose share
    lies below that is not comparable; where none is, the share is of something else than profit and has no regret.
    """
    read = {}
    for name, suffix in PUBLISHED.items():
        regret = waves[f"max_pct_{suffix}"] - waves[f"budget_{suffix}"] / waves["total_cap"]
        comparable = regret[regret > -CLOSE]
        read[name] = {
            "layer": READ,
            "overshoot_usd": round(total(waves[f"overshoot_{suffix}"]), 2) + 0.0,
            "largest_share": float(waves[f"max_pct_{suffix}"].max()),
            "regret": round(max(0.0, float(comparable.max())), 12) if len(comparable) else None,
            "waves_not_comparable": len(regret) - len(comparable),
        }
    return read


def _ours(
    task: SimulationTask, given: DeleveragingBook, cells: Cells, accounts: PublishedAccounts, coins: Any
) -> tuple[dict[str, dict[str, Any]], pd.DataFrame]:
    """Return each policy's figures, medians over the books with their range, and a row a book and policy."""
    shared = (task.plan.seed, _ppm(given.cap), _ppm(given.maintenance), cells, accounts, coins)
    outcomes = list(parallel_map(task.workers)(book_outcomes, shared, range(given.books)))
    found: pd.DataFrame = pd.concat(outcomes, ignore_index=True)
    measures = ("overshoot_usd", "largest_share", "regret", "touched")
    result = {}
    for name, group in found.groupby("policy", sort=False):
        result[str(name)] = {"layer": OURS, "space": str(group["space"].iloc[0])} | {
            key: float(sorted(group[key])[len(group) // 2]) for key in measures
        } | {"spread": {key: [float(group[key].min()), float(group[key].max())] for key in measures}}  # fmt: skip
    return result, found


def book_outcomes(shared: Any, replicate: int) -> pd.DataFrame:
    """Return a row a policy of one synthetic book; a function of a module, for `parallel_map`."""
    seed, cap_ppm, maintenance_ppm, cells, accounts, coins = shared
    book = draw_book(accounts, coins, f"seed {seed}", replicate)
    rows = []
    for policy in policies(cap_ppm):
        outcome = run_policy(policy, book, cells, maintenance_ppm)
        rows.append({
            "book": replicate, "policy": policy.name, "space": policy.space,
            "overshoot_usd": math.fsum(outcome["taken_usd"] - outcome["needed_usd"]),
            "largest_share": float(outcome["largest_share"].max()), "regret": float(outcome["regret"].max()),
            "touched": int(outcome["touched"].sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _ppm(share: str) -> int:
    return round(float(share) * PPM)
