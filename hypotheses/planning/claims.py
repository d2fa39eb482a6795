"""The power of H2 and H3 as a plan expects them, claim by claim: what the negative registry keeps beside a failure.

The figures are those of `cme power`: of H3 how often a constraint is retained at the plan's own expectation, by its
true Sharpe ratio; of H2 how often mean and bound are under the claim, by the true mean as a share of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backtest.records import Registration
from engine.constraints.codes import CODES
from engine.ledger.format.canonical_json import decimal_text
from hypotheses.base import Streams
from hypotheses.planning.base import PlanningTable
from hypotheses.planning.capacity import SHARES
from hypotheses.planning.statement import SHARPE, capacity_table, inputs_of, retention_tables


def power_by_claim(registration: Registration, streams: Streams) -> dict[str, dict[str, Any]]:
    """Return the power of ``h2``, ``h3`` and each ``h3/<code>``, shares as decimal text; null where it is undefined."""
    inputs = inputs_of(registration)
    _, sleeves = retention_tables(inputs, streams)
    capacity = capacity_table(inputs, streams)
    values = {str(row[0]): row[1:] for row in sleeves.rows}
    names = list(values)
    claims = {f"h3/{code}": names[k] for k, code in enumerate(CODES)} | {"h3": names[len(CODES)]}
    ratios = {"sharpe": [decimal_text(value, 9) for value in SHARPE]}
    shares = {"true_mean_share": [decimal_text(value, 9) for value in SHARES]}
    columns = zip(*(row[1:] for row in capacity.rows), strict=True)
    return {
        **{
            claim: {"days": inputs.days, **ratios, "rows": [_row(name, sleeves, values[name])]}
            for claim, name in claims.items()
        },
        "h2": {
            "days": inputs.days,
            **shares,
            "rows": [_row(name, capacity, column) for name, column in zip(capacity.head[1:], columns, strict=True)],
        },
    }


def _row(name: str, table: PlanningTable, values: Sequence[str | float | None]) -> dict[str, Any]:
    power = [None if value is None else decimal_text(float(value), 9) for value in values]
    return {"rule": name, "kind": table.kind, "power": power}
