"""A column of values asked of its grammar at once, and written as canonical texts.  [audit 2.1-2.3]

Hashes and ids are joined, and what may stand in them is taken away; counts are held to their bounds; any other column
is one text, a value a line, that the pattern of the grammar matches as a whole.  A column that holds is given back as
its texts and the quote around each.  None says nothing, as in `engine.ledger.format.match_batch`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from engine.ledger.format.canonical_json import MAX_INT
from engine.ledger.format.fields import COUNT, HEX, UUID, Grammar

Texts = tuple[str, Sequence[str]]
Judge = Callable[[Sequence[Any]], Texts | None]

_DIGITS: Final = b"0123456789abcdef"
_DASHES: Final = (8, 13, 18, 23)
_FIRST: Final = 16
"""Where so many values are all different, each value is asked; else each different one."""


def judge_of(grammar: Grammar) -> Judge:
    """Return what judges the columns, of at least one value, of a field of ``grammar``, which has a form."""
    if grammar is COUNT:
        return _counts
    if grammar is HEX:
        return _hashes
    if grammar is UUID:
        return _uuids
    match = re.compile(f"(?:{grammar.form}\n)*").fullmatch

    def judged(column: Sequence[Any]) -> Texts | None:
        kinds = set(map(type, column))
        if not kinds <= {str, type(None)}:
            return None
        quote, texts = '"', column
        if kinds != {str}:
            quote, texts = "", ["null" if value is None else f'"{value}"' for value in column]
        first = texts[:_FIRST]
        asked = texts if len(set(first)) == len(first) else set(texts)
        lines = f"{quote}\n{quote}".join(asked)
        if lines.count("\n") != len(asked) - 1:  # a value with a line feed in it would pass for two
            return None
        return (quote, texts) if match(f"{quote}{lines}{quote}\n") else None

    return judged


def _counts(column: Sequence[Any]) -> Texts | None:
    holds = set(map(type, column)) == {int} and min(column) >= 0 and max(column) <= MAX_INT
    return ("", list(map(str, column))) if holds else None


def _hashes(column: Sequence[Any]) -> Texts | None:
    holds = _of_length(column, 64) and not _joined(column).translate(None, _DIGITS)
    return ('"', column) if holds else None


def _uuids(column: Sequence[Any]) -> Texts | None:
    if not _of_length(column, 36):
        return None
    joined, dashes = _joined(column), b"-" * len(column)
    holds = joined.translate(None, _DIGITS) == dashes * 4 and all(joined[at::36] == dashes for at in _DASHES)
    return ('"', column) if holds else None


def _of_length(column: Sequence[Any], length: int) -> bool:
    return set(map(type, column)) == {str} and set(map(len, column)) == {length}


def _joined(column: Sequence[str]) -> bytes:
    """Return the values one after the other; whatever is no digit or dash of ASCII is none in the bytes."""
    return "".join(column).encode("utf-8", "replace")
