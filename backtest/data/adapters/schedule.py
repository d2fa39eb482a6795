"""Checks settlements against their declared schedule.  [S1.1, S1.5]"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import rows
from backtest.data.adapters.bars import length_text
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.files import text, texts
from backtest.data.adapters.instruments import InstrumentListing
from backtest.data.adapters.times import utc_ns
from backtest.data.format.funding_intervals import IntervalSteps
from engine.errors import DataError, UsageError
from engine.records import FloatArray, IntArray
from engine.units import NS_PER_HOUR, NS_PER_SECOND

HYPERLIQUID_HOURLY_NS: Final = 1_686_182_700 * NS_PER_SECOND
"""2023-06-08 00:05 UTC, from when on Hyperliquid's rates are hourly ones."""

_RUN: Final = 3  # equal gaps in a row that are a schedule and not an outage
# Venues stamp settlements up to some seconds late; a minute is far from any other schedule.
_TOLERANCE_NS: Final = 60 * NS_PER_SECOND
_LATE_NS: Final = NS_PER_HOUR // 2  # intervals are whole hours
_CHANGE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d) ([1-9]\d?)", re.ASCII)
DAY_HOURS: Final = 24


def refuse_eight_hour_rates(t_ns: IntArray, listing: InstrumentListing, where: str) -> None:
    """Raise ``DataError`` naming ``where`` if a rate of Hyperliquid, shape (n,), is one of eight hours read as hourly.

    Rates before 2023-06-08 00:05 UTC, the settlement of 00:00 among them, are of eight hours.
    """
    hourly = listing.funding_interval_ns == NS_PER_HOUR
    if listing.venue == "hyperliquid" and hourly and len(t_ns) and int(t_ns.min()) < HYPERLIQUID_HOURLY_NS:
        raise DataError(
            f"{where}: expected hourly rates of {listing.name}, was a rate of {np.datetime64(int(t_ns.min()), 'ns')}; "
            f"before 2023-06-08 00:05 Hyperliquid's rates are of eight hours; cut the source with the option "
            f'since = "2023-06-08T00:05:00"'
        )


def since_ns(spec: SourceSpec) -> int:
    """Return the option ``since`` of a source in ns UTC, a time before all others where it is left out."""
    if "since" not in spec.options:
        return 0
    return int(utc_ns(pd.Series([text(spec, "since")], name="since"), f"source {spec.adapter}, option since")[0])


def funding_changes(spec: SourceSpec, listing: InstrumentListing) -> IntervalSteps | None:
    """Return the intervals that the option ``funding_changes`` of a source gives after ``funding_h``; None without it.

    The option is a list of texts like ``2025-08-10T08:00:00 4``: after the settlement at that time the next come each
    four hours.  Raises ``UsageError`` for another form, times that do not ascend and hours that do not divide a day.
    """
    if "funding_changes" not in spec.options:
        return None
    from_ns, hours = [0], [listing.funding_interval_ns // NS_PER_HOUR]
    for item in texts(spec, "funding_changes"):
        match = _CHANGE.fullmatch(item)
        t_ns = int(utc_ns(pd.Series([match[1]], name="since"), f"source {spec.adapter}")[0]) if match else -1
        if match is None or t_ns <= from_ns[-1] or DAY_HOURS % int(match[2]) or int(match[2]) == hours[-1]:
            raise UsageError(
                f"source {spec.adapter} ({spec.path}): expected funding_changes = a list of texts like "
                f"'2025-08-10T08:00:00 4' (a time UTC and the hours from then on: another number that divides 24), "
                f"ascending, was {item!r:.200}"
            )
        from_ns.append(t_ns)
        hours.append(int(match[2]))
    return IntervalSteps(np.array(from_ns), np.array(hours) * NS_PER_HOUR)


def contradicted(label_ns: IntArray, interval_ns: IntArray) -> int:
    """Return the first of the settlements, shape (n,), whose interval the times between them contradict; else -1.

    One that comes sooner after the one before, or the first of three in a row that come at another equal distance: one
    alone is an outage.
    """
    gaps = np.diff(label_ns)
    soon = np.flatnonzero(gaps < interval_ns[1:] - _LATE_NS)
    runs = _other_runs(gaps, interval_ns)
    return min([int(at) + 1 for at in (*soon[:1], *runs[:1])], default=-1)


def _other_runs(gaps: IntArray, interval_ns: IntArray) -> list[int]:
    """Return where three equal gaps, shape (n - 1,), begin that are not the interval of their settlements, (n,)."""
    other = np.abs(gaps - interval_ns[1:]) > _TOLERANCE_NS
    starts = []
    for start in np.flatnonzero(other[: max(len(gaps) - _RUN + 1, 0)]).tolist():
        run = gaps[start : start + _RUN]
        if other[start : start + _RUN].all() and int(run.max() - run.min()) <= 2 * _TOLERANCE_NS:
            starts.append(start)
    return starts


def settlements(
    label_ns: IntArray, rate: FloatArray, listing: InstrumentListing, spec: SourceSpec, where: str
) -> pd.DataFrame:
    """Return the rows of one perp's settled rates, from the option ``since`` on if the source has it.

    ``label_ns`` (ns UTC) and ``rate`` (per settlement interval) have shape (n,).  The schedule is ``funding_h`` and,
    where the source has them, ``funding_changes``.  Raises ``DataError`` naming ``where``
    if labels do not ascend or settlements come on another schedule than the declared one: a rate of 8 hours read as
    one of an hour would be 8 times too large.
    """
    keep = label_ns >= since_ns(spec)
    label_ns, rate = label_ns[keep], rate[keep]
    changes = funding_changes(spec, listing)
    interval_ns = np.full(len(rate), listing.funding_interval_ns) if changes is None else changes.at_labels(label_ns)
    refuse_eight_hour_rates(label_ns, listing, where)
    gaps = np.diff(label_ns)
    if np.any(gaps <= 0):
        before, after = (np.datetime64(int(ns), "ns") for ns in label_ns[int(np.argmax(gaps <= 0)) :][:2])
        raise DataError(
            f"{where}: expected settlements in ascending order, each once, was {after} after {before} "
            f"({int((gaps <= 0).sum())} such rows); sort the file, each settlement once"
        )
    for start in _other_runs(gaps, interval_ns)[:1]:
        between = length_text(int(gaps[start]) // NS_PER_SECOND * NS_PER_SECOND)
        raise DataError(
            f"{where}: expected settlements of {listing.name} each {length_text(int(interval_ns[start + 1]))}, was "
            f"each {between} from {np.datetime64(int(label_ns[start]), 'ns')} on; set funding_h, give the change in "
            "funding_changes, or cut the source with the option since"
        )
    return rows.settled(label_ns, listing.name, rate, listing.funding_interval_ns if changes is None else interval_ns)
