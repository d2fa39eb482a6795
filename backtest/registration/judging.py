"""The tables of a plan that judge, and their hash: what an id holds of the plan.  [live L0.2]

An amendment of anything else changes no id: titles, reasons, windows, splits, statistics, hypotheses and sources do not
judge; of the dated tables (fees, borrow rates, funding kinds) what is in force stands in the ``params`` of each record,
and what a split decides, the fit, stands in the row too (decision 0461).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.ledger.format.canonical_json import canonical, tagged_hash

JUDGING: Final[Mapping[str, tuple[str, ...]]] = {
    "grid": (
        "step_s", "latency_ms", "persistence", "max_age_s", "max_skew_s", "mark_max_age_s", "quarantine_mid_share",
        "quarantine_gross_bps", "max_lag_s", "refreshed",
    ),
    "exits": ("rearm_share", "converged_share", "stop_multiple"),
    "costs": ("fallback_bps", "capital_rate_annual", "data_gap_haircut_bps"),
    "capital": ("margin_share", "target_notional_usd", "depth_share"),
    "data": ("fx",),
    "covenants": ("a", "b", "bar_min", "reading", "alpha", "beta", "closes_on"),
    "fx": ("usdc_usdt", "usdc_usd", "usdt_usd", "usd_is", "peg_bps"),
}  # fmt: skip
"""Table -> its keys that judge."""
MAY_LACK: Final = ("data", "fx", "covenants")
"""Tables that a plan may lack: it has one of the first two, which convert the dollars, and the last over its book."""
LATER: Final = ("max_lag_s", "refreshed")
"""Keys that older plans lack: such a plan judges by the value that the schema gives them, and keeps its hash."""
OF_A_RULE: Final = ("enabled", "threshold_bps", "lookback_d", "life_h")
"""What judges of each constraint; its stress loss is for the statistics."""


def judging_tables(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables and keys that judge of the CJ1 document ``content`` of a plan.

    Raises ``KeyError`` if ``content`` lacks one of them.
    """
    rules = content["constraints"].items()
    tables = {}
    for table, keys in JUDGING.items():
        registered = content.get(table, {}) if table in MAY_LACK else content[table]
        tables[table] = {
            key: registered[key] for key in keys if key in registered or not (table in MAY_LACK or key in LATER)
        }
    return {
        **{table: values for table, values in tables.items() if values},
        "constraints": {code: {key: rule[key] for key in OF_A_RULE} for code, rule in rules},
        "underlyings": content["underlyings"],
    }


def judging_hash(content: Mapping[str, Any]) -> str:
    """Return ``H("config", CJ of the tables that judge)``, 64 digits of hex."""
    return tagged_hash("config", canonical(judging_tables(content)))
