"""Checks settlements against their declared schedule.  [S1.1, S1.5]"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import rows
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.files import text, utc_ns
from backtest.data.adapters.instruments import InstrumentListing
from engine.errors import DataError
from engine.records import FloatArray, IntArray
from engine.units import NS_PER_SECOND

_RUN: Final = 3  # equal gaps in a row that are a schedule and not an outage
# Venues stamp settlements up to some seconds late; a minute is far from any other schedule.
_TOLERANCE_NS: Final = 60 * NS_PER_SECOND


def settlements(
    label_ns: IntArray, rate: FloatArray, listing: InstrumentListing, spec: SourceSpec, where: str
) -> pd.DataFrame:
    """Return the rows of one perp's settled rates, from the option ``since`` on if the source has it.

    ``label_ns`` (ns UTC) and ``rate`` (per settlement interval) have shape (n,).  Raises ``DataError`` naming ``where``
    if labels do not ascend or settlements come on another schedule than the declared one: a rate of 8 hours read as
    one of an hour would be 8 times too large.
    """
    if "since" in spec.options:
        keep = label_ns >= utc_ns(pd.Series([text(spec, "since")]), f"source {spec.adapter}, option since")[0]
        label_ns, rate = label_ns[keep], rate[keep]
    gaps = np.diff(label_ns)
    if np.any(gaps <= 0):
        raise DataError(f"{where}: expected settlements in ascending order, each once")
    other = np.abs(gaps - listing.funding_interval_ns) > _TOLERANCE_NS
    for start in range(len(gaps) - _RUN + 1):
        run = gaps[start : start + _RUN]
        if other[start : start + _RUN].all() and int(run.max() - run.min()) <= 2 * _TOLERANCE_NS:
            seconds = listing.funding_interval_ns // NS_PER_SECOND
            raise DataError(
                f"{where}: expected settlements of {listing.name} each {seconds} s, "
                f"was each {int(run[0]) // NS_PER_SECOND} s from {np.datetime64(int(label_ns[start]), 'ns')}; "
                f"cut the source with the option since"
            )
    return rows.settled(label_ns, listing.name, rate, listing.funding_interval_ns)
