"""What happens to positions inside a bar, on arrays over paths.  [covenants 6, 15.1]

`Books` keeps both legs of every path: sizes, entries and margins have shape (2, paths), A first.  Where few paths act,
only those are touched; a formula has the order of the engine's scalar function, so both give the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backtest.simulation.covenant_config import Accounts
from backtest.simulation.covenant_records import AccountRuns, Orders, Track
from engine.covenants.hedge import leg_weights
from engine.covenants.leverage_cap import PATIENCE_BARS, TOLERANCE
from engine.covenants.parameters import Parameters
from engine.covenants.reallocation import LOT_DIGIT
from engine.exact.rounded import Floats

Paths = NDArray[np.int64]
STRETCH_BARS = 8
"""Longest stretch that one question covers; a funding or a new day ends it earlier."""
NEAR = 1e-9
"""A stretch counts as safe only with this margin, so rounding never hides a liquidation or a cut."""


class Books:
    """Positions of all paths: signed sizes, average entries, posted margins, and bars above the cap in a row."""

    def __init__(self, orders: Orders, terms: Accounts, price: tuple[float, float]) -> None:
        paths = orders.side_a.size
        self.q = np.zeros((2, paths))
        self.e = np.repeat(np.array(price), paths).reshape(2, paths)
        self.m = np.full((2, paths), 0.5 * terms.capital_usd)
        self.over = np.zeros((2, paths), np.int64)
        self.mmr = np.array([[terms.maintenance_a], [terms.maintenance_b]])
        self.lot = (terms.lot_a, terms.lot_b)
        self.side = np.stack((orders.side_a, orders.side_b))
        self.floor_usd = None if orders.stop is None else (1.0 - orders.stop) * terms.capital_usd
        self.stopped = np.zeros(paths, np.bool_)

    def equity(self, mark: Floats) -> Floats:
        """Return margin plus unrealised profit of each leg and path at ``mark`` (2, 1)."""
        value: Floats = self.m + self.q * (mark - self.e)
        return value


class Stretch:
    """Bars [t, end) that are safe for every path, or are looked at one by one.

    Safe means that no leg can be liquidated or cut within the stretch's range of prices.  The range is used to skip
    work, never to decide: what it skips could not have happened.
    """

    def __init__(self, marks: Floats, caps: Floats | None, terms: Accounts) -> None:
        self.marks, self.caps = marks, caps
        self.terms = terms
        self.end, self.is_safe = 0, False

    def begin(self, t: int, books: Books) -> None:
        """Ask for the next stretch from ``t``."""
        self.end = min(t + STRETCH_BARS, self.marks.shape[0])
        part = self.marks[t : self.end]
        self.high, self.low = part.max(axis=0), part.min(axis=0)
        # The smallest cap is the strictest: what it lets pass, every bar and path lets pass.
        cap = float(self.caps[t : self.end].min()) if self.caps is not None else float("inf")
        self.share = 1.0 / (TOLERANCE * cap)
        self.is_safe = safe(books, self.high, self.low, cap)
        if self.is_safe:
            # In a safe stretch no leg is above its cap, so the count of bars above it would end anyway.
            books.over[:] = 0

    def holds(self, is_a: NDArray[np.bool_], size: Floats, entry: Floats, margin: Floats) -> bool:
        """Return whether changed legs, of A or of B, stay safe until the end."""
        (high_a, high_b), (low_a, low_b) = self.high[:, 0], self.low[:, 0]
        worst = np.where(size < 0, np.where(is_a, high_a, high_b), np.where(is_a, low_a, low_b))
        need_a, need_b = max(self.terms.maintenance_a, self.share), max(self.terms.maintenance_b, self.share)
        factor = need_a * (1.0 + NEAR) if need_a == need_b else np.where(is_a, need_a, need_b) * (1.0 + NEAR)
        fine = margin + size * (worst - entry) > factor * np.abs(size) * worst
        # The first test nearly always decides; a leg without size and margin fails it and is safe.
        return bool(fine.all() or (fine | (size == 0)).all())


def safe(books: Books, high: Floats, low: Floats, cap: float) -> bool:
    """Return whether no leg can be liquidated or cut while prices stay in [low, high] (2, 1) and caps above ``cap``.

    A short is worst at the high, a long at the low.
    """
    worst = np.where(books.q < 0, high, low)
    notional = np.abs(books.q) * worst
    need = np.maximum(books.mmr, 1.0 / (TOLERANCE * cap)) * notional
    return bool(((books.equity(worst) > need * (1.0 + NEAR)) | (notional == 0)).all())


def fund(books: Books, mark: Floats, rate: Floats, result: AccountRuns) -> None:
    """Pay the settled rate on the notional at the close; a positive rate costs the long.  [risk 4]"""
    paid = books.q * mark * rate
    books.m -= paid
    result.funding_usd += paid[0] + paid[1]


def liquidate(books: Books, mark: Floats, terms: Accounts, result: AccountRuns) -> None:
    """Close a leg whose equity is at or below maintenance: a fee, at most what is left; never below zero."""
    notional = np.abs(books.q) * mark
    equity = books.equity(mark)
    hit = (equity <= books.mmr * notional) & (notional > 0)
    if hit.any():
        books.m = np.where(hit, np.maximum(equity - terms.liquidation_fee * notional, 0.0), books.m)
        books.q = np.where(hit, 0.0, books.q)
        books.e = np.where(hit, mark, books.e)
        result.liquidations += hit.sum(axis=0)


def share_of(orders: Orders, t: int, who: Paths, p: Parameters) -> Floats | float:
    """Return RR of the paths ``who`` at a bar: the parameter, a path's own, or a bar's and path's own."""
    if orders.share is None:
        return p.rr
    return orders.share[who] if orders.share.ndim == 1 else orders.share[t, who]


