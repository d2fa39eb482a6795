"""Which quotes may be used at a grid time, and why the others may not.  [S1.4, S1.5]

Each quote has one reason, the first that holds in this order: expired, never quoted, stale, one-sided, non-positive,
crossed, no size, no conversion, far from the median, skewed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.market.chunks import flat, piece
from engine.records import BoolArray, ByteArray, FloatArray, IntArray, Panel, Quality
from engine.units import NEVER_NS


def quote_quality(
    bid: FloatArray,
    ask: FloatArray,
    bid_size: FloatArray,
    ask_size: FloatArray,
    age_ns: IntArray,
    max_age_ns: IntArray,
) -> ByteArray:
    """Return the `Quality` that quotes have by themselves, uint8, of their shape; other quotes are not looked at.

    Sizes must be positive where the feed gives them; NaN means that it gives none.
    """
    quality = np.zeros(bid.shape, dtype=np.uint8)
    # From the weakest reason to the strongest: what is written later wins.
    quality[(bid_size <= 0.0) | (ask_size <= 0.0)] = Quality.NO_SIZE
    quality[ask < bid] = Quality.CROSSED
    quality[(bid <= 0.0) | (ask <= 0.0)] = Quality.NON_POSITIVE
    quality[np.isnan(bid) | np.isnan(ask)] = Quality.ONE_SIDED
    quality[age_ns > max_age_ns] = Quality.STALE
    quality[age_ns == NEVER_NS] = Quality.NEVER_QUOTED
    return quality


@dataclass(frozen=True, slots=True)
class JudgedColumns:
    """What `judge` met in a piece: whether all usable quotes show sizes, and the cells that are older than a limit."""

    sized: bool
    old: IntArray  # flat numbers in [n, T]; quotes usable by themselves


def judge(
    panel: Panel,
    columns: slice,
    max_age_ns: IntArray,
    max_skew_ns: int,
    gone_from: IntArray,
    quality: ByteArray,
    mid: FloatArray,
) -> JudgedColumns:
    """Write quality and mid, NaN where not usable, of some columns, each ``[n, T]``.

    ``max_age_ns`` is ``[n]``, and ``gone_from`` the row from which each is expired.  A quote that is fresh, positive,
    not crossed and of known size is usable at first sight, and one that is fresh and lacks a side is one-sided; only
    what is left is looked at reason by reason.
    """
    bid, ask, age = piece(panel.bid, columns), piece(panel.ask, columns), piece(panel.age_ns, columns)
    bid_size, ask_size = piece(panel.bid_size, columns), piece(panel.ask_size, columns)
    fresh = age <= (max_age_ns[0] if (max_age_ns == max_age_ns[0]).all() else max_age_ns[:, None])
    good = bid > 0.0
    for also in (ask >= bid, fresh, bid_size > 0.0, ask_size > 0.0):
        good &= also
    one_sided = np.isnan(bid)
    one_sided |= np.isnan(ask)
    np.multiply(one_sided.view(np.uint8), np.uint8(Quality.ONE_SIDED), out=quality)
    np.add(bid, ask, out=mid)
    mid *= 0.5

    one_sided &= fresh
    rest = np.flatnonzero(~(good | one_sided))
    if len(rest):
        prices = flat(bid)[rest], flat(ask)[rest]
        sizes = flat(bid_size)[rest], flat(ask_size)[rest]
        reason = quote_quality(*prices, *sizes, flat(age)[rest], max_age_ns[rest // mid.shape[1]])
        flat(quality)[rest] = reason
        flat(mid)[rest[reason != Quality.USABLE]] = np.nan
        unsized = rest[reason == Quality.USABLE]
        flat(good)[unsized] = True
    for n in np.flatnonzero(gone_from < mid.shape[1]).tolist():
        quality[n, gone_from[n] :] = Quality.EXPIRED
        mid[n, gone_from[n] :] = np.nan
        good[n, gone_from[n] :] = False
    # No quote is newer than now, so only one older than the skew can be late beside another.
    good &= age > max_skew_ns
    return JudgedColumns(not len(rest) or not len(unsized), np.flatnonzero(good))


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
    """Return where a price is within ``share`` of the median of its row, bool, ``[T, n]``; False for NaN."""
    middle = row_median(price_usd)[:, None]
    return np.abs(price_usd - middle) <= share * middle


def is_skewed(
    age_ns: IntArray, usable: BoolArray, members: list[int], column: IntArray, row: IntArray, max_skew_ns: int
) -> BoolArray:
    """Return which of some usable quotes are older than the newest usable one of their row by more than the skew.

    ``age_ns`` and ``usable`` are ``[N, T]``; ``members`` are the columns of one venue and expiry, among them the
    quotes' own, ``column`` and ``row``.  Members are read until it is known of all.  [spec README, data and grid]
    """
    age, newest = age_ns[column, row], np.full(age_ns.shape[1], NEVER_NS)
    for number, member in enumerate(members, start=1):
        np.minimum(newest, age_ns[member], out=newest, where=usable[member])
        if number % 4 == 0 and bool((age - newest[row] > max_skew_ns).all()):
            break
    late: BoolArray = age - newest[row] > max_skew_ns
    return late


def quality_counts(quality: ByteArray) -> IntArray:
    """Return how many grid times each column spent in each `Quality`, ``[N, len(Quality)]``; rows sum to T."""
    rows, columns = quality.shape
    kinds = len(Quality)
    first = np.ascontiguousarray(quality.T).reshape(-1)
    # Most quotes are usable: only the others are looked at.
    bad = np.flatnonzero(first)
    cell = first[bad] + kinds * (bad // max(rows, 1))
    counts = np.bincount(cell, minlength=kinds * columns).reshape(columns, kinds)
    counts[:, Quality.USABLE] = rows - counts.sum(axis=1)
    return counts
