"""The declared gaps of a data set made from a recording: beside it, as `cme emit` and `cme data join` leave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from backtest.data.raw.gap_ledger import GAPS_FILE, GapRow, gap_sentences, read_gaps
from engine.errors import DataError

EVIDENCE: Final = "evidence.json"
"""Of a sealed day: its key ``gaps`` has the rows without venue and stream."""


def declared_gaps(folder: Path) -> tuple[str, ...]:
    """Return a line an instrument on the gaps of the data set in ``folder``; empty where none are declared.

    Raises ``DataError`` (4) for a file of another form.

    Examples
    --------
    >>> declared_gaps(Path("configs"))
    ()
    """
    rows = read_gaps(folder / GAPS_FILE) if (folder / GAPS_FILE).is_file() else []
    if (folder / EVIDENCE).is_file():
        rows += _of_evidence(folder / EVIDENCE)
    end_ns = max((row.to_ns or row.from_ns for row in rows), default=0)
    return tuple(gap_sentences(rows, end_ns))


def _of_evidence(path: Path) -> list[GapRow]:
    try:
        gaps = json.loads(path.read_bytes())["gaps"]
        return [
            GapRow(str(gap["instrument"]), "", "", int(gap["from_ns"]), int(gap["to_ns"]), str(gap["why"]), "")
            for gap in gaps
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: expected the evidence of a sealed day with its gaps, was: {error!r}") from error
