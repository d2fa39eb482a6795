"""Canonical bytes (profile CJ1), decimal strings and tagged hashes: the input of every hash of this project.

CJ1 is RFC 8785 output over a domain in which all JSON libraries agree: no fractions, integers within 2^53 - 1, ASCII
keys, NFC strings without control characters.  [audit 2, 3.1]
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from engine.errors import LedgerError

MAX_INT: Final = 9_007_199_254_740_991
"""2^53 - 1: beyond it JSON libraries that read numbers as doubles disagree.  [audit 2.1]"""
MAX_DEPTH: Final = 16
RECORD_LIMIT: Final = 65_536
"""Most canonical bytes of one ledger record; manifests and configurations have no limit."""

KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}\Z")
DECIMAL: Final = re.compile(r"(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])\Z")
DECIMAL_LENGTH: Final = 40
PRECISION: Final = Context(prec=50, rounding=ROUND_HALF_EVEN)
"""The context of all record arithmetic.  [audit 2.2]"""

_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def canonical(value: object, limit: int | None = None) -> bytes:
    """Return the canonical bytes CJ(value).

    ``value`` is made of dict, list or tuple, str, int, bool and None.  ``limit`` is the most bytes allowed
    (``RECORD_LIMIT`` for ledger rows), None for no limit.  Raises ``LedgerError`` (10) with the path to the first value
    outside the domain, or if the result is longer than ``limit``.

    >>> canonical({"b": [1, None], "a": "x"})
    b'{"a":"x","b":[1,null]}'
    """
    _check(value, "$", 0)
    data = serialised(value)
    if limit is not None and len(data) > limit:
        raise LedgerError(f"canonical JSON: expected at most {limit} bytes, was {len(data)}")
    return data


def serialised(value: object) -> bytes:
    """Return CJ(value) of a value in the domain, such as a checked record, without checking it as `canonical` does.

    Raises ``ValueError`` for NaN, infinities and lone surrogates, ``TypeError`` for other types.
    """
    return _ENCODE(value).encode("utf-8")


def parse(data: bytes, limit: int | None = None) -> object:
    """Return the value whose canonical bytes are exactly ``data``.

    Raises ``LedgerError`` (10) for whitespace, unsorted or repeated keys, other escapes or spellings of numbers, values
    outside CJ1, and more bytes than ``limit``.
    """
    value = parse_any_spelling(data)
    if canonical(value, limit) != data:
        raise LedgerError("canonical JSON: expected canonical bytes, was another spelling of the same value")
    return value


def parse_any_spelling(data: bytes) -> object:
    """Return the value of a strict JSON text in any layout, inside the domain of CJ1.

    For files that may be pretty-printed; their hash is of ``canonical(value)``.  Raises ``LedgerError`` (10) unless the
    text is strict UTF-8 JSON with a value inside the domain.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
            parse_int=_integer,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise LedgerError(f"canonical JSON: expected strict UTF-8 JSON, was: {error}") from error
    _check(value, "$", 0)
    return value


def tagged_hash(tag: str, message: bytes) -> str:
    """Return H(tag, message) = hex(SHA-256("cme-audit/1/" || tag || 0x00 || message)), 64 characters.  [audit 3.1]"""
    state = _tagged(tag)()
    state.update(message)
    digest: str = state.hexdigest()
    return digest


