"""One account as a plain loop over bars with the engine's scalar functions: the oracle of `covenant_accounts`."""

from __future__ import annotations

from backtest.simulation.covenant_config import Accounts
from backtest.simulation.covenant_records import Orders, Track
from engine.covenants.base import Book, Leg
from engine.covenants.leverage_cap import PATIENCE_BARS, TOLERANCE
from engine.covenants.parameters import Parameters
from engine.covenants.reallocation import breached_is_a, reallocate, reduce_to_cap


def run_plain(track: Track, orders: Orders, path: int, terms: Accounts, p: Parameters) -> list[float]:
    """Return the daily equity of one path of ``orders``, bar by bar; `run_accounts` gives the same bits."""
    half = 0.5 * terms.capital_usd
    prices = [leg.tolist() for leg in track.price]
    legs = [
        Leg(0.0, prices[0][0], half, terms.maintenance_a),
        Leg(0.0, prices[1][0], half, terms.maintenance_b),
    ]
    sides = (float(orders.side_a[path]), float(orders.side_b[path]))
    group = -1 if orders.group is None else int(orders.group[path])
    over = [0, 0]
    stopped = False
    days: list[float] = []
    for t in range(track.new_day.size):
        mark = (prices[0][t], prices[1][t])
        cap = float(orders.caps[t, group]) if orders.caps is not None and group >= 0 else None
        for leg in (0, 1):
            # Funding before liquidation, and both before any order.  [risk.md 0.4]
            legs[leg] = _liquidated(_funded(legs[leg], mark[leg], float(track.funding[leg][t])), mark[leg], terms)
        if orders.executes is not None and orders.executes[t, path]:
            legs = _reallocated(legs, t, mark, track, cap, path, orders, terms, p)
        if cap is not None:
            for leg in (0, 1):
                limit = TOLERANCE * cap * legs[leg].equity_usd(mark[leg])
                over[leg] = over[leg] + 1 if abs(legs[leg].size) * mark[leg] > limit else 0
                if over[leg] >= PATIENCE_BARS:
                    over[leg] = 0
                    book = _book(legs[leg], mark[leg], float(track.volume[leg][t]), terms)
                    legs[leg] = reduce_to_cap(
                        legs[leg], mark[leg], book, cap, (terms.lot_a, terms.lot_b)[leg], terms.taker_fee, p, 1.0
                    )
        if orders.closes is not None and orders.closes[t, path]:
            legs = [_closed(legs[leg], mark[leg], terms) for leg in (0, 1)]
        equity = legs[0].equity_usd(mark[0]) + legs[1].equity_usd(mark[1])
        if orders.stop is not None and not stopped and equity <= (1.0 - float(orders.stop[path])) * terms.capital_usd:
            stopped = True
            legs = [_closed(legs[leg], mark[leg], terms) for leg in (0, 1)]
        if track.new_day[t] or t == 0:
            target = 0.0 if stopped else float(orders.target[len(days), path])
            hedge = 1.0 if orders.hedge is None else float(orders.hedge[len(days), path])
            only_down = orders.reduces is not None and t > 0 and bool(orders.reduces[t, path])
            legs, left = _rebalanced(legs, mark, sides, target, hedge, cap, only_down, terms)
            days.append(left)
    return days


def _funded(leg: Leg, mark: float, rate: float) -> Leg:
    if rate == 0.0:
        return leg
    return Leg(leg.size, leg.entry_usd, leg.margin_usd - leg.size * mark * rate, leg.maintenance)


def _liquidated(leg: Leg, mark: float, terms: Accounts) -> Leg:
    notional = abs(leg.size) * mark
    equity = leg.equity_usd(mark)
    if notional > 0 and equity <= leg.maintenance * notional:
        return Leg(0.0, mark, max(equity - terms.liquidation_fee * notional, 0.0), leg.maintenance)
    return leg


def _book(leg: Leg, mark: float, volume_usd: float, terms: Accounts) -> Book:
    """Return one level at the close with its half-spread, as deep as the registered share of the bar's volume."""
    side = 1.0 if leg.size > 0 else -1.0
    return Book(((mark * (1.0 - side * terms.half_spread), terms.volume_share * volume_usd / mark),))


def _reallocated(
    legs: list[Leg], t: int, mark: tuple[float, float], track: Track, cap: float | None, path: int, orders: Orders,
    terms: Accounts, p: Parameters,
) -> list[Leg]:  # fmt: skip
    moved = [mark[leg] - float(track.since[leg][t]) for leg in (0, 1)]
    donor = 0 if breached_is_a(legs[0].size, legs[1].size, moved[0], moved[1]) else 1
    lot = (terms.lot_a, terms.lot_b)[donor]
    share = p.rr
    if orders.share is not None:
        share = float(orders.share[path] if orders.share.ndim == 1 else orders.share[t, path])
    book = _book(legs[donor], mark[donor], float(track.volume[donor][t]), terms)
    # A participation of 1: the book's one level is already the share that may be taken.
    done = reallocate(
        legs[donor], legs[1 - donor], mark[donor], book, p.l_max if cap is None else cap, share, lot,
        terms.taker_fee, p, participation=1.0,
    )  # fmt: skip
    return [done.donor, done.recipient] if donor == 0 else [done.recipient, done.donor]


def _closed(leg: Leg, mark: float, terms: Accounts) -> Leg:
    cost = (terms.taker_fee + terms.half_spread) * (abs(leg.size) * mark)
    return Leg(0.0, mark, leg.margin_usd + leg.size * (mark - leg.entry_usd) - cost, leg.maintenance)


def _rebalanced(
    legs: list[Leg], mark: tuple[float, float], sides: tuple[float, float], target: float, hedge: float,
    cap: float | None, only_down: bool, terms: Accounts,
) -> tuple[list[Leg], float]:  # fmt: skip
    total = max(legs[0].equity_usd(mark[0]), 0.0) + max(legs[1].equity_usd(mark[1]), 0.0)
    notional = target * total
    weights = (2.0 * hedge / (1.0 + hedge), 2.0 / (1.0 + hedge))
    if cap is not None:
        notional = min(notional, cap * (0.5 * total) / max(weights))
    if only_down:
        notional = min(notional, *(abs(legs[leg].size) * mark[leg] / weights[leg] for leg in (0, 1)))
    sizes = (sides[0] * (notional * weights[0]) / mark[0], sides[1] * (notional * weights[1]) / mark[1])
    traded = abs(sizes[0] - legs[0].size) * mark[0] + abs(sizes[1] - legs[1].size) * mark[1]
    left = total - min((terms.taker_fee + terms.half_spread) * traded, total)
    fresh = [Leg(sizes[leg], mark[leg], 0.5 * left, legs[leg].maintenance) for leg in (0, 1)]
    return fresh, left
