"""How much modelled EV a set of signals can earn when they share the depth of books.  [statistics 7.1, 7.2]

With edge a_i (bps, after fees and half-spreads), weight w_ib of signal i on book b, spread s_b and depth D_b,

    J = max over Q >= 0, X_b <= D_b :  1e-4 [ sum_i a_i Q_i - 2 sum_b (s_b / D_b) X_b^2 ],   X_b = sum_i w_ib Q_i

naive adds the optimum of each signal alone; greedy lets signals come in the order (t0, id), each seeing the depth
the earlier ones have used.  Always greedy <= J <= naive.  All three in decimals: J is unique, its notionals need not
be.  Signals that share no book are separate programmes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from engine.errors import CmeError
from engine.exact.decimals import exact
from hypotheses.statistics.lemke import Matrix, lemke, solve

PER_BPS = Decimal("1e-4")
KKT_LIMIT = Decimal("1e-8")
"""The largest violation of an optimality condition, in scaled variables, at which J is accepted."""

POLISHED = Decimal("1e-30")
"""What counts as zero in decimals of fifty digits."""

FLOAT_ZERO = 1e-11


@dataclass(frozen=True, slots=True)
class Book:
    """One side of one book in one refill window: its spread in bps and what rests at its touch, USD."""

    spread_bps: Decimal
    depth_usd: Decimal


@dataclass(frozen=True, slots=True)
class Demand:
    """One signal: its edge in bps after fixed costs, and its weight on each book it hits, by book number."""

    edge_bps: Decimal
    weight: dict[int, Decimal]


@dataclass(frozen=True, slots=True)
class Optimum:
    """The joint optimum in USD, the notionals of one solution, and the worst violation of its KKT conditions."""

    ev_usd: Decimal
    notional_usd: tuple[Decimal, ...]
    residual: Decimal


def best_notional(
    demand: Demand, books: Sequence[Book], used: dict[int, Decimal] | None = None
) -> tuple[Decimal, Decimal]:
    """Return (Q, EV in USD) of the best notional of one signal, given the USD already ``used`` of each book.

    EV = 1e-4 [(a - 4 sum_b (s_b/D_b) X_b w_b) Q - 2 sum_b (s_b/D_b) w_b^2 Q^2], 0 <= Q <= min_b (D_b - X_b)/w_b.
    """
    before = used or {}
    with exact():
        slope, bend, most = demand.edge_bps, Decimal(0), None
        for b, weight in demand.weight.items():
            book, taken = books[b], before.get(b, Decimal(0))
            if book.depth_usd <= 0:
                return Decimal(0), Decimal(0)
            steepness = book.spread_bps / book.depth_usd
            slope -= 4 * steepness * taken * weight
            bend += 2 * steepness * weight * weight
            room = max(book.depth_usd - taken, Decimal(0)) / weight
            most = room if most is None else min(most, room)
        if slope <= 0 or most is None:
            return Decimal(0), Decimal(0)
        notional = most if bend == 0 else min(most, slope / (2 * bend))
        return notional, PER_BPS * (slope - bend * notional) * notional


def naive(demands: Sequence[Demand], books: Sequence[Book]) -> Decimal:
    """Return the sum of each signal's own optimum, USD: shared depth is counted as often as it is hit."""
    with exact():
        return sum((best_notional(demand, books)[1] for demand in demands), start=Decimal(0))


def greedy(demands: Sequence[Demand], books: Sequence[Book]) -> Decimal:
    """Return what signals earn when each takes its best notional in turn, USD."""
    used: dict[int, Decimal] = {}
    earned = Decimal(0)
    with exact():
        for demand in demands:
            notional, value = best_notional(demand, books, used)
            earned += value
            for b, weight in demand.weight.items():
                used[b] = used.get(b, Decimal(0)) + weight * notional
    return earned


def joint(demands: Sequence[Demand], books: Sequence[Book]) -> Optimum:
    """Return the joint optimum: each group of signals that share books is solved on its own.

    Raises ``CmeError`` where the optimality conditions do not hold to `KKT_LIMIT`: J is then not reported at all.
    """
    notional = [Decimal(0)] * len(demands)
    value = residual = Decimal(0)
    with exact():
        for group in _groups(demands, books):
            if len(group) == 1:
                notional[group[0]], earned = best_notional(demands[group[0]], books)
            else:
                found = _Scaled.of([demands[i] for i in group], books).optimum()
                earned, residual = found.ev_usd, max(residual, found.residual)
                for i, amount in zip(group, found.notional_usd, strict=True):
                    notional[i] = amount
            value += earned
    return Optimum(value, tuple(notional), residual)


