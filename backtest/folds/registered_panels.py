"""Reads the panels of a data set in the form the registration asks for: funding averaged, options left out.  [S1.8]"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.panels import reader
from engine.market.delivery import averaging_windows
from engine.market.funding import RATE_NS
from engine.params import Params
from engine.records import IntArray, Kind, Panel
from engine.units import NS_PER_DAY


def funding_average_ns(params: Params, underlying: str) -> int | None:
    """Return over how many nanoseconds published funding is averaged: as the registered curve says, else eight hours.

    None for a plan without a curve from before funding rows.
    """
    curve = params.underlyings[underlying].curve
    return curve.perp_average_ns if curve else RATE_NS if params.funding else None


def registered_panels(
    dataset: Dataset,
    params: Params,
    underlying: str,
    from_ns: int,
    to_ns: int,
    *,
    codes: Sequence[int] | None = None,
    times_ns: IntArray | None = None,
) -> Iterator[Panel]:
    """Yield the panels of [from, to), a day each, ascending, with funding and deliveries averaged as registered.

    ``codes`` are the instruments to read, None all; ``times_ns`` the grid times to read, int64 of shape (times,), None
    all.  A day without grid times gives no panel.
    """
    return reader.panels(
        dataset,
        underlying,
        from_ns,
        to_ns,
        codes=codes,
        times_ns=times_ns,
        funding_average_ns=funding_average_ns(params, underlying),
        delivery_windows_ns=averaging_windows(params.delivery, dataset.instruments),
        max_lag_ns=params.max_lag_ns,
        refreshed=params.refreshed,
    )


def linear_panels(
    dataset: Dataset, params: Params, underlying: str, from_ns: int, to_ns: int, times_ns: IntArray | None = None
) -> Iterator[Panel]:
    """Yield the panels ``[T, N]`` of all instruments but options, a day each; days without grid times are left out.

    ``times_ns`` ``[T]`` as in `registered_panels`.
    """
    codes = np.flatnonzero(dataset.instruments.kind != Kind.OPTION).tolist()
    panels = registered_panels(dataset, params, underlying, from_ns, to_ns, codes=codes, times_ns=times_ns)
    return (panel for panel in panels if len(panel.times_ns))


def fees_in_force(params: Params) -> Callable[[int], int]:
    """Return the function from nanoseconds UTC to the number of registered fees, funding, lots and ticks in force.

    It grows with each row: days of one number are charged, paid and sized by the same rows.
    """
    tables = (params.fees, params.funding, params.lots, params.ticks)
    first = [row.as_of for rows in tables for row in rows]
    days = [int(np.datetime64(day[:10], "D").astype(np.int64)) for day in first]
    return lambda t_ns: sum(day <= t_ns // NS_PER_DAY for day in days)
