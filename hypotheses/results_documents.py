"""Verdicts as documents: `verdicts.json` for readers, the exact results that are hashed, the floats beside them.

An undefined value is null, with ``<field>_reason`` beside it.  Floats of `verdicts.json` have ten significant digits
[statistics R11.5], Sharpe ratios seven; the exact document holds decimal strings and integers only [audit 10.4].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, Final

from engine.ledger.format.canonical_json import canonical as canonical
from engine.ledger.format.canonical_json import decimal_text, tagged_hash
from hypotheses.records import (
    H1,
    H2,
    H3,
    Answer,
    ConstraintRow,
    Interval,
    PermutationNull,
    PowerTable,
    Proportion,
    Status,
    Stressed,
    UpwardReading,
    Verdicts,
)

RTOL: Final = "1e-9"
ATOL: Final = "1e-12"
PLACES: Final = 9

DECISION: Final[Mapping[Answer, str]] = {
    Answer.SUPPORTED: "supported",
    Answer.REFUTED: "not_supported",
    Answer.CANNOT_TELL: "inconclusive",
}


NESTED: Final = (PermutationNull, Stressed, UpwardReading)
"""Records inside a record: an object of their own."""
FILE_KEYS: Final = {"limits_text": "says"}
"""Fields whose key in verdicts.json is another: pages and bundles of earlier runs read this key."""


RATIOS: Final[Mapping[type, frozenset[str]]] = {
    H1: frozenset(("sharpe", "ci", "ci_equal_tailed", "lower_95")),
    Stressed: frozenset(("sharpe", "ci")),
    PermutationNull: frozenset(("sharpe", "ordered_sharpe")),
    ConstraintRow: frozenset(("sharpe", "ci", "ci_equal_tailed", "stressed_ci")),
}
"""Fields that hold Sharpe ratios: returns are rounded to 1e-9, so that no more than seven digits of one are known."""
DIGITS: Final = 10
RATIO_DIGITS: Final = 7


def readable(value: Any, digits: int = DIGITS) -> Any:
    """Return ``value`` as JSON: numbers rounded to so many significant digits, shares as their value, -0 as 0.

    Raises ``ValueError`` for NaN and infinities: an undefined value is None, with a reason.
    """
    if isinstance(value, Proportion):
        return readable(value.value, digits)
    if isinstance(value, Interval):
        return [readable(value.low, digits), readable(value.high, digits)]
    if isinstance(value, Decimal | float):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"expected a finite number, was {value!r}")
        # + 0.0 turns -0.0 into 0.0, which some readers print differently
        return float(f"{number:.{digits - 1}e}") + 0.0
    if isinstance(value, Mapping):
        return {str(key): readable(item, digits) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [readable(item, digits) for item in value]
    return value


def hypothesis_section(verdict: H1 | H2) -> dict[str, Any]:
    """Return one hypothesis as the object of `verdicts.json`: ``verdict`` first, reasons beside nulls."""
    return {"verdict": verdict.answer.value, **_fields(verdict, {"answer"})}


def plain(record: Any) -> dict[str, Any]:
    """Return any flat record of this package as a JSON object."""
    return _fields(record, set())


def constraints_section(verdict: H3) -> dict[str, Any]:
    """Return H3 as the object of `verdicts.json`, one entry a constraint in the registered order."""
    section = {"verdict": verdict.answer.value, **_fields(verdict, {"answer", "constraints"})}
    section["constraints"] = [_fields(row, set()) for row in verdict.constraints]
    return section


def exact_hypotheses(verdicts: Verdicts) -> list[dict[str, Any]]:
    """Return the hashed list, sorted by id.  An undefined statistic is null.  [audit 10.4, spec README "Records"]

    ``h1/n1`` holds the p-value as the count and size of the enumerated group; ``h2`` its two one-sided bounds.
    """
    h1, h2, h3 = verdicts.h1, verdicts.h2, verdicts.h3
    rows = [
        _exact("h1", h1.sharpe, h1.p_n1, h1.ci, DECISION[h1.answer]),
        _exact("h1/n1", h1.sharpe, h1.p_n1, None, _null_decision(h1)),
        *(_exact(f"h1/{null.name.lower()}", null.sharpe, null.p, None, rejects) for null, rejects in _moved(h1)),
        _exact("h2", h2.mean_usd_per_day, None, _bounds(h2), DECISION[h2.answer]),
        _exact("h3", Decimal(len(h3.retained)), None, None, DECISION[h3.answer]),
        *(_exact(f"h3/{row.code}", row.sharpe, row.p, row.ci, _row_decision(row)) for row in h3.constraints),
    ]
    # the hash must not depend on the order of the code above
    return sorted(rows, key=lambda row: str(row["id"]))


def exact_document(verdicts: Verdicts, header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the CJ1 document of `results.exact.json`.

    ``header``: study, freeze_hash, dataset_hash, seeds_hash, analysis_id, ledgers, counts.
    """
    return {"schema": "results/1", **header, "hypotheses": exact_hypotheses(verdicts)}


