"""Compares the float tier within its own tolerances; it is reported after the exact verdict.  [audit 10.1, 12]"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import MissingError

TRIALS = ("h1/dsr",)
"""Values that depend on how many configurations were evaluated, hence on journals; a bundle may have fewer."""


@dataclass(frozen=True, slots=True)
class Floats:
    """How many values were compared, which lie outside their tolerance, and which could not be compared."""

    compared: int
    outside: tuple[str, ...]
    unchecked: tuple[str, ...]


def compare(
    reported: Sequence[Mapping[str, str]], recomputed: Sequence[Mapping[str, str]], same_trials: bool
) -> Floats:
    """Return which entries of two results.float.json agree: |a - b| <= atol + rtol |a|.

    The smaller of the reported tolerance and this code's own counts, so that no bundle can loosen it.  An entry that
    one of them lacks is outside.  With ``same_trials`` False the values that depend on trials are unchecked.
    Raises ``MissingError`` (3) for entries of another form.
    """
    first, other = _by_name(reported), _by_name(recomputed)
    outside, unchecked, compared = [], [], 0
    for name in sorted({*first, *other}):
        if name in TRIALS and not same_trials:
            unchecked.append(f"{name}: the journals at hand do not tell as many trials as were counted")
            continue
        compared += 1
        a, b = first.get(name), other.get(name)
        if a is None or b is None:
            outside.append(f"{name}: {'not reported' if a is None else 'not recomputed'}")
        # written as a negation, so that NaN counts as outside
        elif not abs(a[0] - b[0]) <= min(a[2], b[2]) + min(a[1], b[1]) * abs(a[0]):
            outside.append(f"{name}: reported {a[0]!r}, recomputed {b[0]!r}")
    return Floats(compared, tuple(outside), tuple(unchecked))


def _by_name(entries: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float, float]]:
    try:
        values = {str(e["name"]): (float(e["value"]), float(e["rtol"]), float(e["atol"])) for e in entries}
    except (TypeError, KeyError, ValueError) as error:
        raise MissingError(f"results.float.json: expected entries of name, value, rtol, atol, was {error!r}") from error
    # An infinite tolerance would accept any value.
    if not all(math.isfinite(number) for row in values.values() for number in row):
        raise MissingError("results.float.json: expected finite numbers, was another")
    return values
