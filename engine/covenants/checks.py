"""What a pair's bars must look like before anything is computed from them.  [covenants 1.5]"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.covenants.parameters import Parameters
from engine.errors import DataError
from engine.exact.rounded import Floats
from engine.units import NS_PER_SECOND


def check_pair(
    t_ns: NDArray[np.int64], price_a: Floats | None, price_b: Floats | None, p: Parameters, days: float = 0.0
) -> None:
    """Check the closes of both legs: ``t_ns`` [N] on a regular grid, prices [N] in USD, NaN for a missing bar.

    ``days`` is what a study needs beyond the warm-up.  Raises `DataError` if a leg is missing, times are out of order
    or off the grid, a price is not positive, or fewer bars than the warm-up are there.
    """
    for name, prices in (("A", price_a), ("B", price_b)):
        if prices is None or prices.size == 0 or np.isnan(prices).all():
            raise DataError(f"covenants: expected two legs with prices, leg {name} has none: name a file that holds it")
        if prices.shape != t_ns.shape:
            raise DataError(f"covenants: leg {name}: expected {t_ns.size} prices, was {prices.size}")
        # NaN is a missing bar and allowed; infinity and zero are no prices.
        bad = np.flatnonzero(~(np.isnan(prices) | (np.isfinite(prices) & (prices > 0))))
        if bad.size:
            raise DataError(f"covenants: leg {name}: expected prices above 0 USD, was {prices[bad[0]]} at row {bad[0]}")
    step = np.diff(t_ns)
    # Before the grid is checked: its message would hide a repeated or unsorted bar.
    late = np.flatnonzero(step <= 0)
    if late.size:
        raise DataError(
            f"covenants: expected times in rising order, row {late[0] + 1} is at {t_ns[late[0] + 1]} ns after "
            f"{t_ns[late[0]]} ns: sort the file or drop the repeated bar"
        )
    bar_ns = p.bar_min * 60 * NS_PER_SECOND
    off = np.flatnonzero(step != bar_ns)
    if off.size:
        raise DataError(
            f"covenants: expected one row every {p.bar_min} min (missing prices as NaN), rows {off[0]} and "
            f"{off[0] + 1} are {step[off[0]] / bar_ns:.2f} bars apart"
        )
    need = p.warmup_bars + p.least_sigma_bars + days * 1440 / p.bar_min
    if t_ns.size < need:
        raise DataError(
            f"covenants: expected at least {need:.0f} bars of {p.bar_min} min (warm-up and study), was {t_ns.size}: "
            "give an earlier start or a longer file"
        )