def results_digest(document: Mapping[str, Any]) -> str:
    """Return ``H("results", CJ(document))``."""
    return tagged_hash("results", canonical(dict(document)))


def float_entries(verdicts: Verdicts) -> list[dict[str, str]]:
    """Return the float tier: name, value with 17 significant digits, tolerances.  Never hashed.  [audit 10.4]"""
    h1 = verdicts.h1
    values: dict[str, float | None] = {"h1/psr": h1.psr, "h1/psr_at_benchmark": h1.psr_at_benchmark, "h1/dsr": h1.dsr}
    for row in verdicts.h1.power.rows:
        values |= {
            f"power/{row.kind}/{row.name}/SR {sharpe:g}": power
            for sharpe, power in zip(verdicts.h1.power.sharpe, row.power, strict=True)
        }
    for diagnostic in verdicts.diagnostics:
        values[f"diagnostics/{diagnostic.series}/{diagnostic.name}"] = diagnostic.value
        values[f"diagnostics/{diagnostic.series}/{diagnostic.name}/p"] = diagnostic.p
    return [
        {"name": name, "value": f"{value:.17g}", "rtol": RTOL, "atol": ATOL}
        for name, value in values.items()
        # An undefined float has no tolerance to be compared with.
        if value is not None
    ]


def _fields(record: Any, without: set[str]) -> dict[str, Any]:
    """Return the fields of a record as JSON, with a reason beside each null that has one."""
    out: dict[str, Any] = {}
    reasons: Mapping[str, str] = record.reasons if hasattr(record, "reasons") else {}
    ratios = RATIOS.get(type(record), frozenset())
    for field in fields(record):
        # A reason stands beside its null, and not in a table of its own.
        if field.name in without or field.name == "reasons":
            continue
        key, value = FILE_KEYS.get(field.name, field.name), getattr(record, field.name)
        digits = RATIO_DIGITS if field.name in ratios else DIGITS
        if isinstance(value, PowerTable):
            out[key] = _power(value)
        else:
            out[key] = _fields(value, set()) if isinstance(value, NESTED) else readable(value, digits)
        if field.name in reasons:
            out[f"{key}_reason"] = reasons[field.name]
        if isinstance(value, Proportion):
            out[f"{key}_count"] = [value.count, value.of]
    return out


def _power(table: PowerTable) -> dict[str, Any]:
    return {**_fields(table, {"rows"}), "rows": [_fields(row, set()) for row in table.rows]}


def _exact(
    name: str, statistic: Decimal | None, p: Proportion | None, ci: Interval | None, decision: str
) -> dict[str, Any]:
    return {
        "id": name,
        "statistic": _text(statistic),
        "p_num": None if p is None else p.count,
        "p_den": None if p is None else p.of,
        "ci_low": None if ci is None else _text(ci.low),
        "ci_high": None if ci is None else _text(ci.high),
        "decision": decision,
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value, PLACES)


def _bounds(h2: H2) -> Interval | None:
    return None if h2.lower_95 is None or h2.upper_95 is None else Interval(h2.lower_95, h2.upper_95)


def _null_decision(h1: H1) -> str:
    """Return whether N1 rejects SR <= 0; a null that does not reject cannot tell."""
    return "supported" if h1.n1_rejects else "inconclusive"


def _moved(h1: H1) -> list[tuple[PermutationNull, str]]:
    """Return N2, where it was run, with whether it rejects random entry."""
    return [] if h1.n2 is None else [(h1.n2, "supported" if h1.n2_rejects else "inconclusive")]


def _row_decision(row: ConstraintRow) -> str:
    """Return the three-way decision on one constraint: a drop is refuted only if its interval lies at or below 0."""
    if row.status is Status.RETAIN:
        return "supported"
    # A dropped constraint may still have an edge: only its interval can exclude one.
    refuted = row.status is Status.DROP and row.ci is not None and row.ci.high <= 0
    return "not_supported" if refuted else "inconclusive"
