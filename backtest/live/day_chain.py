"""``days.jsonl``: the hash chain of sealed days; row 1 is the start of the recording.  [live L0.1, L2.1]

    {"schema":"day/1","seq":0,"prev_hash":"<64 zeros>","day":"2026-12-01","digest":"...",...}

Beside it lies a folder a day: a canonical data set of one day, and ``evidence.json`` with its segments, its gaps and
what is missing for ever, whose hash the row holds.  Until the freeze all days may be sealed anew: the chain begins
again, its first row names the head of the one before, which is kept under that head.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtest.data.format.atomic_write import write_whole
from engine.errors import GateError, LedgerError, MissingError
from engine.ledger.format.closed_tables import RecordShape, closed
from engine.ledger.format.fields import COUNT, DEC, HEX, TEXT, Grammar, one_of, or_null
from engine.ledger.hash_chain import EMPTY, ChainFormat, ChainHead, next_line, read_chain, whole_lines

DAYS_FILE: Final = "days.jsonl"
EVIDENCE_FILE: Final = "evidence.json"
DAY_SEALED: Final = 21
"""Exit code of a day that would be sealed with another result, or whose data are not as sealed.  [live L2.1]"""
FORMAT: Final = ChainFormat("day")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
DATE: Final = Grammar("a day YYYY-MM-DD", lambda value: type(value) is str and _DATE.match(value) is not None)
_SHAPE: Final[RecordShape] = {
    "schema": one_of("day/1"), "seq": COUNT, "prev_hash": HEX, "day": DATE, "digest": HEX, "rows": COUNT,
    "instruments": COUNT, "dataset_hash": HEX, "segments": COUNT, "segments_head": or_null(HEX), "gaps": COUNT,
    "gap_ms": COUNT, "up_share": DEC, "clock_bound_us": or_null(COUNT), "missing": COUNT, "evidence_sha256": HEX,
    "source": TEXT, "converter": HEX, "sealed_at_us": COUNT, "restart_of": or_null(HEX),
}  # fmt: skip
OF_ITS_SEALING: Final = ("seq", "prev_hash", "sealed_at_us", "restart_of")
"""Keys of a row that another sealing of the same day may change."""


@dataclass(frozen=True, slots=True)
class DayChain:
    """The sealed days of a folder: their rows in order, and the end of their chain."""

    folder: Path
    rows: tuple[Mapping[str, Any], ...]
    head: ChainHead

    @property
    def days(self) -> tuple[int, ...]:
        """The sealed UTC days since 1970-01-01, consecutive."""
        return tuple(day_number(row["day"]) for row in self.rows)

    def row_of(self, day: int) -> Mapping[str, Any] | None:
        """Return the row of a UTC day (days since 1970-01-01); None where it is not sealed."""
        return next((row for row in self.rows if day_number(row["day"]) == day), None)

    def evidence(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return segments, gaps and missing rows of a sealed day.

        Raises ``MissingError`` (3) if the file is not there and ``GateError`` (21) if it is not as sealed.
        """
        path = self.folder / row["day"] / EVIDENCE_FILE
        try:
            body = path.read_bytes()
        except OSError as problem:
            raise MissingError(f"expected the evidence of a sealed day at {path}, was: {problem.strerror}") from problem
        if sha256(body).hexdigest() != row["evidence_sha256"]:
            raise GateError(
                f"{path}: expected the SHA-256 {row['evidence_sha256']} of {DAYS_FILE}, was "
                f"{sha256(body).hexdigest()}: bring back the file as sealed",
                exit_code=DAY_SEALED,
            )
        parsed: dict[str, Any] = json.loads(body)
        return parsed


def day_number(text: str) -> int:
    """Return the days since 1970-01-01 of a date ``YYYY-MM-DD``."""
    return int(np.datetime64(text, "D").astype(np.int64))


def date_text(day: int) -> str:
    """Return the date ``YYYY-MM-DD`` of days since 1970-01-01; the inverse of `day_number`."""
    return str(np.datetime64(day, "D"))


def read_days(folder: Path) -> DayChain:
    """Return the chain in ``folder``, every line's form and place checked; no rows where there is no file.

    Raises ``LedgerError`` with the line's number: 10 for a line of another form or without its end, 12 for one off the
    chain or a day that does not follow the one before.
    """
    path = folder / DAYS_FILE
    body = path.read_bytes() if path.exists() else b""
    rows: list[Mapping[str, Any]] = []
    head = EMPTY
    # the file is replaced whole, so a torn last line is damage
    if whole_lines(body)[1]:
        raise LedgerError(f"{path}: expected whole lines, was a last one without its end")
    try:
        for head_after, row in read_chain(FORMAT, body, _check_row):
            if rows and day_number(row["day"]) != day_number(rows[-1]["day"]) + 1:
                raise LedgerError(
                    f"line {len(rows)}: expected the day after {rows[-1]['day']}, was {row['day']}", exit_code=12
                )
            rows.append(row)
            head = head_after
    except LedgerError as problem:
        raise LedgerError(f"{path}: {problem}", exit_code=problem.exit_code) from problem
    return DayChain(folder, tuple(rows), head)


def _check_row(row: Any) -> None:
    closed(row, _SHAPE, "day")


def append_day(chain: DayChain, row: Mapping[str, Any]) -> DayChain:
    """Return the chain after ``row``, a day without its place, written durably and whole."""
    place = {"seq": chain.head.size, "prev_hash": chain.head.hash}
    _check_row({**row, **place})
    head, line = next_line(FORMAT, chain.head, row)
    path = chain.folder / DAYS_FILE
    write_whole(path, (path.read_bytes() if path.exists() else b"") + line + b"\n")
    return DayChain(chain.folder, (*chain.rows, {**row, **place}), head)


def restarted(chain: DayChain) -> DayChain:
    """Return an empty chain in the folder of ``chain``, whose file and days are kept under its head.

    Both heads stay: the file is renamed to ``days-<head>.jsonl``, the folders of its days into ``sealed-<head>/``.
    """
    kept = chain.folder / f"sealed-{chain.head.hash[:16]}"
    kept.mkdir(parents=True, exist_ok=True)
    for row in chain.rows:
        place = chain.folder / row["day"]
        if place.exists():
            place.rename(kept / row["day"])
    # last: a kill before it leaves the chain, whose days are then brought back by hand from the folder of its head
    (chain.folder / DAYS_FILE).rename(chain.folder / f"days-{chain.head.hash[:16]}.jsonl")
    return DayChain(chain.folder, (), EMPTY)
