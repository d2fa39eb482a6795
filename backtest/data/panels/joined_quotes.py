"""Joins the quotes of a day's files as of grid times, where some of their parts begin the day anew.  [S1.1, S1.3]"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backtest.data.format.schema import Channel
from backtest.data.panels.asof import Quotes, QuoteTiming, quotes_at
from backtest.data.panels.rows import DayRows, Rows
from engine.records import BoolArray, CodeArray, IntArray


def quotes_of(parts: Sequence[DayRows], tails: Sequence[DayRows], present: BoolArray) -> list[Rows]:
    """Return the quotes of the codes that are ``present``, part by part; none is empty.

    The ``tails`` of the parts have all their codes in few rows.
    """
    quotes = []
    for part, tail in zip(parts, tails, strict=True):
        if Channel.QUOTE in part:
            rows = part[Channel.QUOTE]
            quotes.append(rows if present[tail[Channel.QUOTE].code].all() else rows_of(rows, present))
    return [rows for rows in quotes if len(rows)]


def rows_of(rows: Rows, present: BoolArray) -> Rows:
    """Return the rows of the codes that are ``present``."""
    keep = present[rows.code]
    return rows if keep.all() else rows.where(np.flatnonzero(keep))


def joined_quotes(
    carried: Sequence[Rows],
    chunks: Sequence[Rows],
    column: IntArray,
    code: CodeArray,
    times: IntArray,
    timing: QuoteTiming | None = None,
) -> Quotes:
    """Return the last quotes of the columns ``code``, shape (N,), at ``times``, shape (T,): arrays of shape [N, T].

    All but ``chunks``, which may begin the day anew, is as in :func:`asof.quotes_at`.

    Examples
    --------
    >>> def quotes(code, *t_ns):
    ...     size = len(t_ns)
    ...     price = {name: np.full(size, float(code)) for name in ("bid", "ask", "bid_size", "ask_size")}
    ...     return Rows(np.array(t_ns), np.full(size, code, dtype=np.int32), price)
    >>> codes, times = np.array([0, 1], dtype=np.int32), np.array([10, 20])
    >>> joined = joined_quotes([], [quotes(1, 5, 15), quotes(0, 8)], np.array([0, 1]), codes, times)
    >>> joined.age_ns.tolist()  # of each instrument at both times
    [[2, 12], [5, 5]]
    """
    # the sequence of most rows is joined as if it had all columns, the others into columns of their own
    longest, *others = _in_order_of_time(chunks) or [[]]
    quotes = quotes_at(carried, longest, column, times, len(code), timing)
    for some in others:
        of_some = np.zeros(len(column), dtype=np.bool_)
        for rows in some:
            of_some[rows.code] = True
        there = np.flatnonzero(of_some[code])
        column_there = np.full(len(column), -1, dtype=np.int64)
        column_there[code[there]] = np.arange(len(there))
        quotes.put(quotes_at(carried, some, column_there, times, len(there), timing), there)
    return quotes


def _in_order_of_time(chunks: Sequence[Rows]) -> list[list[Rows]]:
    """Return ``chunks`` in sequences that each ascend in time and have instruments of their own, the longest first.

    The file of another underlying, and the options of a file after all else, begin the day anew.
    """
    sequences: list[list[Rows]] = []
    for rows in chunks:
        if not sequences or rows.t_ns[0] < sequences[-1][-1].t_ns[-1]:
            sequences.append([])
        sequences[-1].append(rows)
    return sorted(sequences, key=lambda some: -sum(map(len, some)))