def _groups(demands: Sequence[Demand], books: Sequence[Book]) -> list[list[int]]:
    """Return the signals that could earn anything, grouped so that no two groups share a book, in order."""
    groups: list[tuple[set[int], list[int]]] = []
    for i, demand in enumerate(demands):
        if demand.edge_bps <= 0 or not demand.weight or any(books[b].depth_usd <= 0 for b in demand.weight):
            continue
        touched, members = set(demand.weight), [i]
        apart = []
        for reach, others in groups:
            if reach & touched:
                touched |= reach
                members += others
            else:
                apart.append((reach, others))
        groups = [*apart, (touched, sorted(members))]
    return sorted(members for _, members in groups)


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A group in scaled variables: q_i = Q_i / cap_i, gain_i = a_i cap_i / sigma, load = w cap / D in (0, 1].

    maximise gain'q - 2 sum_b drag_b (load q)_b^2 subject to q >= 0, load q <= 1; drag_b = s_b D_b / sigma.
    """

    cap: Matrix
    gain: Matrix  # [n]
    load: Matrix  # [m, n]
    drag: Matrix  # [m]
    bound: list[int]  # rows of `load` that can bind
    sigma: Decimal

    @staticmethod
    def of(demands: Sequence[Demand], books: Sequence[Book]) -> _Scaled:
        rows = sorted({b for demand in demands for b in demand.weight})
        cap = np.array([min(books[b].depth_usd / w for b, w in d.weight.items()) for d in demands], dtype=object)
        edge = np.array([demand.edge_bps for demand in demands], dtype=object)
        sigma = max(edge * cap)
        load = np.array(
            [
                [d.weight.get(b, Decimal(0)) * c / books[b].depth_usd for d, c in zip(demands, cap, strict=True)]
                for b in rows
            ],
            dtype=object,
        )
        drag = np.array([books[b].spread_bps * books[b].depth_usd / sigma for b in rows], dtype=object)
        return _Scaled(cap, edge * cap / sigma, load, drag, _binding(load), sigma)

    def optimum(self) -> Optimum:
        """Return the optimum: the active set searched in floats, polished and checked in decimals."""
        n = len(self.gain)
        curve = 4 * _product(self.load.T * self.drag, self.load)
        rows = self.load[self.bound]
        matrix = np.block([[curve, rows.T], [-rows, np.full((len(rows), len(rows)), Decimal(0))]])
        constant = np.concatenate([-self.gain, np.full(len(rows), Decimal(1))])
        basis = lemke(matrix.astype(np.float64), constant.astype(np.float64), FLOAT_ZERO)
        z, residual = _polish(matrix, constant, basis)
        if residual > POLISHED:
            z, residual = _polish(matrix, constant, lemke(matrix, constant, POLISHED))
        if residual > KKT_LIMIT:
            raise CmeError(
                f"H2: expected optimality conditions within {KKT_LIMIT}, was {residual} for {n} signals; "
                "J is not reported: keep the run directory and send it with a report of this defect"
            )
        q = z[:n]
        total = (self.load * q).sum(axis=1)
        value = (self.gain * q).sum() - 2 * (self.drag * total * total).sum()
        return Optimum(PER_BPS * self.sigma * value, tuple((self.cap * q).tolist()), residual)


def _binding(load: Matrix) -> list[int]:
    """Return the rows of ``load`` that can bind: books of several signals, and each signal's tightest own book."""
    rows: list[int] = []
    tightest: dict[int, int] = {}
    for row in range(len(load)):
        signals = np.flatnonzero(load[row]).tolist()
        if len(signals) > 1:
            rows.append(row)
        elif signals[0] not in tightest or load[row, signals[0]] > load[tightest[signals[0]], signals[0]]:
            tightest[signals[0]] = row
    return sorted([*rows, *tightest.values()])


def _product(left: Matrix, right: Matrix) -> Matrix:
    """Return the matrix product of decimals, summed in order."""
    return np.array([[sum((row * column).tolist(), start=Decimal(0)) for column in right.T] for row in left])


def _polish(matrix: Matrix, constant: Matrix, basis: tuple[int, ...] | None) -> tuple[Matrix, Decimal]:
    """Return the solution in which exactly the variables of ``basis`` move, and how far it is from optimal.

    The residual is the largest of: a negative variable, a negative slack, an equation that does not hold.
    """
    z = np.full(len(constant), Decimal(0))
    if basis is None:
        return z, Decimal("Infinity")
    chosen = list(basis)
    try:
        z[chosen] = solve(matrix[np.ix_(chosen, chosen)], -constant[chosen])
    except CmeError:
        return z, Decimal("Infinity")
    slack = (matrix * z).sum(axis=1) + constant
    residual = max([-v for v in z.tolist()] + [-v for v in slack.tolist()] + [abs(v) for v in slack[chosen].tolist()])
    z[z < 0] = Decimal(0)
    return z, max(residual, Decimal(0))
