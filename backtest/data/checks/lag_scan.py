"""Finds sources of one underlying that are stamped late or early against each other.  [S1.1, S1.5]"""

from __future__ import annotations

import numpy as np

from backtest.data.checks.lag import Lag, lag_between
from backtest.data.checks.samples import Samples, sample
from backtest.data.format.dataset import Dataset
from engine.units import NS_PER_HOUR

MOST_LAG_NS = 12 * NS_PER_HOUR
"""Lags up to this are looked for."""


def lag_scan(
    dataset: Dataset,
    underlying: str,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    most_lag_ns: int = MOST_LAG_NS,
) -> tuple[Lag, ...]:
    """Return the lag of every two instruments (no options) of ``underlying``, at the coarser bar or grid of the two.

    Pairs with too few common samples are left out; a lag has a warning if two sources are not stamped alike.  Raises
    ``UsageError`` (2) if ``underlying`` has no quote files.
    """
    return lags_of(sample(dataset, underlying, from_ns=from_ns, to_ns=to_ns), most_lag_ns)


def lags_of(samples: Samples, most_lag_ns: int = MOST_LAG_NS) -> tuple[Lag, ...]:
    """Return the lags of all pairs of the columns of ``samples``, as `lag_scan` does."""
    count = len(samples.code)
    lags = (_pair(samples, i, j, most_lag_ns) for i in range(count) for j in range(i + 1, count))
    return tuple(lag for lag in lags if lag is not None)


def _pair(samples: Samples, first: int, second: int, most_lag_ns: int) -> Lag | None:
    bin_ns = samples.bin_ns(first, second)
    rows = samples.times_ns % bin_ns == 0
    a, b = samples.price[rows, first], samples.price[rows, second]
    # at equal grid times the price of one source may be older by design
    older = samples.age_ns[rows, second] - samples.age_ns[rows, first]
    known = older[~np.isnan(older)]
    older_ns = float(known.mean()) if len(known) else 0.0
    name = samples.instruments.name
    return lag_between(
        name[samples.code[first]],
        name[samples.code[second]],
        a,
        b,
        bin_ns,
        max(2, most_lag_ns // bin_ns),
        older_ns,
    )
