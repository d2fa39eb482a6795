"""The grammars of single values in records: decimal strings, times, hashes, ids, names, free text.  [audit 2.1-2.3]

Each has a test of the value, and a pattern of its canonical JSON text that matches nothing the test refuses.  The
pattern may miss values that pass (text beyond ASCII, the largest integers); its user then runs the test.  What follows
a repetition never begins with a character of it, so repetitions are possessive (``*+``) and never backtrack.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from engine.ledger.format.canonical_json import DECIMAL_LENGTH, KEY, MAX_INT, NAME

TEXT_LENGTH: Final = 1024

_HEX = re.compile(r"[0-9a-f]{64}\Z")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SIX = re.compile(r"(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]{0,5}[1-9])\Z")
_EIGHTEEN = re.compile(r"(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]{0,17}[1-9])\Z")
_OF_SIX = ("_bps", "_usd")


class Grammar(NamedTuple):
    """The rule of a value: ``words`` for the message, the test ``holds``, and ``form``, a pattern of texts that pass.

    ``form`` is "" for objects and arrays.
    """

    words: str
    holds: Callable[[Any], object]
    form: str = ""


def is_count(value: object) -> bool:
    """Return whether ``value`` is an integer from 0 to 2^53 - 1."""
    # By exact type: True is an int.
    return type(value) is int and 0 <= value <= MAX_INT


def is_text(value: object) -> bool:
    """Return whether ``value`` is free text: at most 1024 code points, NFC, no control characters."""
    if type(value) is not str or len(value) > TEXT_LENGTH:
        return False
    plain = value.isascii() and value.isprintable()
    return plain or (not _CONTROL.search(value) and unicodedata.is_normalized("NFC", value))


def is_decimal(value: object) -> bool:
    """Return whether ``value`` is the one text of a quantity of at most 18 places.  [audit 2.2]"""
    return type(value) is str and len(value) <= DECIMAL_LENGTH and _EIGHTEEN.match(value) is not None


def is_money(value: object) -> bool:
    """Return whether ``value`` is a quantity of at most 6 places: bps, USD, a return."""
    return type(value) is str and len(value) <= DECIMAL_LENGTH and _SIX.match(value) is not None


def is_hex(value: object) -> bool:
    """Return whether ``value`` is a hash: 64 lower-case hex characters."""
    return type(value) is str and _HEX.match(value) is not None


def is_uuid(value: object) -> bool:
    """Return whether ``value`` is a UUID, lower-case and hyphenated."""
    return type(value) is str and _UUID.match(value) is not None


def is_name(value: object) -> bool:
    """Return whether ``value`` is a name, as venues and instruments have."""
    return type(value) is str and NAME.match(value) is not None


def is_params(value: object) -> bool:
    """Return whether ``value`` maps keys to quantities only; ``*_bps`` and ``*_usd`` of at most 6 places."""
    return isinstance(value, dict) and all(
        KEY.match(key) and (is_money(item) if key.endswith(_OF_SIX) else is_decimal(item))
        for key, item in value.items()
    )


def or_null(grammar: Grammar) -> Grammar:
    """Return a grammar that accepts null and whatever ``grammar`` accepts."""
    holds = grammar.holds
    return Grammar(f"{grammar.words} or null", lambda value: value is None or holds(value), f"(?:null|{grammar.form})")


def one_of(*words: str) -> Grammar:
    """Return the grammar of a text that is one of ``words``."""
    allowed = frozenset(words)
    return Grammar(
        " | ".join(sorted(words)),
        lambda value: type(value) is str and value in allowed,
        f'"(?:{"|".join(map(re.escape, sorted(words)))})"',
    )


def _quantity(places: int) -> str:
    """Return the pattern of decimal texts of at most 20 digits before the point and ``places`` after it."""
    whole = "[1-9][0-9]{0,19}+"
    return rf'"(?:{whole}|0|-{whole}|-0(?=\.))(?:\.[0-9]{{1,{places}}}+(?<!0)|)"'


COUNT = Grammar("an integer from 0 to 2^53 - 1", is_count, "(?:[1-8][0-9]{0,15}|9[0-9]{0,14}|0)")
TEXT = Grammar(
    f"NFC text without control characters, at most {TEXT_LENGTH} code points",
    is_text,
    # Printable ASCII without quote and backslash, which would be escaped.
    rf'"[ !#-\[\]-~]{{0,{TEXT_LENGTH}}}+"',
)
DEC = Grammar("a decimal string of at most 18 places", is_decimal, _quantity(18))
MONEY = Grammar("a decimal string of at most 6 places", is_money, _quantity(6))
HEX = Grammar("64 lower-case hex characters", is_hex, '"[0-9a-f]{64}"')
UUID = Grammar(
    "a lower-case hyphenated UUID", is_uuid, '"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"'
)
NAMED = Grammar("a name [A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}", is_name, '"[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}+"')
OBJECT = Grammar("an object", lambda value: type(value) is dict)
PARAMS = Grammar("an object of decimal strings, *_bps and *_usd of at most 6 places", is_params)
