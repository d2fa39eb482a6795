"""How many signal rows of a ledger have the net that follows from their own terms: a count, and no check.

Audit 8.1 is a closed list, and rows of other engines hold by it without terms: a row that differs is named with both
values and changes no exit code.  (decision 0575)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Final

from backtest.audit.net_of_row import SignalRow
from engine.ledger.verification.verify import opened
from engine.ledger.verification.walk import lines

LISTED: Final = 100
"""Rows that are named; the rest is counted."""
TOLERANCE_BPS: Final = Fraction(1, 2_000_000) + Fraction(1, 10**9)
"""Half a unit of the sixth place, to which a row is rounded once, and what sums of float64 may be off before it."""
UNKNOWN: Final = "a term that the net needs is missing or is 0"


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """A signal row, from 0, whose net is another than its terms give; ``recomputed_bps`` None where they give none."""

    row: int
    signal_id: str
    net_bps: str
    recomputed_bps: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class NetCount:
    """Signal rows, those whose net was recomputed, those that state no terms; the differing, the first 100 listed."""

    signals: int
    recomputed: int
    no_terms: int
    differing: int
    rows: tuple[DifferingRow, ...]

    def document(self) -> dict[str, Any]:
        """Return the count as a JSON object."""
        return asdict(self)


def count_net(path: Path, rows: int) -> NetCount:
    """Return the count over the first ``rows`` rows of a ledger, which must have passed verification.

    Raises ``MissingError`` (3) if the file cannot be read.
    """
    signals = no_terms = differing = 0
    listed: list[DifferingRow] = []
    for number, content in _signals(path, rows):
        signals += 1
        row = SignalRow(content)
        if not row.states_terms():
            no_terms += 1
        elif (found := _differing(row, number, content)) is not None:
            differing += 1
            if len(listed) < LISTED:
                listed.append(found)
    return NetCount(signals, signals - no_terms, no_terms, differing, tuple(listed))


def sentences(net: Mapping[str, Any]) -> list[str]:
    """Return the lines of a count for reading, from its document; none for a ledger without signals."""
    if not net["signals"]:
        return []
    without = f"; {net['no_terms']} state no terms" if net["no_terms"] else ""
    shown = [f"net: recomputed {net['recomputed']} of {net['signals']} rows, differing {net['differing']}{without}"]
    for item in net["rows"]:
        again = item["recomputed_bps"] or f"not computed ({item['reason']})"
        shown.append(
            f"net of signal {item['signal_id']} (row {item['row']}): {item['net_bps']} bps, its terms: {again}"
        )
    if net["differing"] > len(net["rows"]):
        shown.append(f"net: and {net['differing'] - len(net['rows'])} more rows")
    return shown


def _signals(path: Path, rows: int) -> Iterator[tuple[int, dict[str, Any]]]:
    with opened(path) as stream:
        for number, (line, _) in enumerate(islice(lines(stream), rows)):
            row = json.loads(line)["row"]
            if row["kind"] == "signal":
                yield number, row["content"]


def _differing(row: SignalRow, number: int, content: Mapping[str, Any]) -> DifferingRow | None:
    """Return the row as a differing one; None where its net follows from its terms."""
    written = content["result"]["net_bps"]
    try:
        again = row.net_bps()
    except (LookupError, ZeroDivisionError):
        return DifferingRow(number, content["signal_id"], written, None, UNKNOWN)
    if abs(Fraction(written) - again) <= TOLERANCE_BPS:
        return None
    return DifferingRow(number, content["signal_id"], written, _text(again), None)


def _text(value: Fraction) -> str:
    """Return a fraction as a decimal string, half-even to six places, as rows write theirs."""
    millionths = round(value * 1_000_000)
    text = format(Decimal(millionths).scaleb(-6), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
