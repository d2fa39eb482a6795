"""Write docs/contract-security.md: each row of the second seed with mechanism, figure, verdict, what is not claimed.

``python docs/contract_security.py`` writes the page from docs/contract-security.json; ``--check`` fails if it is stale;
``--measure DATA`` first renews docs/contract-security.json by computing the scenarios of configs/scenarios.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import Any

from measured_page import renew_check_or_write

HERE = Path(__file__).resolve().parent
FIGURES, ROWS, PAGE = HERE / "contract-security.json", HERE / "contract-security.tsv", HERE / "contract-security.md"
SCENARIOS = HERE.parent / "configs" / "scenarios"
SEEDS = 20
STUDIES = ("funding-anchor", "collateral-mix", "margin-pools", "bridge")


def measured(data: Path) -> dict[str, Any]:
    """Return the figures that the page shows, computed from scenarios and published files."""
    from backtest.simulation.scenario import load_scenario
    from backtest.simulation.scenario_run import compute

    plans = {path.stem: load_scenario(path).plan for path in sorted(SCENARIOS.glob("*.toml"))}
    markets = {name: plan for name, plan in plans.items() if plan.kind == "market"}
    results = {name: compute(plan, None) for name, plan in markets.items()}
    crash = plans["flash-crash"]

    def varied(seed: int = crash.seed, **changes: Any) -> dict[str, Any]:
        market = crash.market.model_copy(update=changes)
        return compute(crash.model_copy(update={"seed": seed, "market": market}), None).figures

    thin = {"impact_bps_a_musd": "100", "arbitrage": None}
    breakers = {kind: [varied(seed, breakers=kind, **thin) for seed in range(1, SEEDS + 1)] for kind in ("on", "off")}
    blocks = [varied(step_s=s, steps=1200 // s, **thin) for s in (2, 12, 60)]
    accounts = results["flash-crash"].tables["accounts"]
    makers = accounts[accounts["role"] == "maker"]
    events = results["flash-crash"].tables["events"]
    trades = events[events["kind"].isin(["FILL", "LIQUIDATION"])]
    real = {
        name: compute(plans[name], data).figures
        for name in (
            "hl-adl-20251010",
            "usde-print-20251010",
            "broken-book-20251010",
            "binance-brackets-2025",
            "flow-monitor-btc-2025",
            "probabilistic-margin-2023-2025",
        )
    }
    return {
        "markets": {name: result.figures for name, result in results.items()},
        "makers": {
            "pnl_usd": math.fsum(makers["end_usd"] - makers["start_usd"]),
            "volume_usd": math.fsum(trades["lots"].abs() * trades["price_usd"]) * float(crash.market.lot),
        },
        "breakers": breakers, "blocks": blocks, "monitored": varied(modules=["liquidation_monitor"]),
        "cascade": compute(plans["cascade-phase"], None).figures,
        "network": compute(plans["network-contagion"], None).figures, "real": real,
        "studies": {name: compute(plans[name], None).figures for name in STUDIES},
    }  # fmt: skip


def values(content: dict[str, Any]) -> dict[str, str]:
    """Return the texts that stand for the names in braces of the rows' figures."""
    markets, real = content["markets"], content["real"]
    adl, peg = real["hl-adl-20251010"], real["usde-print-20251010"]["oracles"]
    book, tables = real["broken-book-20251010"], real["binance-brackets-2025"]
    policies, net = adl["policies"], content["network"]
    watch = real["flow-monitor-btc-2025"]
    flow, calm = watch["monitors"]["flow"], watch["monitors"]["volatility"]
    on, off = content["breakers"]["on"], content["breakers"]["off"]

    def usd(rows: list[dict[str, Any]], *names: str) -> float:
        return math.fsum(row[name] for row in rows for name in names)

    def mean(rows: list[dict[str, Any]], *names: str) -> float:
        return usd(rows, *names) / len(rows)

    every = list(markets.values())
    forced = ("liquidated_usd", "deleveraged_usd")
    better = sum(a["deleveraged_usd"] < b["deleveraged_usd"] for a, b in zip(on, off, strict=True))
    worse = sum(a["deleveraged_usd"] > b["deleveraged_usd"] for a, b in zip(on, off, strict=True))
    queues = [row["largest_share"] for name, row in policies.items() if name.startswith("ours_queue")]
    return {
        "maker_pnl": f"{content['makers']['pnl_usd']:,.0f}", "maker_volume": f"{content['makers']['volume_usd']:,.0f}",
        "runs": str(len(every)), "deficit": f"{usd(every, 'deficit_end_usd'):,.2f}",
        "interest": f"{usd(every, 'open_interest_usd'):,.0f}", "liquidated": f"{usd(every, 'liquidated_usd'):,.0f}",
        "deleveraged": f"{usd(every, 'deleveraged_usd'):,.0f}", "events": f"{usd(every, 'events'):,.0f}",
        "broken": f"{usd(every, 'invariants_broken'):.0f}",
        "adl_runs": str(sum(row["deleveraged_usd"] > 0 for row in every)),
        "own": f"{peg['own_book']['liquidated']:.0%}", "median": f"{peg['median_of_two']['liquidated']:.0%}",
        "redemption": f"{peg['redemption']['liquidated']:.0%}", "print_halt": str(markets["false-print"]["halted_s"]),
        "print_liq": f"{markets['false-print']['liquidated_usd']:,.0f}", "crossed": str(book["crossed"]),
        "snapshots": f"{book['snapshots']:,}", "crossed_in": str(book["crossed_and_included"]),
        "tables": str(tables["tables_convex"]), "tables_all": str(tables["tables"]),
        "raise": f"{tables['liquidated_by_a_raise']:.0%}", "needed": f"{adl['needed_usd']:,.0f}",
        "taken": f"{adl['taken_usd']:,.0f}", "overshoot": f"{adl['overshoot_net_usd']:,.0f}",
        "queue": f"{min(queues):.0%}", "fair": f"{policies['ours_pro_rata']['largest_share']:.0%}",
        "cascade_gap": f"{content['cascade']['largest_gap_to_closed_form']:.0%}",
        "below": f"{content['cascade']['largest_liquidated_below_1']:.0%}",
        "above": f"{content['cascade']['least_liquidated_from_1']:.0%}",
        "pairs": str(len(on)), "closed_on": f"{mean(on, *forced):,.0f}", "closed_off": f"{mean(off, *forced):,.0f}",
        "adl_on": f"{mean(on, 'deleveraged_usd'):,.0f}", "adl_off": f"{mean(off, 'deleveraged_usd'):,.0f}",
        "halted": f"{mean(on, 'halted_s'):.0f}",
        "verdict_breakers": f"Less deleveraging with breakers in {better} seeds, more in {worse}.",
        "flow_precision": f"{flow['precision']:.1%}", "vol_precision": f"{calm['precision']:.1%}",
        "flow_difference": f"{watch['precision_difference']:+.1%}, 95% interval {watch['difference_low']:+.1%} to "
        f"{watch['difference_high']:+.1%}",
        "flow_recall": f"{flow['recall']:.0%}", "vol_recall": f"{calm['recall']:.0%}",
        "flow_lead": f"{flow['lead_bars']:.0f}", "shifted": f"{1 - watch['shifts_at_least_as_good']:.1%}",
        "flow_adds": "yes" if watch["adds_value"] else "no",
        "multiplier": f"{content['monitored']['initial_multiplier_most']:.4f}",
        "recovery": str(content["monitored"]["recovery_s"]),
        "off_lost": f"{net['contagion']['off']['lost']:.1%}", "on_lost": f"{net['contagion']['on']['lost']:.1%}",
        "radius": f"{net['contagion']['on']['radius']:.2f}", "rank": f"{net['debt_rank']:.1%}",
        "admissible": "yes" if net["admissible"] else "no",
        "block_adl": ", ".join(f"{row['deleveraged_usd']:,.0f}" for row in content["blocks"]),
        "block_halt": ", ".join(str(row["halted_s"]) for row in content["blocks"]),
        **_of_margin(real["probabilistic-margin-2023-2025"]), **_of_studies(content["studies"]),
    }  # fmt: skip


