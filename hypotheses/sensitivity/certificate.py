"""The certificate's rows beside a run's verdicts, and whether it certifies the code that judged.  [S9.1]

A verdict cites an ``engine`` row only, the one whose role is its hypothesis.  A certificate of another engine, of other
judging code, of other registered statistics, one that is not whole, or one that was carried over says so in the same
sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from backtest.gate.freeze.import_closure import ROOT
from engine.errors import CmeError
from engine.ledger.format.canonical_json import parse_any_spelling
from hypotheses.calibration.carried import in_force
from hypotheses.calibration.code_hashes import seals
from hypotheses.calibration.plan import statistics_hash
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable

PATH: Final = ROOT / "configs" / "calibration" / "certificate.json"
NONE: Final = "No calibration certificate is kept in this checkout: `cme calibrate CONFIG --publish` makes one."
MEASURED_TEXT: Final = {
    "H1": "false-positive rate: H1 supported where signals are informative and the true net Sharpe ratio is 0",
    "H3": "false-positive rate: a constraint retained whose true net Sharpe ratio is 0",
}
H2: Final = (
    "H2 has no engine row: what it models is exact arithmetic on the signals' own quotes; the coverage of its bound is "
    "measured on series only and is no size of the pipeline."
)
TRUE: Final = "H1 supported, true Sharpe ratio "
"""How the certificate names its rows of power; the row whose role is H1 has a true ratio of 0."""
POWER_TITLE: Final = "Power of the rule that decides: H1 supported by p(N1) and p(N2), through the engine"
POWER_COLUMNS: Final = (
    Column("true_sharpe", "true annual Sharpe ratio", "ratio"),
    Column("share", "supported", "share"),
    Column("interval", "95% interval", "text"),
    Column("of", "markets", "count"),
    Column("seal", "certificate", "text"),
)
COLUMNS: Final = (
    Column("hypothesis", "verdict", "text"),
    Column("says", "measured", "text"),
    Column("share", "share", "share"),
    Column("interval", "95% interval", "text"),
    Column("of", "markets", "count"),
    Column("seal", "certificate", "text"),
)


def build(judged: JudgedRun) -> Part:
    """Return the cited rows, and notes on limits and seals; one note where there is no readable certificate."""
    return beside(load(PATH), dict(judged.registration.content))


def beside(content: Mapping[str, Any] | None, registration: Mapping[str, Any]) -> Part:
    """Return the part for a certificate's content and a run's registration."""
    # A missing certificate is said and stops nothing: it decides no verdict.
    if content is None:
        return Part((), (NONE,))
    note = freshness(content, registration)
    rows = tuple(_row(row, note) for row in content["rows"] if row["role"] in MEASURED_TEXT and row["tier"] == "engine")
    judged = [row for row in content["rows"] if row["limit"] is not None]
    missed = [row["name"] for row in judged if row["met"] == "not met"]
    notes = [
        f"The certificate is {note}.",
        f"Rows with an acceptance limit: {len(judged)}, met {sum(row['met'] == 'met' for row in judged)}; outside by "
        f"more than chance: {'; '.join(missed) or 'none'}. The whole table: docs/calibration.md.",
        H2,
    ]
    tables = (
        SensitivityTable("Measured error rates of the pipeline", COLUMNS, rows),
        SensitivityTable(POWER_TITLE, POWER_COLUMNS, power_rows(content, note)),
    )
    return Part(tables, tuple(notes))


def power_rows(content: Mapping[str, Any], note: str) -> tuple[dict[str, Any], ...]:
    """Return how often the certificate's markets support H1, a row a true annual Sharpe ratio, ascending.

    ``note`` says what the certificate is of.
    """
    rows = []
    for row in content["rows"]:
        if row["tier"] == "engine" and (row["role"] == "H1" or row["name"].startswith(TRUE)):
            ratio = 0.0 if row["role"] == "H1" else float(row["name"].removeprefix(TRUE))
            measured = {"share": float(row["share"]), "interval": _interval(row), "of": row["of"], "seal": note}
            rows.append({"true_sharpe": ratio, **measured})
    return tuple(sorted(rows, key=lambda row: row["true_sharpe"]))


def freshness(content: Mapping[str, Any], registration: Mapping[str, Any]) -> str:
    """Return whether the certificate is of the running code and of the run's registered statistics, in words.

    It is of the code it was measured with, or of the last one that it was carried over to.
    """
    kept, running = in_force(content), seals()
    certified = kept.seals
    other = [
        word
        for word, differs in (
            ("engine", certified["engine_hash"] != running["engine_hash"]),
            ("judging code", certified["judging"] != running["judging"]),
            ("pipeline", certified["pipeline"] != running["pipeline"]),
            ("registered statistics", certified["statistics_hash"] != statistics_hash(registration)),
        )
        if differs
    ]
    words = (
        f"of another {' and other '.join(other)}" if other else "of this engine, this judging code, these statistics"
    )
    whole = "" if content["whole"] else "not whole (fewer replications than registered), "
    return f"{whole}{words}{kept.words}"


def load(path: Path) -> dict[str, Any] | None:
    """Return the content of a kept certificate; None if it is missing or unreadable."""
    try:
        content = parse_any_spelling(path.read_bytes())
    except (OSError, CmeError):
        return None
    # A quick certificate certifies nothing, and an older form has other rows.
    whole = isinstance(content, dict) and content.get("schema") == "certificate/1" and not content.get("quick")
    return content if isinstance(content, dict) and whole else None


def _row(row: Mapping[str, Any], note: str) -> dict[str, Any]:
    return {
        "hypothesis": row["role"],
        "says": MEASURED_TEXT[row["role"]],
        "share": float(row["share"]),
        "interval": _interval(row),
        "of": row["of"],
        "seal": note,
    }


def _interval(row: Mapping[str, Any]) -> str:
    return f"[{100 * float(row['low']):.1f}%, {100 * float(row['high']):.1f}%]"
