"""Codes and names of the constraints, read off the registry: whoever needs the list of them takes it from here.

>>> CODES[0], NAMES["C1"], TITLES["C1"]
('C1', 'cash_carry', 'cash-and-carry')
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.constraints.registry import CONSTRAINTS

CODES: Final[tuple[str, ...]] = tuple(constraint.code for constraint in CONSTRAINTS)
"""Codes in the order of the method; plans, columns and reports use them."""

NAMES: Final[Mapping[str, str]] = MappingProxyType({constraint.code: constraint.name for constraint in CONSTRAINTS})
"""Code -> name in the records of a ledger.  [audit 4.1]"""

TITLES: Final[Mapping[str, str]] = MappingProxyType({constraint.code: constraint.title for constraint in CONSTRAINTS})
"""Code -> name in reports."""

COUNT_IN_WORDS: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)[len(CODES)]  # fmt: skip
"""How many constraints there are, for sentences: "all seven"."""
