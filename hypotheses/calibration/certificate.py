"""The certificate: every row with its share, interval, limit and answer, under the seals it certifies.  CJ1.

    share    what happened out of the replications
    95%      Clopper and Pearson's (1934) exact binomial interval
    met      `met`: the share lies within the limit; `within chance`: only its interval reaches in; else `not met`

Nothing in it depends on machine, time or workers: what was spent stands in `cost.json` beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
from scipy.stats import binomtest

from engine.ledger.format.canonical_json import canonical
from hypotheses.calibration import n2_size
from hypotheses.calibration.base import Cell, Columns, RowSpec
from hypotheses.calibration.code_hashes import seals
from hypotheses.calibration.edge import detectable_edges
from hypotheses.calibration.plan import Limit, Plan, statistics_hash

SCHEMA: Final = "certificate/1"
LEVEL: Final = 0.95
PLACES: Final = Decimal("0.0001")
SEALS: Final = ("engine_hash", "analysis_hash", "judging", "pipeline")


def document(plan: Plan, cells: Sequence[Cell], measured: Mapping[str, Columns], seeds_hash: str) -> dict[str, Any]:
    """Return the content of ``certificate.json`` for measured ``cells``."""
    present = [cell for cell in cells if measured.get(cell.name)]
    lacking = [cell.name for cell in cells if cell.rows and cell not in present]
    rows = [row(cell, spec, measured[cell.name], plan) for cell in present for spec in cell.rows]
    sources = {cell.name: _source(measured[cell.name]) for cell in present if "dataset" in measured[cell.name]}
    return {
        "schema": SCHEMA,
        "title": plan.document.title,
        "quick": plan.quick,
        # a certificate of fewer replications than registered certifies nothing, however it comes out
        "whole": not lacking and all(entry["replications"] == entry["registered"] for entry in rows),
        "seals": {
            **{name: seals()[name] for name in SEALS},
            "seeds_hash": seeds_hash,
            "config_hash": plan.study.config_hash,
            "statistics_hash": statistics_hash(plan.study.content),
            "calibration_hash": plan.calibration_hash,
        },
        "draws": {"n2": plan.stats.n2_draws, "bootstrap": plan.stats.bootstrap_draws},
        "rows": rows,
        "n2_choice": _n2_choice(measured, plan),
        "edges": detectable_edges(rows, measured["seven"]) if measured.get("seven") else [],
        "sources": [{"cell": name, "dataset_hash": source} for name, source in sources.items()],
    }


def _n2_choice(measured: Mapping[str, Columns], plan: Plan) -> dict[str, str] | None:
    """Return N2's statistic by the rule, "" for none yet, and the plan's; None where no size was measured."""
    if not any(measured.get(cell.name) for cell in n2_size.CELLS):
        return None
    chosen = n2_size.choice(measured)
    registered = plan.stats.n2_statistic
    says = f"{chosen.sentence} {n2_size.registered_text(registered, chosen.statistic)}"
    return {"statistic": chosen.statistic, "registered": registered, "says": says}


def text(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of ``certificate.json``."""
    return canonical(dict(content)) + b"\n"


def row(cell: Cell, spec: RowSpec, measured: Columns, plan: Plan) -> dict[str, Any]:
    """Return one row of the table; counts are integers, shares decimals in text."""
    happened = int(np.sum(measured[spec.measure]))
    of = (
        int(np.sum(measured[f"{spec.measure}/of"])) if f"{spec.measure}/of" in measured else len(measured[spec.measure])
    )
    low, high = interval(happened, of)
    limit = plan.document.limits[spec.limit] if spec.limit else None
    return {
        "cell": cell.name,
        "tier": cell.tier,
        "name": spec.name,
        "role": spec.role,
        "count": happened,
        "of": of,
        "replications": len(measured[spec.measure]),
        "registered": plan.counts[cell.count],
        "share": _text(happened / of) if of else None,
        "low": _text(low),
        "high": _text(high),
        "limit": None if limit is None else {"low": limit.low, "high": limit.high},
        "met": "" if limit is None else met(happened, of, low, high, limit),
        "seal": cell.seal,
    }


def interval(happened: int, of: int) -> tuple[float, float]:
    """Return the exact 95% interval of a binomial share; [0, 1] of nothing."""
    if of == 0:
        return 0.0, 1.0
    ends = binomtest(happened, of).proportion_ci(LEVEL, method="exact")
    return float(ends.low), float(ends.high)


def met(happened: int, of: int, low: float, high: float, limit: Limit) -> str:
    """Return the answer to an acceptance: the share decides, in exact arithmetic; its interval only explains."""
    # In decimals: a share on its limit is within it on every machine.
    if of and Decimal(limit.low) * of <= happened <= Decimal(limit.high) * of:
        return "met"
    reaches = low <= float(limit.high) and high >= float(limit.low)
    return "within chance" if reaches else "not met"


def _source(measured: Columns) -> str:
    return bytes(measured["dataset"][0].astype(np.uint8)).hex()


def _text(value: float) -> str:
    return str(Decimal(value).quantize(PLACES))