def _of_margin(study: dict[str, Any]) -> dict[str, str]:
    """Return the texts of the rows on probabilistic margin, clusters and votes."""
    series, rules = study["series"].values(), study["rules"]
    model, fixed = rules["model"], rules["fixed"]
    independence = sorted(row["independence_p"] for row in series)
    clusters, delays = study["clusters"], study["delays"]
    return {
        "margin_days": str(study["days"]), "margin_n": f"{study['observations']:,}",
        "margin_rate": f"{study['exceedance_rate']:.2%}", "margin_kupiec": f"{study['kupiec_p']:.2f}",
        "margin_series": str(len(independence)),
        "margin_independence": f"{independence[0]:.1g} to {independence[-1]:.1g}",
        "margin_z2": str(len([row for row in series if row["z2"] < row["z2_critical"]])),
        "margin_level": f"{model['mean_margin']:.2%}", "margin_deficit": f"{model['deficit_bps']:.4f}",
        "fixed_deficit": f"{fixed['deficit_bps']:.4f}",
        "margin_difference": f"{study['deficit_low_bps']:+.4f} to {study['deficit_high_bps']:+.4f}",
        "margin_score": f"{study['score_low']:+.2f} to {study['score_high']:+.2f}",
        "model_alone": str(study["exceeded_by_model_alone"]), "fixed_alone": str(study["exceeded_by_fixed_alone"]),
        "margin_mcnemar": f"{study['mcnemar_p']:.3f}", "margin_cycle": f"{model['max_over_min']:.1f}",
        "regret_model": str(model["regretted"]), "regret_fixed": str(fixed["regretted"]),
        "margin_dominates": "yes" if study["dominates"] else "no",
        "cluster_before": ", ".join(f"{name} {row['raised_before']:.0%}" for name, row in clusters.items()),
        "cluster_events": ", ".join(f"{name} {row['events']}" for name, row in clusters.items()),
        "cluster_all": ", ".join(f"{row['raised_of_all_bars']:.0%}" for row in clusters.values()),
        "cluster_false": ", ".join(f"{row['false_share']:.0%}" for row in clusters.values()),
        "vote_h": ", ".join(name.removesuffix(" h") for name in delays),
        "vote_deficit": ", ".join(f"{row['deficit_bps']:.4f}" for row in delays.values()),
        "vote_safe": ", ".join(f"{row['hours_to_safe']:.0f}" for row in delays.values()),
    }  # fmt: skip


