"""The agents of a simulated market: pure functions of a view, with a few parameters each.  [risk.md 22]

Noise traders take, makers quote, arbitrageurs pull the book to the price elsewhere; leveraged longs and shorts are a
population that stands at the start and is liquidated by the engine, whose backstop account is the vault.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from backtest.simulation.scenario_market import Arbitrage, Makers, Noise
from engine.exact.rounded import Floats
from engine.venue.base import Orders
from engine.venue.integers import PPM, Ints

BPS = 10_000
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class AgentView:
    """What an agent may see: its venue's book price, the price elsewhere, how fast it moved, and the units.

    ``lots_a_musd`` is the lots of a million USD at the start's price.
    """

    book_ticks: int
    outside_ticks: int
    move_1min_ppm: int
    lots_a_musd: int

    def lots(self, usd: float) -> int:
        """Return an amount in lots, at the price of the start; at least one."""
        return max(1, round(usd * self.lots_a_musd / PPM))


def maker_quotes(view: AgentView, given: Makers, accounts: Ints, depth: float) -> Orders:
    """Return a ladder on both sides of the book price, dealt to the makers in turn.

    Makers withdraw with volatility: depth falls in proportion to the move of the last minute, to a tenth where it
    reaches ``withdraw_bps``.  ``depth`` scales it from outside; 0 quotes nothing.
    """
    calm = max(0.1, 1.0 - abs(view.move_1min_ppm) / (100.0 * given.withdraw_bps))
    usd = float(given.level_usd) * depth * calm
    if usd <= 0:
        return _orders([])
    rows = []
    for level in range(given.levels):
        distance = given.half_spread_bps + level * given.level_bps
        lots, account = view.lots(usd), int(accounts[level % len(accounts)])
        bid, ask = (view.book_ticks * (BPS + sign * distance) // BPS for sign in (-1, 1))
        rows += [(account, lots, max(1, bid)), (account, -lots, max(bid + 1, ask))]
    return _orders(rows)


def noise_orders(view: AgentView, given: Noise, accounts: Ints, u: Floats) -> Orders:
    """Return market orders of random traders: a Poisson count, log-normal sizes, either side.

    ``u`` [3 x most + 1] are uniform numbers: the count by inversion, then account, side and size of each.
    """
    if not len(accounts):
        return _orders([])
    rows = []
    for a, b, c in u[1:].reshape(-1, 3)[: poisson(float(u[0]), float(given.orders_a_step))].tolist():
        # Kept from the ends, where the inverse has no value.
        z = _NORMAL.inv_cdf(min(max(c, 1e-12), 1 - 1e-12))
        lots = view.lots(float(given.median_usd) * float(np.exp(float(given.sigma) * z)))
        price = view.book_ticks * (BPS + (200 if b < 0.5 else -200)) // BPS
        rows.append((int(accounts[int(a * len(accounts))]), lots if b < 0.5 else -lots, max(1, price)))
    return _orders(rows)


def arbitrage_orders(view: AgentView, given: Arbitrage, account: int) -> Orders:
    """Return one order that trades the book toward the price elsewhere, where the gap exceeds ``gap_bps``."""
    gap = (view.book_ticks - view.outside_ticks) * BPS
    if abs(gap) <= given.gap_bps * view.outside_ticks:
        return _orders([])
    lots = view.lots(float(given.size_usd))
    # No further than the price elsewhere.
    return _orders([(account, -lots if gap > 0 else lots, view.outside_ticks)])


def poisson(u: float, mean: float) -> int:
    """Return the Poisson count whose distribution first reaches ``u``, at most 50."""
    term = cumulated = float(np.exp(-mean))
    count = 0
    while cumulated < u and count < 50:
        count += 1
        term *= mean / count
        cumulated += term
    return count


def joined(*tables: Orders) -> Orders:
    """Return the rows of tables of orders one after another."""
    columns = ("account", "market", "lots", "limit_ticks")
    return Orders(*(np.concatenate([getattr(table, name) for table in tables]) for name in columns))


def _orders(rows: list[tuple[int, int, int]]) -> Orders:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Orders(table[:, 0], np.zeros(len(table), dtype=np.int64), table[:, 1], table[:, 2])
