"""Solves the chains of a data set grid time by grid time and lists the quotes that contradict the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from backtest.data.format.dataset import Dataset
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from backtest.pipeline.detection import underlyings_of
from backtest.records import Registration
from engine.market.view import PreparedPanel, prepare
from hypotheses.chains.quotes import ChainAtTime, chains_of
from hypotheses.chains.records import JointSolution
from hypotheses.chains.solve import solve_jointly

GUILTY = pa.schema(
    [
        ("t_ns", pa.int64()),
        ("underlying", pa.string()),
        ("venue", pa.string()),
        ("currency", pa.string()),
        ("expiry_ns", pa.int64()),
        ("instrument", pa.string()),
        ("side", pa.string()),
        ("bid", pa.float64()),
        ("ask", pa.float64()),
        ("price", pa.float64()),
        ("beyond_bps", pa.float64()),
        ("least_bps", pa.float64()),
        ("most_bps", pa.float64()),
        ("chain_bps", pa.float64()),
        ("chain_quotes", pa.int64()),
    ]
)
"""One row a guilty quote.  ``side``: `bid` where the bid is too high, `ask` where the ask is too low.  ``bid``, ``ask``
and ``price`` in the price currency of the option, ``price`` what the joint answer gives it; ``beyond_bps`` how far that
is beyond the quote, bps of the forward (of a coin, where premiums are in coin), ``least_bps`` and ``most_bps`` over all
answers of least movement, null where not computed; ``chain_bps`` the sum over the chain of ``chain_quotes`` quotes."""


@dataclass(slots=True)
class ChainCounts:
    """What was counted of one underlying, venue and price currency over its grid times."""

    times: int = 0  # grid times at which the chain had a quote
    without_arbitrage: int = 0  # of them
    quotes: int = 0  # summed over the times
    left_out: int = 0  # listed options without a usable quote on both sides
    guilty: int = 0  # rows
    largest_bps: float = 0.0  # total movement of the worst time


@dataclass(slots=True)
class ChainTally:
    """Counts by (underlying, venue, currency), and expiries most of whose quotes are guilty, for remarks."""

    chains: dict[tuple[str, str, str], ChainCounts] = field(default_factory=dict)
    whole_expiries: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def guilty_quotes(
    dataset: Dataset, registration: Registration, from_ns: int, to_ns: int, tally: ChainTally
) -> Iterator[tuple[int, str, pa.Table]]:
    """Yield (grid time, underlying, the guilty quotes of it), one block of the data set in memory at a time.

    Raises `UsageError` where the data set holds no registered underlying.
    """
    params = registration.params
    for name in underlyings_of(dataset, params):
        for panel in registered_panels(dataset, params, name, from_ns, to_ns):
            view = prepare(panel, params, empty_history(params, name))
            for found in chains_of(view):
                solution = solve_jointly(found.chain)
                _count(tally, view, found, solution)
                yield int(panel.times_ns[found.row]), name, rows_of(view, found, solution)


def _count(tally: ChainTally, view: PreparedPanel, found: ChainAtTime, solution: JointSolution) -> None:
    key = view.panel.underlying, found.venue, found.currency
    counts = tally.chains.setdefault(key, ChainCounts())
    guilty = np.flatnonzero(solution.side)
    counts.times += 1
    counts.without_arbitrage += not len(guilty)
    counts.quotes += len(found.column)
    counts.left_out += found.left_out
    counts.guilty += len(guilty)
    counts.largest_bps = max(counts.largest_bps, solution.total_bps)
    sizes = np.bincount(found.chain.expiry, minlength=len(found.chain.expiry_ns))
    moved = np.bincount(found.chain.expiry[guilty], minlength=len(sizes))
    tally.whole_expiries[key] += int(np.count_nonzero((2 * moved > sizes) & (sizes > 2)))


def rows_of(view: PreparedPanel, found: ChainAtTime, solution: JointSolution) -> pa.Table:
    """Return the guilty quotes of one chain by expiry and instrument, as the columns of `GUILTY`."""
    panel, chain = view.panel, found.chain
    guilty = np.flatnonzero(solution.side)
    names = [panel.instruments.name[panel.code[column]] for column in found.column[guilty].tolist()]
    order = sorted(range(len(guilty)), key=lambda n: (int(chain.expiry[guilty[n]]), names[n]))
    guilty, count = guilty[order], len(guilty)

    def known(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> pa.Array:
        return pa.array(values, pa.float64(), mask=np.isnan(values))

    columns = {
        "t_ns": np.full(count, panel.times_ns[found.row]),
        "underlying": [panel.underlying] * count,
        "venue": [found.venue] * count,
        "currency": [found.currency] * count,
        "expiry_ns": chain.expiry_ns[chain.expiry[guilty]],
        "instrument": [names[n] for n in order],
        "side": ["ask" if side > 0 else "bid" for side in solution.side[guilty].tolist()],
        "bid": chain.bid[guilty],
        "ask": chain.ask[guilty],
        "price": solution.price[guilty],
        "beyond_bps": solution.beyond_bps[guilty],
        "least_bps": known(solution.least_bps[guilty]),
        "most_bps": known(solution.most_bps[guilty]),
        "chain_bps": np.full(count, solution.total_bps),
        "chain_quotes": np.full(count, len(found.column)),
    }
    return pa.table(columns, schema=GUILTY)