def cap_of(orders: Orders, t: int, who: Paths, p: Parameters) -> Floats | float:
    """Return the leverage cap of the paths ``who`` at a bar; the largest where a path has none."""
    if orders.caps is None or orders.group is None:
        return p.l_max
    if orders.one_cap:
        return float(orders.caps[t, 0])
    return np.where(orders.group[who] >= 0, orders.caps[t, orders.group[who]], p.l_max)


def reallocate(
    books: Books, who: Paths, track: Track, t: int, orders: Orders, terms: Accounts, p: Parameters, result: AccountRuns,
    stretch: Stretch, watch: bool,
) -> None:  # fmt: skip
    """`engine.covenants.reallocation.reallocate` on the paths that are due, without a book.  [covenants 6.3, 15.1]

    Ends the stretch's safety where a donor could be liquidated or cut within it; a recipient only becomes safer.
    """
    paths = books.q.shape[1]
    pa, pb = float(track.price[0][t]), float(track.price[1][t])
    size_a = books.q[0][who]
    change_a, change_b = size_a * (pa - float(track.since[0][t])), books.q[1][who] * (pb - float(track.since[1][t]))
    from_a, tie = change_a < change_b, change_a == change_b
    # A tie is the short's.  [covenants 6.2]
    if tie.any():
        from_a = from_a | (tie & (size_a < 0))
    other = who + paths
    donor, recipient = np.where(from_a, who, other), np.where(from_a, other, who)
    # Views with A's paths before B's: a donor is one index, and writes reach the books.
    sizes, margins = books.q.reshape(-1), books.m.reshape(-1)
    q, e, m = sizes[donor], books.e.reshape(-1)[donor], margins[donor]
    mark = np.where(from_a, pa, pb)
    lot = terms.lot_a if terms.lot_a == terms.lot_b else np.where(from_a, terms.lot_a, terms.lot_b)
    rr, cap = share_of(orders, t, who, p), cap_of(orders, t, who, p)
    wanted = np.floor(rr * np.abs(q) / lot + LOT_DIGIT) * lot
    depth_a, depth_b = (terms.volume_share * float(track.volume[k][t]) / price for k, price in ((0, pa), (1, pb)))
    take, request, divisor, filled = wanted, rr * m, wanted, None
    # Where no order meets the depth or rounds to nothing, the fill is the whole order.
    if not (wanted.max() <= min(depth_a, depth_b) and wanted.min() > 0):
        take = np.floor(np.minimum(np.where(from_a, depth_a, depth_b), wanted) / lot + LOT_DIGIT) * lot
        # a leg without a fill releases nothing and is left as it is: a fraction of 0 and an average that is not used
        filled = take > 0
        # In proportion to the fill: a reduction that is not executed releases nothing.  [covenants 6.3]
        request = np.where(filled, take / np.where(wanted > 0, wanted, 1.0) * rr * m, 0.0)
        divisor = np.where(filled, take, 1.0)
    side = np.where(q > 0, 1.0, -1.0)
    average = mark * (1.0 - side * terms.half_spread) * take / divisor
    closed = side * take
    fee = terms.taker_fee * take * average
    # Reduce, then release, then transfer: margin taken first would bring the liquidation nearer.  [covenants 6.1]
    after = m + closed * (average - e) - fee
    size = q - closed
    value = np.abs(size) * mark
    kept = np.maximum(
        np.where(from_a, p.kappa * terms.maintenance_a, p.kappa * terms.maintenance_b) * value, value / cap
    )
    transfer = np.maximum(np.minimum(request, after + size * (mark - e) - kept), 0.0)
    after = after - transfer
    sizes[donor] = size
    margins[donor] = after
    margins[recipient] += transfer
    result.reallocations[who] += 1 if filled is None else filled
    if stretch.is_safe:
        stretch.is_safe = stretch.holds(from_a, size, e, after)
    if watch:
        result.fees_usd[who] += fee
        result.turnover_usd[who] += take * average
        result.transfers_usd[who] += transfer
        result.ordered_usd[who] += wanted * mark
        result.reduced_usd[who] += take * mark


