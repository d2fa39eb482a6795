"""Where two ledgers that should be one first part.  [audit 12]"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from engine.errors import ReproduceError
from engine.ledger.verification.verify import opened
from engine.ledger.verification.walk import lines

SHOWN = 1_500


def same_ledgers(reported: Path, rebuilt: Path, kind: str) -> None:
    """Raise ``ReproduceError`` (32) naming the first row in which the files differ, with both rows."""
    with opened(reported) as reported_lines, opened(rebuilt) as rebuilt_lines:
        for row, (a, b) in enumerate(zip_longest(lines(reported_lines), lines(rebuilt_lines))):
            if a != b:
                raise ReproduceError(
                    f"{kind} ledger, row {row}: the rebuilt ledger differs\n"
                    f"  reported: {_row(a)}\n  rebuilt:  {_row(b)}",
                    exit_code=32,
                )


def _row(side: tuple[bytes, bool] | None) -> str:
    return "no such row" if side is None else side[0][:SHOWN].decode("utf-8", "replace")
