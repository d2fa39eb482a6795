"""Checks settlements against their declared schedule.  [S1.1, S1.5]"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import rows
from backtest.data.adapters.bars import length_text
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.files import text
from backtest.data.adapters.instruments import InstrumentListing
from backtest.data.adapters.times import utc_ns
from engine.errors import DataError
from engine.records import FloatArray, IntArray
from engine.units import NS_PER_HOUR, NS_PER_SECOND

HYPERLIQUID_HOURLY_NS: Final = 1_686_182_700 * NS_PER_SECOND
"""2023-06-08 00:05 UTC, from when on Hyperliquid's rates are hourly ones."""

_RUN: Final = 3  # equal gaps in a row that are a schedule and not an outage
# Venues stamp settlements up to some seconds late; a minute is far from any other schedule.
_TOLERANCE_NS: Final = 60 * NS_PER_SECOND


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


def settlements(
    label_ns: IntArray, rate: FloatArray, listing: InstrumentListing, spec: SourceSpec, where: str
) -> pd.DataFrame:
    """Return the rows of one perp's settled rates, from the option ``since`` on if the source has it.

    ``label_ns`` (ns UTC) and ``rate`` (per settlement interval) have shape (n,).  Raises ``DataError`` naming ``where``
    if labels do not ascend or settlements come on another schedule than the declared one: a rate of 8 hours read as
    one of an hour would be 8 times too large.
    """
    keep = label_ns >= since_ns(spec)
    label_ns, rate = label_ns[keep], rate[keep]
    refuse_eight_hour_rates(label_ns, listing, where)
    gaps = np.diff(label_ns)
    if np.any(gaps <= 0):
        before, after = (np.datetime64(int(ns), "ns") for ns in label_ns[int(np.argmax(gaps <= 0)) :][:2])
        raise DataError(
            f"{where}: expected settlements in ascending order, each once, was {after} after {before} "
            f"({int((gaps <= 0).sum())} such rows); sort the file, each settlement once"
        )
    other = np.abs(gaps - listing.funding_interval_ns) > _TOLERANCE_NS
    for start in range(len(gaps) - _RUN + 1):
        run = gaps[start : start + _RUN]
        if other[start : start + _RUN].all() and int(run.max() - run.min()) <= 2 * _TOLERANCE_NS:
            between = length_text(int(run[0]) // NS_PER_SECOND * NS_PER_SECOND)
            raise DataError(
                f"{where}: expected settlements of {listing.name} each {length_text(listing.funding_interval_ns)}, was "
                f"each {between} from {np.datetime64(int(label_ns[start]), 'ns')} on; set funding_h, or cut the source "
                f"with the option since: a source has one schedule"
            )
    return rows.settled(label_ns, listing.name, rate, listing.funding_interval_ns)
