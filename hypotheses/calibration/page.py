"""The certificate for readers: one Markdown page, generated and never edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypotheses.calibration.carried import CARRIED, in_force

TIERS: Final = {
    "engine": "Through the whole engine: from a drawn market to the verdict",
    "series": "At the level of series: drawn straight into the functions that judge",
    "resampled": "On real market days, resampled",
}
EXPLAINED: Final = "docs/decisions/0273 (N2 without an edge), docs/decisions/0716 (net mean zero)"
"""Where rows outside their limits by more than chance are explained."""
PLANTS_EXPLAINED: Final = "docs/decisions/0715"
"""Why a plant is not recovered."""
HEAD: Final = ("| row | share | 95% interval | of | limit | |", "|---|---:|---|---:|---|---|")


COST: Final = "## What it cost"


def markdown(content: Mapping[str, Any], cost: Mapping[str, Any]) -> str:
    """Return the page: what is certified, the table by tier, the detectable edges, what it cost."""
    return "\n".join([*_certified(content), *_cost(cost)]).rstrip() + "\n"


def changed(content: Mapping[str, Any], published: str) -> str:
    """Return the page of a certificate that was carried over, with what the ``published`` page says of its cost."""
    _, head, cost = published.partition(COST)
    return "\n".join(_certified(content)) + f"\n{head}{cost}"


def _certified(content: Mapping[str, Any]) -> list[str]:
    lines = [f"# {content['title']}", "", "Written by `cme calibrate`; do not edit.", ""]
    if content["quick"]:
        lines += ["**A quick certificate: few replications, a check that every cell runs. It certifies nothing.**", ""]
    if not content["whole"] and not content["quick"]:
        lines += ["**Not whole yet: some rows have fewer replications than registered; `of` says how many.**", ""]
    lines += [*_summary(content), ""]
    for tier, title in TIERS.items():
        rows = [row for row in content["rows"] if row["tier"] == tier]
        if rows:
            lines += [f"## {title}", "", *HEAD, *(_row(row) for row in rows), ""]
    return [*lines, *_edges(content["edges"]), *_seals(content), *_carried(content)]


def _summary(content: Mapping[str, Any]) -> list[str]:
    # Rows without a limit document a fact and are judged by none.
    judged = [row for row in content["rows"] if row["limit"] is not None]
    count = {word: sum(row["met"] == word for row in judged) for word in ("met", "within chance", "not met")}
    draws = content["draws"]
    return [
        f"Rows with an acceptance limit: {len(judged)}; met {count['met']}, outside by less than chance "
        f"{count['within chance']}, not met {count['not met']}. A share decides, its interval explains; the limits are",
        "those of the protocol and were not moved. No verdict cites a row of series as the size of the pipeline.",
        "",
        f"Draws a replication: N2 {draws['n2']:,}, bootstrap {draws['bootstrap']:,} (registered: 9,999 each).",
        "Permutation p-values are exact and the bootstrap's order statistics whole at these numbers; fewer cost",
        "a little power and no size (docs/decisions/0232).",
        *(["", f"Why a row was not met: {EXPLAINED}."] if count["not met"] else []),
        *(["", content["n2_choice"]["says"]] if content["n2_choice"] else []),
    ]


def _row(row: Mapping[str, Any]) -> str:
    limit = row["limit"]
    limits = "" if limit is None else f"{percent(limit['low'])} to {percent(limit['high'])}"
    share = "–" if row["share"] is None else percent(row["share"])
    met = {"not met": "**not met**"}.get(row["met"], row["met"])
    ends = f"{percent(row['low'])} to {percent(row['high'])}"
    return f"| {row['name']} | {share} | {ends} | {row['of']:,} | {limits} | {met} |"


def percent(value: str) -> str:
    """Return a share in text as a percentage with one place."""
    return f"{100 * float(value):.1f}%"


def _edges(edges: Sequence[Mapping[str, Any]]) -> list[str]:
    if not edges:
        return []
    ratio = edges[0]["sharpe_at_power"]
    lines = [
        "## The least edge that can be detected, by constraint",
        "",
        "All seven planted in the whole universe of one coin. *Detectable*: the net edge a trade at which H3 retains",
        f"the constraint with 80% power (a true Sharpe ratio of {ratio or 'more than shown'}), for as many trades.",
        f"Which plants are not recovered, and why: {PLANTS_EXPLAINED}.",
        "",
        "| constraint | planted | recovered | trades a window | realised, bps a trade | detectable, bps a trade |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for edge in edges:
        cells = (
            edge["constraint"],
            edge["planted"],
            edge["recovered"],
            edge["trades"],
            edge["realised_bps"],
            edge["detectable_bps"],
        )
        lines.append("| " + " | ".join("–" if cell is None else str(cell) for cell in cells) + " |")
    return [*lines, ""]


def _seals(content: Mapping[str, Any]) -> list[str]:
    lines = ["## What it certifies", "", "| seal | hash |", "|---|---|"]
    lines += [f"| {name} | `{value[:16]}` |" for name, value in content["seals"].items()]
    lines += [f"| data of {source['cell']} | `{source['dataset_hash'][:16]}` |" for source in content["sources"]]
    return [*lines, ""]


def _carried(content: Mapping[str, Any]) -> list[str]:
    """Return what the records of carrying it over say, newest last; nothing where there are none."""
    records = content.get(CARRIED, [])
    if not records:
        return []
    lines = ["## Carried over to later code", "", f"The certificate is of the code above{in_force(content).words}.", ""]
    lines += [
        "| at | from commit | to commit | engine | pipeline | judging | measured anew |",
        "|---|---|---|---|---|---|---|",
    ]
    for record in records:
        seals, commits = record["to"]["seals"], (record["from"]["commit"], record["to"]["commit"])
        hashes = [
            f"`{value[:16]}`" for value in (*commits, *(seals[k] for k in ("engine_hash", "pipeline", "judging")))
        ]
        lines.append(f"| {record['at']} | {' | '.join(hashes)} | {', '.join(record['measured_anew']) or 'no cell'} |")
    compared = [
        f"- {run['name']}: {run['tables']} tables, {run['ledger_rows']:,} ledger rows, {run['documents']} documents"
        + (f"; added since: {', '.join(run['added'])}" if run["added"] else "")
        for run in records[-1]["runs"]
    ]
    return [
        *lines,
        "",
        "Equal value by value at the last step:",
        "",
        *compared,
        f"- {records[-1]['rows']} rows of quick certificates",
        "",
    ]


def _cost(cost: Mapping[str, Any]) -> list[str]:
    return [
        COST,
        "",
        f"{cost['cpu_s'] / 60:.0f} minutes of processor time on {cost['processor']}, {cost['cores']} cores.",
        "",
    ]
