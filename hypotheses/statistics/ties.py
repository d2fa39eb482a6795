"""Comparisons with a registered threshold, where a tie is decided against the claim.  [statistics R11.6, audit 10.2]"""

from __future__ import annotations

from decimal import Decimal

from engine.arguments import require_number
from engine.exact.decimals import exact


def tied(value: Decimal, threshold: Decimal, relative: Decimal) -> bool:
    """Return whether a statistic is numerically equal to a threshold.

    Parameters
    ----------
    value : Decimal
        The statistic.
    threshold : Decimal
        The registered number, in the unit of ``value``.
    relative : Decimal, at least 0
        The half-width of a tie as a share of ``threshold``; of 1 where the threshold is 0.

    Returns
    -------
    bool
        True if ``value`` lies within the half-width of ``threshold``, its ends included.

    Raises
    ------
    UsageError
        If ``value``, ``threshold`` or ``relative`` is no Decimal, or ``relative`` is negative.

    Examples
    --------
    >>> tied(Decimal("1.0000000005"), Decimal(1), Decimal("1e-9"))
    True
    >>> tied(Decimal("1.000000002"), Decimal(1), Decimal("1e-9"))
    False
    """
    # decimals only: a float would bring the rounding of another machine into a decision
    require_number("value", value, Decimal)
    require_number("threshold", threshold, Decimal)
    require_number("relative", relative, Decimal, at_least=0)
    with exact():
        return abs(value - threshold) <= relative * (abs(threshold) or Decimal(1))


def exceeds(value: Decimal, threshold: Decimal, relative: Decimal) -> bool:
    """Return whether a statistic is above a threshold by more than a tie.

    Parameters
    ----------
    value : Decimal
        The statistic.
    threshold : Decimal
        The registered number, in the unit of ``value``.
    relative : Decimal, at least 0
        The half-width of a tie, see `tied`.

    Returns
    -------
    bool
        True if ``value`` is above ``threshold`` and not tied with it.

    Raises
    ------
    UsageError
        If ``value``, ``threshold`` or ``relative`` is no Decimal, or ``relative`` is negative.

    Examples
    --------
    >>> exceeds(Decimal("1.2"), Decimal(1), Decimal("1e-9"))
    True
    >>> exceeds(Decimal("1.0000000005"), Decimal(1), Decimal("1e-9"))
    False
    """
    return not tied(value, threshold, relative) and value > threshold


def falls_below(value: Decimal, threshold: Decimal, relative: Decimal) -> bool:
    """Return whether a statistic is below a threshold by more than a tie.

    Parameters
    ----------
    value : Decimal
        The statistic.
    threshold : Decimal
        The registered number, in the unit of ``value``.
    relative : Decimal, at least 0
        The half-width of a tie, see `tied`.

    Returns
    -------
    bool
        True if ``value`` is below ``threshold`` and not tied with it.

    Raises
    ------
    UsageError
        If ``value``, ``threshold`` or ``relative`` is no Decimal, or ``relative`` is negative.

    Examples
    --------
    >>> falls_below(Decimal("0.8"), Decimal(1), Decimal("1e-9"))
    True
    """
    return not tied(value, threshold, relative) and value < threshold