def cut(books: Books, track: Track, t: int, orders: Orders, terms: Accounts, result: AccountRuns) -> None:
    """Reduce a leg that has been a tenth above its cap for five bars, as `reallocation.reduce_to_cap` does."""
    if orders.caps is None or orders.group is None:
        return
    bound = np.where(orders.group >= 0, orders.caps[t, orders.group], np.inf)
    mark = np.array([[float(track.price[0][t])], [float(track.price[1][t])]])
    equity, notional = books.equity(mark), np.abs(books.q) * mark
    # A path without a cap has an infinite one, which times an equity of 0 is NaN; it is not asked.
    with np.errstate(invalid="ignore"):
        above = (orders.group >= 0) & (notional > TOLERANCE * bound * equity)
    books.over = np.where(above, books.over + 1, 0)
    for leg in (0, 1):
        who = np.flatnonzero(books.over[leg] >= PATIENCE_BARS)
        if who.size == 0:
            continue
        books.over[leg, who] = 0
        q, e, lot, price = books.q[leg, who], books.e[leg, who], books.lot[leg], float(mark[leg, 0])
        leg_equity, value = equity[leg, who], notional[leg, who]
        # Negative equity would ask for more than the whole leg.
        share = np.where(leg_equity <= 0, 1.0, np.maximum(0.0, 1.0 - bound[who] * leg_equity / value))
        side = np.where(q > 0, 1.0, -1.0)
        wanted = np.floor(share * np.abs(q) / lot + LOT_DIGIT) * lot
        depth = terms.volume_share * float(track.volume[leg][t]) / price
        take = np.floor(np.minimum(depth, wanted) / lot + LOT_DIGIT) * lot
        level = price * (1.0 - side * terms.half_spread)
        average = level * take / np.where(take > 0, take, 1.0)
        fee = terms.taker_fee * take * average
        gained = side * take * (average - e) - fee
        books.m[leg, who] = np.where(take > 0, books.m[leg, who] + gained, books.m[leg, who])
        books.q[leg, who] = np.where(take > 0, q - side * take, q)
        result.fees_usd[who] += fee
        result.turnover_usd[who] += take * average


def close(books: Books, who: Paths, mark: Floats, terms: Accounts, result: AccountRuns) -> None:
    """Close both legs of the paths ``who`` at the close, half-spread and fee paid."""
    q = books.q[:, who]
    notional = np.abs(q) * mark
    cost = (terms.taker_fee + terms.half_spread) * notional
    books.m[:, who] = books.m[:, who] + q * (mark - books.e[:, who]) - cost
    books.q[:, who] = 0.0
    books.e[:, who] = mark
    result.fees_usd[who] += cost[0] + cost[1]
    result.turnover_usd[who] += notional[0] + notional[1]


def stop_out(books: Books, mark: Floats, terms: Accounts, result: AccountRuns) -> None:
    """Close the paths that have fallen to their stop; they stay closed.  [covenants 9.2 (a)]"""
    if books.floor_usd is None:
        return
    legs = books.equity(mark)
    hit = ~books.stopped & (legs[0] + legs[1] <= books.floor_usd)
    if hit.any():
        close(books, np.flatnonzero(hit), mark, terms, result)
        books.stopped |= hit


def rebalance(
    books: Books, t: int, day: int, mark: Floats, orders: Orders, terms: Accounts, result: AccountRuns
) -> None:
    """Bring both legs to the target notional, margins to equal halves; a path that may only reduce never adds.

    A reducing path keeps the smaller of its legs and the target on both sides.  An account without equity is closed.
    """
    # Margins are isolated: a leg loses no more than its own.  [covenants 6.2]
    equities = np.maximum(books.equity(mark), 0.0)
    total = equities[0] + equities[1]
    notional = orders.target[day] * total
    weight_a, weight_b = (1.0, 1.0) if orders.hedge is None else leg_weights(orders.hedge[day])
    if orders.caps is not None and orders.group is not None:
        capped = np.minimum(notional, orders.caps[t, orders.group] * (0.5 * total) / np.maximum(weight_a, weight_b))
        notional = np.where(orders.group >= 0, capped, notional)
    if orders.reduces is not None and t > 0:
        value = np.abs(books.q) * mark
        notional = np.where(
            orders.reduces[t], np.minimum(np.minimum(notional, value[0] / weight_a), value[1] / weight_b), notional
        )
    if books.floor_usd is not None:
        notional = np.where(books.stopped, 0.0, notional)
    size = books.side * np.stack((notional * weight_a, notional * weight_b)) / mark
    change = np.abs(size - books.q) * mark
    traded = change[0] + change[1]
    cost = np.minimum((terms.taker_fee + terms.half_spread) * traded, total)
    left = total - cost
    books.q = size
    books.e = np.repeat(mark, left.size, axis=1)
    books.m = np.stack((0.5 * left, 0.5 * left))
    result.fees_usd += cost
    result.turnover_usd += traded
    result.equity[day] = left
