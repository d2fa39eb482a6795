"""Oracle: from several sources to one price.  [risk.md 1]

All prices are integers in the caller's unit.  A weighted median of either kind cannot leave the range of the honest
sources while less than half of the weight is dishonest (I8).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.errors import DataError
from engine.venue.integers import Ints, div_half_away


def median_half_away(values: Sequence[int]) -> int:
    """Return the median; of an even count the mean of the two middles, halves away from zero.  [risk.md 1.1, dYdX]

    Raises `DataError` for no values.

    >>> median_half_away([5, 12, 1, 3, 12, 50])
    9
    """
    ordered = _sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return div_half_away(ordered[middle - 1] + ordered[middle], 2)


def median_floor(values: Sequence[int]) -> int:
    """Return the median; of an even count the mean of the two middles, floored.  Raises `DataError` for no values."""
    ordered = _sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def lower_weighted_median(prices: Sequence[int], weights: Sequence[int]) -> int:
    """Return the first price whose cumulative weight reaches ``floor(total / 2)``.  [risk.md 1.2, Connect]

    A 50/50 split gives the lower price.  Weights are positive.  Raises `DataError` for none or unequal lengths.
    """
    total = _checked_weights(prices, weights)
    # Doubled, so that both medians compare whole numbers.
    return _first_reaching(prices, weights, 2 * (total // 2))


def weighted_median(prices: Sequence[int], weights: Sequence[int]) -> int:
    """Return the first price whose cumulative weight ``C`` has ``2 C >= total``.  [risk.md 1.2, generic]

    Weights are positive.  Raises `DataError` for none or unequal lengths.
    """
    return _first_reaching(prices, weights, _checked_weights(prices, weights))


def has_quorum(reporting: int, total: int, threshold_ppm: int = 667_000) -> bool:
    """Return whether reporters hold at least ``threshold_ppm`` of the total weight: 66/99 does not.  [risk.md 1.2]"""
    return reporting * 1_000_000 >= total * threshold_ppm


def confidence_aggregate(prices: Sequence[int], confidences: Sequence[int]) -> tuple[int, int]:
    """Return (price, confidence) of publishers who each cast the votes p-c, p, p+c.  [risk.md 1.3, Pyth]

    The price is the median of the votes (floored mean of the two middles); the confidence the wider distance to the
    quartiles.  Raises `DataError` for no publishers or a negative confidence.
    """
    if len(prices) != len(confidences) or any(c < 0 for c in confidences):
        raise DataError("expected one confidence >= 0 for each price: leave the publisher out")
    votes = sorted(p + k * c for p, c in zip(prices, confidences, strict=True) for k in (-1, 0, 1))
    price = median_floor(votes)
    quarter = len(votes) // 4
    return price, max(price - votes[quarter], votes[len(votes) - 1 - quarter] - price)


def capped_mean(prices: Sequence[int], weights: Sequence[int], cap_ppm: int = 5_000) -> tuple[list[int], int]:
    """Return constituents clipped to their median x (1 +- cap), and their weighted mean, floored.  [risk.md 1.4]

    An outlier of weight share w moves the index by at most w x cap.  The bounds are rounded inward, so that the clip
    never exceeds the cap.  Raises `DataError` for none, unequal lengths or weights that are not positive.
    """
    total = _checked_weights(prices, weights)
    middle = median_floor(prices)
    low, high = -(-middle * (1_000_000 - cap_ppm) // 1_000_000), middle * (1_000_000 + cap_ppm) // 1_000_000
    clipped = [min(max(p, low), high) for p in prices]
    return clipped, sum(p * w for p, w in zip(clipped, weights, strict=True)) // total


def included(
    bid: Ints, ask: Ints, age_ns: Ints, max_age_ns: int, max_spread_ppm: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which constituents may be used: fresh, quoted on both sides, bid < ask, spread within the limit.  [1.5]

    Arrays are [sources], prices in ticks, 0 for a side without quote.  The spread is measured against the mid:
    ``(ask - bid) / mid <= max_spread``.
    """
    spread = (ask - bid) * 2_000_000 <= (ask + bid) * max_spread_ppm
    return (bid > 0) & (bid < ask) & spread & (age_ns >= 0) & (age_ns <= max_age_ns)


def is_accurate_update(stored: int, proposed: int, index: int, min_change_ppm: int) -> bool:
    """Return whether a proposed price may replace the stored one, given one's own index.  [risk.md 1.5, dYdX]

    It may lie between the stored price and the index, inclusive; or cross the index by a bounded overshoot
    (`overshoot_is_bounded`).
    """
    if min(stored, index) <= proposed <= max(stored, index):
        return True
    crosses = (proposed - index) * (stored - index) < 0
    return crosses and overshoot_is_bounded(abs(stored - index), abs(proposed - index), stored * min_change_ppm)


def overshoot_is_bounded(old_delta: int, new_delta: int, tick_ppm: int) -> bool:
    """Return whether an overshoot stays within the square root of the old distance, both counted in ticks.

    ``tick_ppm`` is the tick in millionths of a price quantum.  Up to one tick of old distance the new one may be as
    large; beyond, ``new^2 <= old * tick``.  [risk.md 1.5]
    """
    if old_delta * 1_000_000 <= tick_ppm:
        return new_delta <= old_delta
    return new_delta * new_delta * 1_000_000 <= old_delta * tick_ppm


def _sorted(values: Sequence[int]) -> list[int]:
    if not values:
        raise DataError("expected at least one value for a median, was none: check the number of sources first")
    return sorted(values)


def _checked_weights(prices: Sequence[int], weights: Sequence[int]) -> int:
    if not prices or len(prices) != len(weights) or any(w <= 0 for w in weights):
        raise DataError(f"expected one positive weight for each of at least one price, was {list(weights)}")
    return sum(weights)


def _first_reaching(prices: Sequence[int], weights: Sequence[int], doubled: int) -> int:
    cumulated = 0
    for price, weight in sorted(zip(prices, weights, strict=True)):
        cumulated += weight
        if 2 * cumulated >= doubled:
            return price
    raise AssertionError("unreachable: the last price carries the total weight")
