"""Shared vectors of the venue's mechanics: exact reading, and the comparison of every expected key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "risk"


def read(text: str) -> Any:
    """Return a JSON document whose decimals are exact rationals: 0.1 is a tenth."""
    return json.loads(text, parse_float=Fraction)


def check(case: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Compare a result with every expected key of a case, within its tolerance; exact means equal and an integer."""
    assert set(result) == set(case["expected"]), case["id"]
    for key, expected in case["expected"].items():
        _compare(f"{case['id']}/{key}", result[key], expected, case["tolerance"])


def _compare(where: str, got: Any, expected: Any, tolerance: Any) -> None:
    if isinstance(expected, list):
        assert len(got) == len(expected), where
        for i, (one, other) in enumerate(zip(got, expected, strict=True)):
            _compare(f"{where}[{i}]", one, other, tolerance)
    elif isinstance(expected, dict):
        assert set(got) == set(expected), where
        for key in expected:
            _compare(f"{where}.{key}", got[key], expected[key], tolerance)
    elif isinstance(expected, (bool, str)) or tolerance == "exact":
        assert got == expected, f"{where}: {got} against {expected}"
    else:
        gap = abs(Fraction(got) - Fraction(expected))
        assert gap <= max(Fraction(tolerance["abs"]), Fraction(tolerance["rel"]) * abs(Fraction(expected))), where
