"""The joint optimum of signals that share books: a concave programme, pivoted and checked.  [statistics 7.2]

The active set is searched in floats, solved again in decimals of fifty digits, and accepted only where the
Karush-Kuhn-Tucker conditions hold.  Signals that share no book are separate programmes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from engine.errors import CmeError
from engine.exact.decimals import exact
from hypotheses.statistics.capacity import PER_BPS, Book, Demand, Optimum, best_notional, require_books
from hypotheses.statistics.lemke import Matrix, lemke, solve

KKT_LIMIT = Decimal("1e-8")
"""The largest violation of an optimality condition, in scaled variables, at which J is accepted."""

POLISHED = Decimal("1e-30")
"""The size under which a pivot or a residual counts as zero in decimals of fifty digits."""

FLOAT_ZERO = 1e-11
"""The same in floats; a wrong active set is found by the residual and solved again in decimals."""


def joint(demands: Sequence[Demand], books: Sequence[Book]) -> Optimum:
    """Return the joint optimum: each group of signals that share books is solved on its own.  [statistics 7.2]

    Parameters
    ----------
    demands : Sequence[Demand], shape (n,)
        The signals of one refill window.
    books : Sequence[Book], shape (k,)
        The books that the signals' weights name by number.

    Returns
    -------
    Optimum
        J in USD, the notionals of one solution, and the worst violation of an optimality condition.

    Raises
    ------
    UsageError
        If ``demands`` name a book that ``books`` does not have, or a weight that is no Decimal above 0.
    CmeError
        If the optimality conditions do not hold to `KKT_LIMIT`: J is then not reported at all.

    Examples
    --------
    >>> books = [Book(Decimal(4), Decimal(50_000))]
    >>> demands = [Demand(Decimal(20), {0: Decimal(1)}), Demand(Decimal(10), {0: Decimal(1)})]
    >>> round(joint(demands, books).ev_usd, 6)
    Decimal('60.000000')
    """
    require_books(demands, books)
    notional = [Decimal(0)] * len(demands)
    value = residual = Decimal(0)
    with exact():
        # groups share no book, so their programmes are separate, and small ones are solved faster and more exactly
        for group in _groups(demands, books):
            if len(group) == 1:
                notional[group[0]], earned = best_notional(demands[group[0]], books)
            else:
                optimum = _Scaled.of([demands[i] for i in group], books).optimum()
                earned, residual = optimum.ev_usd, max(residual, optimum.residual)
                for i, amount in zip(group, optimum.notional_usd, strict=True):
                    notional[i] = amount
            value += earned
    return Optimum(value, tuple(notional), residual)


def _groups(demands: Sequence[Demand], books: Sequence[Book]) -> list[list[int]]:
    """Return the signals that could earn anything, grouped so that no two groups share a book, in order."""
    groups: list[tuple[set[int], list[int]]] = []
    for i, demand in enumerate(demands):
        # What cannot earn alone cannot earn beside others: sharing a book only costs.
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
        # scaled to at most 1, so that one tolerance fits all windows, whatever their dollars
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
        # the float search may end at a wrong active set: solve once more where every pivot is exact
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
    # a singular active set comes from a wrong basis in floats; the caller then searches in decimals
    except CmeError:
        return z, Decimal("Infinity")
    slack = (matrix * z).sum(axis=1) + constant
    residual = max([-v for v in z.tolist()] + [-v for v in slack.tolist()] + [abs(v) for v in slack[chosen].tolist()])
    # the residual above has counted them; what is returned is a notional and cannot be negative
    z[z < 0] = Decimal(0)
    return z, max(residual, Decimal(0))
