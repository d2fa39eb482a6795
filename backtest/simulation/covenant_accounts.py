"""Many accounts over the same bars at once.  [covenants 6, 9]

`covenant_plain` is the same account as a loop over bars with the engine's scalar functions; a test holds the two equal
bit by bit.  Between two fundings the batch asks once whether any path could be liquidated or cut within the stretch's
range of prices; only where one could does it look bar by bar.  The range is used to skip work, never to decide.

Order inside a bar: funding, liquidation, a due reallocation, the leverage cap, closing, the stop, the daily
rebalancing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtest.simulation import covenant_actions as actions
from backtest.simulation.covenant_config import Accounts
from backtest.simulation.covenant_records import AccountRuns, Flags, Orders, Track
from engine.covenants.parameters import Parameters
from engine.exact.rounded import Floats


def run_accounts(
    track: Track,
    orders: Orders,
    terms: Accounts,
    p: Parameters,
    *,
    watch: bool = True,
    record: list[Floats] | None = None,
) -> AccountRuns:
    """Return the result of every path of ``orders`` over ``track``.

    The first bar opens every path whatever its masks say: entries are identical.  With ``watch`` false the leverage
    and the drawdown on bars are not followed (NaN), nor the costs of reallocations.  ``record`` takes the leverage of
    every path at every bar, for the few that are looked at closely.
    """
    bars, paths = track.new_day.size, orders.side_a.size
    result = AccountRuns.empty(orders.target.shape[0], paths)
    marks = np.stack(track.price, axis=1)[:, :, None]
    rates = np.stack(track.funding, axis=1)[:, :, None]
    funded = (rates != 0.0).any(axis=(1, 2)).tolist()
    books = actions.Books(orders, terms, (float(marks[0, 0, 0]), float(marks[0, 1, 0])))
    due, shut, new_day = _due(orders.executes, bars), _due(orders.closes, bars), track.new_day.tolist()
    # The starting value is the first peak.  [covenants 9.4]
    lever, peak, deepest = np.zeros(paths), np.full(paths, terms.capital_usd), np.zeros(paths)
    stretch = actions.Stretch(marks, orders.caps, terms)
    day = 0
    for t in range(bars):
        mark = marks[t]
        # Funding before liquidation, and both before any order.  [risk.md 0.4]
        if funded[t]:
            actions.fund(books, mark, rates[t], result)
        # Funding changes every margin, so what was asked of the stretch no longer holds.
        if funded[t] or t >= stretch.end:
            stretch.begin(t, books)
        if not stretch.is_safe:
            actions.liquidate(books, mark, terms, result)
        if (who := due[t]) is not None:
            actions.reallocate(books, who, track, t, orders, terms, p, result, stretch, watch)
        if not stretch.is_safe:
            actions.cut(books, track, t, orders, terms, result)
        if (who := shut[t]) is not None:
            actions.close(books, who, mark, terms, result)
        actions.stop_out(books, mark, terms, result)
        if new_day[t] or t == 0:
            actions.rebalance(books, t, day, mark, orders, terms, result)
            day += 1
            # Rebalancing changes every leg, so the next bar asks anew.
            stretch.end = t + 1
        if watch:
            equities = books.equity(mark)
            equity, notional = equities[0] + equities[1], np.abs(books.q) * mark
            # L_0 is one leg's notional over the account's equity, hence the 2; the floor keeps a ruined path finite.
            now = (notional[0] + notional[1]) / np.maximum(2.0 * equity, 1.0)
            lever += now
            if record is not None:
                record.append(now)
            peak = np.maximum(peak, equity)
            deepest = np.maximum(deepest, 1.0 - equity / peak)
    result.equity = result.equity[:day]
    if watch:
        result.leverage, result.bar_drawdown = lever / bars, deepest
    return result


def _due(mask: Flags | None, bars: int) -> list[NDArray[np.int64] | None]:
    """Return the paths that act at each bar, None where none does."""
    if mask is None:
        return [None] * bars
    rows, columns = np.nonzero(mask)
    # `nonzero` lists bar by bar, so the paths of one bar are consecutive.
    edges = np.searchsorted(rows, np.arange(bars + 1))
    return [columns[i:j] if j > i else None for i, j in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