def decimal_text(value: float | int | str | Decimal, places: int | None = None) -> str:
    """Return the one text of a quantity: rounded half-even to ``places``, or exact where ``places`` is None.

    A double is taken through its shortest round-trip text, never through its binary expansion.  Raises
    ``LedgerError`` (10) for NaN, infinities, text that is no number, and results over 40 characters.  [audit 2.2]

    >>> decimal_text(0.1 + 0.2, 6), decimal_text("1.0000025", 6), decimal_text(-1e-9, 6)
    ('0.3', '1.000002', '0')
    """
    try:
        number = Decimal(repr(float(value))) if isinstance(value, float) else Decimal(value)
        if not number.is_finite():
            raise LedgerError(f"decimal string: expected a finite number, was {value!r}")
        if places is not None:
            number = number.quantize(Decimal(1).scaleb(-places), context=PRECISION)
    except InvalidOperation as error:
        raise LedgerError(f"decimal string: expected a number of at most 50 digits, was {value!r}") from error
    # Before it is formatted: the text of 1E+1000000 would take a megabyte to be refused.
    if abs(number.adjusted()) > DECIMAL_LENGTH and number:
        raise LedgerError(f"decimal string: expected at most {DECIMAL_LENGTH} characters, was {value!r}")
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if not number:
        text = "0"
    if len(text) > DECIMAL_LENGTH:
        raise LedgerError(f"decimal string: expected at most {DECIMAL_LENGTH} characters, was {text!r}")
    return text


def decimal_value(text: object) -> Decimal:
    """Return the Decimal of a canonical decimal string.  Raises ``LedgerError`` (10) for any other text or type."""
    if not isinstance(text, str) or len(text) > DECIMAL_LENGTH or not DECIMAL.match(text):
        raise LedgerError(f"decimal string: expected canonical decimal text, was {text!r}")
    return Decimal(text)


@lru_cache(64)
def _tagged(tag: str) -> Callable[[], Any]:
    """Return a function that gives a new SHA-256 state which has hashed the prefix of ``tag`` already."""
    return sha256(b"cme-audit/1/" + tag.encode("ascii") + b"\x00").copy


def _check(value: object, where: str, depth: int) -> None:
    """Refuse whatever is outside the domain of audit 2.1; ``where`` is the path to ``value``."""
    # By exact type: True is an int, and a subclass may serialise as something else.
    kind = type(value)
    if kind is str:
        _check_text(str(value), where)
    elif kind is int:
        if not -MAX_INT <= value <= MAX_INT:  # type: ignore[operator]  # kind is int
            raise LedgerError(f"canonical JSON: expected an integer within 2^53 - 1 at {where}, was {value}")
    elif isinstance(value, dict):
        _check_depth(where, depth + 1)
        for key, item in value.items():
            if type(key) is not str or not KEY.match(key):
                raise LedgerError(f"canonical JSON: expected a key [a-z][a-z0-9_]{{0,63}} at {where}, was {key!r}")
            _check(item, f"{where}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        _check_depth(where, depth + 1)
        for at, item in enumerate(value):
            _check(item, f"{where}[{at}]", depth + 1)
    elif value is not None and kind is not bool:
        raise LedgerError(
            f"canonical JSON: expected object, array, text, integer, true, false or null at {where}, "
            f"was {kind.__name__} {value!r}"
        )


def _check_depth(where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LedgerError(f"canonical JSON: expected a depth of at most {MAX_DEPTH} at {where[:80]}")


def _check_text(text: str, where: str) -> None:
    # Nearly all texts are printable ASCII, in which neither a forbidden character nor another normal form can occur.
    if text.isascii() and text.isprintable():
        return
    bad = _FORBIDDEN.search(text)
    if bad:
        raise LedgerError(f"canonical JSON: expected no control character or surrogate at {where}, was {bad[0]!r}")
    if not unicodedata.is_normalized("NFC", text):
        raise LedgerError(f"canonical JSON: expected NFC text at {where}, was {text[:80]!r}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise LedgerError(f"canonical JSON: expected unique keys, was {[key for key, _ in pairs][:20]}")
    return result


def _no_fraction(text: str) -> object:
    raise LedgerError(f"canonical JSON: expected no number with a fraction or exponent, was {text[:40]}")


def _integer(text: str) -> int:
    # By length first: int() of a text of thousands of digits is slow, and Python refuses it by another error.
    if text == "-0" or len(text) > 17:
        raise LedgerError(f"canonical JSON: expected an integer within 2^53 - 1, was {text[:40]}")
    return int(text)