def _of_studies(studies: dict[str, Any]) -> dict[str, str]:
    """Return the texts of the rows that small synthetic studies answer."""
    anchor, mixes = studies["funding-anchor"]["responses"], studies["collateral-mix"]["shortfall"]
    pools, bridge = studies["margin-pools"], studies["bridge"]
    shocks = pools["shocks"]
    answering = {name: row for name, row in anchor.items() if name != "0"}
    limits = bridge["limits"].items()
    return {
        "anchor_half": ", ".join(str(row["half_life_h"]) for row in answering.values()),
        "anchor_answers": ", ".join(answering),
        "anchor_off": "not within the run" if anchor["0"]["half_life_h"] is None else str(anchor["0"]["half_life_h"]),
        "anchor_ratio": ", ".join(f"{row['variance_ratio_day']:.2f}" for row in anchor.values()),
        "mix_one": f"{next(iter(mixes.values()))['es_one_asset']:.1%}",
        "mix_most": ", ".join(f"{row['es_most_assets']:.2%}" for row in mixes.values()),
        "mix_index": f"{next(iter(mixes.values()))['herfindahl_most']:.2f}",
        "pool_saved": f"{pools['margin_saved']:.0%}",
        "pool_all": " against ".join(
            f"{shocks[f'everywhere, {rule}, 0.06']['deficit_of_interest']:.2%}" for rule in ("together", "apart")
        ),
        "pool_elsewhere": f"{shocks['one venue, together, 0.06']['elsewhere']:.2%}",
        "pool_hit": str(shocks["one venue, together, 0.06"]["venues_hit"]),
        "bridge_steps": f"{bridge['steps']:,}", "bridge_double": str(bridge["double_counts"]),
        "bridge_broken": str(bridge["unbalanced"]), "bridge_limits": ", ".join(f"{float(x):,.0f}" for x, _ in limits),
        "bridge_losses": ", ".join(f"{row['largest_loss_usd']:,.0f}" for _, row in limits),
        "bridge_waits": ", ".join(f"{row['median_wait_s']:.0f}" for _, row in limits),
    }  # fmt: skip


def page(content: dict[str, Any]) -> str:
    """Return docs/contract-security.md."""
    known = values(content)
    lines = [
        "# Perpetual contract security, row by row", "",
        "Generated by `python docs/contract_security.py` from docs/contract-security.tsv and "
        "docs/contract-security.json. Do not edit.", "",
        "Sentences are paraphrased. Synthetic unless a row says published or real; scenarios are in "
        "configs/scenarios and run by `cme simulate`. `open` means that nothing here decides it.", "",
        "| row | what the seed says | mechanism | figure | verdict | not claimed |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in csv.reader(ROWS.read_text(encoding="utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        place, says, mechanism, figure, verdict, denied = row
        lines.append(f"| {place} | {says} | {mechanism} | {figure.format(**known)} | {verdict} | {denied} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(renew_check_or_write(str(__doc__), "--measure", measured, 10, FIGURES, page, PAGE))
