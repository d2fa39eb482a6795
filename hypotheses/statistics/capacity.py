"""The modelled EV that a set of signals can earn when they share the depth of books.  [statistics 7.1, 7.2]

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

from engine.arguments import require_instance, require_number
from engine.errors import UsageError
from engine.exact.decimals import exact

PER_BPS = Decimal("1e-4")


@dataclass(frozen=True, slots=True)
class Book:
    """One side of one book in one refill window: its spread in bps and the depth at its touch in USD.

    Raises ``UsageError`` if ``spread_bps`` is no Decimal of at least 0, or ``depth_usd`` no finite Decimal.
    """

    spread_bps: Decimal
    depth_usd: Decimal

    def __post_init__(self) -> None:
        require_number("spread_bps", self.spread_bps, Decimal, at_least=0)
        require_number("depth_usd", self.depth_usd, Decimal)


@dataclass(frozen=True, slots=True)
class Demand:
    """One signal: its edge in bps after fixed costs, and its weight on each book it hits, by book number.

    Raises ``UsageError`` if ``edge_bps`` is no finite Decimal; `require_books` checks the weights.
    """

    edge_bps: Decimal
    weight: dict[int, Decimal]

    def __post_init__(self) -> None:
        require_number("edge_bps", self.edge_bps, Decimal)


@dataclass(frozen=True, slots=True)
class Optimum:
    """The joint optimum in USD, the notionals of one solution, and the worst violation of its KKT conditions."""

    ev_usd: Decimal
    notional_usd: tuple[Decimal, ...]
    residual: Decimal


def best_notional(
    demand: Demand, books: Sequence[Book], used: dict[int, Decimal] | None = None
) -> tuple[Decimal, Decimal]:
    """Return the notional of one signal that earns most, and what it earns.

    EV = 1e-4 [(a - 4 sum_b (s_b/D_b) X_b w_b) Q - 2 sum_b (s_b/D_b) w_b^2 Q^2], 0 <= Q <= min_b (D_b - X_b)/w_b.

    Parameters
    ----------
    demand : Demand
        The signal; its weights are positive.
    books : Sequence[Book], shape (k,)
        The books that the signal's weights name by number.
    used : dict[int, Decimal], optional
        USD of each book that earlier signals have used, X.

    Returns
    -------
    tuple[Decimal, Decimal]
        Q and EV in USD; both 0 where the signal earns nothing or a book is empty.

    Raises
    ------
    UsageError
        If ``demand`` names a book that ``books`` does not have, or a weight that is no Decimal above 0, or an entry of
        ``used`` is no Decimal of at least 0.

    Examples
    --------
    >>> notional, ev_usd = best_notional(Demand(Decimal(20), {0: Decimal(1)}), [Book(Decimal(4), Decimal(50_000))])
    >>> int(notional), int(ev_usd)
    (50000, 60)
    """
    require_books([demand], books, "demand")
    before = used or {}
    for b, taken in before.items():
        require_number(f"used[{b}]", taken, Decimal, at_least=0)
    with exact():
        slope, bend, most = demand.edge_bps, Decimal(0), None
        for b, weight in demand.weight.items():
            book, taken = books[b], before.get(b, Decimal(0))
            # A leg without depth cannot be filled, and no package is traded without a leg.
            if book.depth_usd <= 0:
                return Decimal(0), Decimal(0)
            steepness = book.spread_bps / book.depth_usd
            slope -= 4 * steepness * taken * weight
            bend += 2 * steepness * weight * weight
            room = max(book.depth_usd - taken, Decimal(0)) / weight
            most = room if most is None else min(most, room)
        # a signal that loses at the first dollar takes nothing, and one without books has no cost to stop it
        if slope <= 0 or most is None:
            return Decimal(0), Decimal(0)
        notional = most if bend == 0 else min(most, slope / (2 * bend))
        return notional, PER_BPS * (slope - bend * notional) * notional


def naive(demands: Sequence[Demand], books: Sequence[Book]) -> Decimal:
    """Return the sum of each signal's own optimum: shared depth is counted as often as it is hit.

    Parameters
    ----------
    demands : Sequence[Demand], shape (n,)
        The signals of one refill window.
    books : Sequence[Book], shape (k,)
        The books that the signals' weights name by number.

    Returns
    -------
    Decimal
        USD; 0 where there are no signals.

    Raises
    ------
    UsageError
        If ``demands`` name a book that ``books`` does not have, or a weight that is no Decimal above 0.

    Examples
    --------
    >>> books = [Book(Decimal(4), Decimal(50_000))]
    >>> demands = [Demand(Decimal(20), {0: Decimal(1)}), Demand(Decimal(10), {0: Decimal(1)})]
    >>> int(naive(demands, books))
    75
    """
    require_books(demands, books)
    with exact():
        return sum((best_notional(demand, books)[1] for demand in demands), start=Decimal(0))


def greedy(demands: Sequence[Demand], books: Sequence[Book]) -> Decimal:
    """Return what signals earn when each takes its best notional in turn.

    Parameters
    ----------
    demands : Sequence[Demand], shape (n,)
        The signals of one refill window, in the order in which they come.
    books : Sequence[Book], shape (k,)
        The books that the signals' weights name by number.

    Returns
    -------
    Decimal
        USD; 0 where there are no signals.

    Raises
    ------
    UsageError
        If ``demands`` name a book that ``books`` does not have, or a weight that is no Decimal above 0.

    Examples
    --------
    >>> books = [Book(Decimal(4), Decimal(50_000))]
    >>> demands = [Demand(Decimal(20), {0: Decimal(1)}), Demand(Decimal(10), {0: Decimal(1)})]
    >>> int(greedy(demands, books))
    60
    """
    require_books(demands, books)
    used: dict[int, Decimal] = {}
    earned = Decimal(0)
    with exact():
        for demand in demands:
            notional, value = best_notional(demand, books, used)
            earned += value
            for b, weight in demand.weight.items():
                used[b] = used.get(b, Decimal(0)) + weight * notional
    return earned


def require_books(demands: Sequence[Demand], books: Sequence[Book], name: str = "demands") -> None:
    """Refuse a weight on a book that does not exist, and a weight that uses up no depth.

    Parameters
    ----------
    demands : Sequence[Demand], shape (n,)
        Signals.
    books : Sequence[Book], shape (k,)
        The books that the signals' weights name by number.
    name : str, optional
        The parameter's name, for the message.

    Raises
    ------
    UsageError
        If ``demands`` name a book that ``books`` does not have, or a weight that is no Decimal above 0.

    Examples
    --------
    >>> require_books([Demand(Decimal(20), {1: Decimal(1)})], [Book(Decimal(4), Decimal(50_000))])
    Traceback (most recent call last):
    engine.errors.UsageError: demands: expected weights on the 1 books given, was one on book 1
    """
    for number, book in enumerate(books):
        require_instance(f"books[{number}]", book, Book)
    for demand in demands:
        require_instance(name, demand, Demand)
        for b, weight in demand.weight.items():
            if not 0 <= b < len(books):
                raise UsageError(f"{name}: expected weights on the {len(books)} books given, was one on book {b}")
            require_number(name, weight, Decimal, above=0)
