"""Compares two files of one ledger: the same, a prefix, or a fork, which proves two histories.  [audit 8.4]"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import BinaryIO, Literal

from engine.errors import LedgerError
from engine.ledger.verification.walk import framed, lines, parsed


@dataclass(frozen=True, slots=True)
class Comparison:
    """The relation of two ledger files; ``exit`` is 16 for a fork, which proves two histories, else 0."""

    ledger_id: str
    common_rows: int
    relation: Literal["same", "prefix", "fork"]
    exit: int


def compare(a: BinaryIO, b: BinaryIO) -> Comparison:
    """Return the number of rows that ``a`` and ``b`` share from the start, and their relation.

    Only each line's frame and row hash are checked; verify each file for the rest.  Raises ``LedgerError`` (10, 11) for
    a malformed line, and (12) for two different ledgers or two empty files.
    """
    name, common = "", 0
    for left, right in zip_longest(lines(a), lines(b)):
        for side in (left, right):
            if side is not None:
                _check_line(side, common)
        # Row 0 names the ledger: two ledgers have no common history that could fork.
        if common == 0:
            name = _same_ledger(left, right)
        if left is None or right is None:
            return Comparison(name, common, "prefix", 0)
        if left != right:
            return Comparison(name, common, "fork", 16)
        common += 1
    if not common:
        raise LedgerError("compare: expected two ledgers, was two empty files", exit_code=12)
    return Comparison(name, common, "same", 0)


def _check_line(side: tuple[bytes, bool], at: int) -> None:
    line, complete = side
    if not complete:
        raise LedgerError(f"row {at}: expected a whole line that ends with LF, was {len(line)} bytes without one")
    try:
        framed(line)
    except LedgerError as error:
        raise LedgerError(f"row {at}: {error}", exit_code=error.exit_code) from error


def _same_ledger(left: tuple[bytes, bool] | None, right: tuple[bytes, bool] | None) -> str:
    names = [_name(side[0]) if side is not None else None for side in (left, right)]
    if names[0] is None or names[0] != names[1]:
        raise LedgerError(f"compare: expected two files of one ledger, was {names[0]} and {names[1]}", exit_code=12)
    return names[0]


def _name(line: bytes) -> str | None:
    row = parsed(framed(line)[0])
    name = row.get("ledger_id") if isinstance(row, dict) else None
    return name if isinstance(name, str) else None
