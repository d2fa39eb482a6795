"""Rows of the canonical long table, one function for each channel.  [S1.1, S1.4]

Times are int64 ns UTC of shape (n,); a name or value is one for all rows or has shape (n,); the result has n rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backtest.data.adapters.base import INTERVAL
from backtest.data.format.funding_intervals import LATEST_PAYMENT_NS
from backtest.data.format.schema import Channel
from engine.errors import DataError
from engine.records import ACCRUAL_NS, FloatArray, IntArray
from engine.units import NS_PER_HOUR


def positive(values: ArrayLike) -> FloatArray:
    """Return ``values``, any shape, as float64 with NaN where they are zero or less.

    For prices: sources write 0 for a side of the book that is empty.  Sizes are :func:`amounts`.
    """
    array = np.asarray(values, dtype=np.float64)
    return np.where(array > 0, array, np.nan)


def amounts(values: ArrayLike, price: ArrayLike, t_ns: IntArray, where: str) -> FloatArray:
    """Return the sizes of one side, shape (n,), as float64: 0 stays 0, NaN (not given) stays NaN.

    For messages; :func:`backtest.data.adapters.cells.sizes` is for a table and says why.  Raises ``DataError`` naming
    ``where`` and the time, of ``t_ns``, shape (n,), if a size is negative.
    """
    sizes = np.asarray(values, dtype=np.float64)
    if (sizes < 0).any():
        first = int(np.argmax(sizes < 0))
        raise DataError(
            f"{where}, message of {np.datetime64(int(t_ns[first]), 'ns')} UTC: expected a size of 0 or more, was "
            f"{sizes[first]}; take the message out"
        )
    return np.where(np.isnan(np.asarray(price, dtype=np.float64)), np.nan, sizes)


def quotes(
    t_ns: IntArray,
    name: Any,
    bid: ArrayLike,
    ask: ArrayLike,
    bid_size: ArrayLike = np.nan,
    ask_size: ArrayLike = np.nan,
) -> pd.DataFrame:
    """Return QUOTE rows, one a time of ``t_ns``, shape (n,).

    ``bid`` and ``ask`` are touch prices in the price currency, sizes are in base units, each a scalar or of shape (n,);
    NaN is a missing side.  Raises ``DataError`` if a value is no number.
    """
    return _table(Channel.QUOTE, t_ns, name, bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size)


def bars(close_ns: IntArray, name: Any, close: ArrayLike) -> pd.DataFrame:
    """Return QUOTE rows of bars, shape (n,): bid = ask = close, known when the bar closes, sizes unknown.  [S1.1]"""
    return quotes(close_ns, name, close, close)


def marks(t_ns: IntArray, name: Any, mark: ArrayLike, index: ArrayLike = np.nan) -> pd.DataFrame:
    """Return MARK rows, one a time of shape (n,): the venue's mark in the price currency, its index in USD."""
    return _table(Channel.MARK, t_ns, name, mark=mark, index=index)


def published(t_ns: IntArray, name: Any, rate: ArrayLike) -> pd.DataFrame:
    """Return FUNDING rows, one a time of shape (n,): the rate of the interval in force, published at ``t_ns``."""
    return _table(Channel.FUNDING, t_ns, name, rate=rate)


def eight_hours(t_ns: IntArray, name: Any, rate: ArrayLike) -> pd.DataFrame:
    """Return FUNDING_8H rows, one a time of shape (n,): what eight hours cost where funding accrues, known at it."""
    return _table(Channel.FUNDING_8H, t_ns, name, rate=rate)


def accrued(hour_ns: IntArray, name: str, rate: FloatArray) -> pd.DataFrame:
    """Return SETTLE rows of what accrued in the hours that end at ``hour_ns``, ``rate`` in each, both of shape (n,).

    A row a minute with its share: funding that accrues is paid at every moment, and within the hour evenly as far as
    the venue's history says.  The rows of a minute stand at its end, when it has been paid.  [S1.1, venues V3]
    """
    minutes = NS_PER_HOUR // ACCRUAL_NS
    t_ns = hour_ns[:, None] - NS_PER_HOUR + ACCRUAL_NS * np.arange(1, minutes + 1)
    return _table(Channel.SETTLE, t_ns.ravel(), name, rate=np.repeat(rate / minutes, minutes))


def settled(label_ns: IntArray, name: Any, rate: ArrayLike, interval_ns: int | IntArray) -> pd.DataFrame:
    """Return the SETTLE and FUNDING rows of rates that are known by their settlements only.  [S1.1]

    ``label_ns`` and ``rate`` have shape (n,).  A SETTLE row carries the nominal time: the multiple of ``interval_ns``
    before the label if that is at most 15 minutes away (venues stamp a payment milliseconds late, minutes after an
    outage), else the label, whose shift the build applies.  A FUNDING row is published at the label itself: from then
    on the last settled rate is the best known of the interval in force.  An ``interval_ns`` of shape (n,), of each
    settlement its own, is kept with the rows.
    """
    late = label_ns % interval_ns
    # later than that, the label is shifted or of another schedule, which the build decides
    nominal = np.where(late <= LATEST_PAYMENT_NS, label_ns - late, label_ns)
    both = pd.concat([_table(Channel.SETTLE, nominal, name, rate=rate), published(label_ns, name, rate)])
    return both if isinstance(interval_ns, int) else both.assign(**{INTERVAL: np.tile(interval_ns, 2)})


def together(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return the tables one under the other, with a fresh row number."""
    return pd.concat([table for table in tables if len(table)] or [tables[0]], ignore_index=True)


def in_time_order(*tables: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all tables in time order; rows of one time keep the order of the arguments."""
    return together(*tables).sort_values("t_ns", kind="stable", ignore_index=True)


def last_of_each(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` in time order with the last row of each (channel, t_ns, name), the state after that time."""
    ordered = table.sort_values("t_ns", kind="stable")
    return ordered.drop_duplicates(["channel", "t_ns", "name"], keep="last").reset_index(drop=True)


def _table(channel: Channel, t_ns: IntArray, name: Any, **values: ArrayLike) -> pd.DataFrame:
    count = len(t_ns)
    columns: dict[str, object] = {
        "channel": np.full(count, int(channel), np.uint8),
        "t_ns": np.asarray(t_ns, dtype=np.int64),
        "name": pd.Series([name] * count if isinstance(name, str) else np.asarray(name, dtype=object), dtype=object),
    }
    for key, value in values.items():
        columns[key] = np.broadcast_to(_numbers(key, name, value), (count,))
    return pd.DataFrame(columns)


def _numbers(key: str, name: Any, value: ArrayLike) -> FloatArray:
    try:
        return np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError) as problem:
        whose = name if isinstance(name, str) else "a row"
        raise DataError(f"{key} of {whose}: expected numbers, was: {problem}; repair the source file") from problem
