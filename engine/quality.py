"""Which quotes may be used at a grid time, and why the others may not.  [S1.4, S1.5]

Each quote has one reason, the first that holds in this order: expired, never quoted, stale, one-sided, non-positive,
crossed, no size, no conversion, far from the median, skewed.
"""

from __future__ import annotations

import numpy as np

from engine.records import BoolArray, ByteArray, FloatArray, IntArray, Panel, Quality
from engine.units import NEVER_NS


def quote_quality(panel: Panel, expiry_ns: IntArray, max_age_ns: IntArray) -> ByteArray:
    """Return the `Quality` that a quote has by itself, ``[T, N]``; conversion, median and skew are judged later.

    Expired: grid time >= expiry.  Sizes must be positive where the feed gives them; NaN means that it gives none.
    """
    bid, ask = panel.bid, panel.ask
    quality = np.zeros(panel.shape, dtype=np.uint8)
    # From the weakest reason to the strongest: what is written later wins.
    quality[(panel.bid_size <= 0.0) | (panel.ask_size <= 0.0)] = Quality.NO_SIZE
    quality[ask < bid] = Quality.CROSSED
    quality[(bid <= 0.0) | (ask <= 0.0)] = Quality.NON_POSITIVE
    quality[np.isnan(bid) | np.isnan(ask)] = Quality.ONE_SIDED
    quality[panel.age_ns > max_age_ns[None, :]] = Quality.STALE
    quality[panel.age_ns == NEVER_NS] = Quality.NEVER_QUOTED
    dated = np.flatnonzero(expiry_ns != NEVER_NS)
    if len(dated):
        gone = panel.times_ns[:, None] >= expiry_ns[dated][None, :]
        if gone.any():
            row, at = np.nonzero(gone)
            quality[row, dated[at]] = Quality.EXPIRED
    return quality


def row_median(values: FloatArray) -> FloatArray:
    """Return the median of each row over its numbers, ``[T]``; NaN where a row has none.  [audit 10.3]

    The mean of the two middles where the count is even.  Written out because only ordering and one addition may
    decide here.
    """
    count = np.count_nonzero(~np.isnan(values), axis=1)
    if values.shape[1] == 0:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1, kind="stable")  # NaN goes last
    rows = np.arange(len(values))
    low = ordered[rows, np.maximum(count - 1, 0) // 2]
    high = ordered[rows, np.minimum(count // 2, values.shape[1] - 1)]
    middle: FloatArray = 0.5 * (low + high)
    middle[count == 0] = np.nan
    return middle


def close_to_median(price_usd: FloatArray, share: float) -> BoolArray:
    """Return where a corner's price lies within ``share`` of the median of its row's corners; NaN prices are False."""
    middle = row_median(price_usd)[:, None]
    return np.abs(price_usd - middle) <= share * middle


def not_skewed(age_ns: IntArray, usable: BoolArray, max_skew_ns: int) -> BoolArray:
    """Return where a quote is at most ``max_skew_ns`` older than the newest usable quote of its group, ``[T, n]``.

    Columns are one venue and expiry.  [spec README, data and grid]
    """
    newest = np.where(usable, age_ns, NEVER_NS).min(axis=1, keepdims=True)
    # An unusable age may be NEVER_NS; it is masked before it is compared, and the difference cannot overflow.
    fresh: BoolArray = np.where(usable, age_ns, newest) - newest <= max_skew_ns
    return fresh


def quality_counts(quality: ByteArray) -> IntArray:
    """Return how many grid times each column spent in each `Quality`, ``[N, len(Quality)]``; rows sum to T."""
    kinds = len(Quality)
    columns = quality.shape[1]
    flat = quality.astype(np.int64) + kinds * np.arange(columns, dtype=np.int64)[None, :]
    return np.bincount(flat.ravel(), minlength=kinds * columns).reshape(columns, kinds)
