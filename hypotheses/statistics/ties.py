"""Comparisons with a registered threshold, where a tie is decided against the claim.  [statistics R11.6, audit 10.2]"""

from __future__ import annotations

from decimal import Decimal

from engine.exact.decimals import exact


def tied(value: Decimal, threshold: Decimal, relative: Decimal) -> bool:
    """Whether ``value`` lies within ``relative`` of ``threshold`` (of 1 where the threshold is 0)."""
    with exact():
        return abs(value - threshold) <= relative * (abs(threshold) or Decimal(1))


def exceeds(value: Decimal, threshold: Decimal, relative: Decimal) -> bool:
    """Whether ``value`` is above ``threshold`` by more than a tie."""
    return value > threshold and not tied(value, threshold, relative)


def falls_below(value: Decimal, threshold: Decimal, relative: Decimal) -> bool:
    """Whether ``value`` is below ``threshold`` by more than a tie."""
    return value < threshold and not tied(value, threshold, relative)
