"""Haircuts: how a deficit is divided among winners, and how fairly.  [risk.md 9.4, 20]

Every figure names its space: *wealth* (quanta of profit taken) or *contracts* (lots closed).  Integer shares add up to
what was asked, to the last quantum.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heapreplace

import numpy as np

from engine.errors import DataError
from engine.venue.integers import PPM, Ints, exact_sum


@dataclass(frozen=True, slots=True)
class Allocation:
    """What each winner gives up [winners], in the winners' order, and what no winner could bear."""

    taken: Ints
    residual: int


def queue(demand: int, capacity: Ints, order: Ints) -> Allocation:
    """Return capacity taken in rank order until ``demand`` is met.  [9.4]

    ``capacity`` >= 0 [winners] is profit (wealth) or lots (contracts); ``order`` [winners] the row numbers by rank.
    Raises `DataError` if the demand or a capacity is negative, or capacities sum to more than 2^62.
    """
    _check(demand, capacity)
    ranked = capacity[order]
    # Below it the running sums stay within int64.
    if exact_sum(capacity) > 2**62:
        raise DataError("expected capacities that sum to less than 2^62: use a larger quantum")
    before = np.cumsum(ranked) - ranked
    taken = np.zeros_like(capacity)
    taken[order] = np.clip(demand - before, 0, ranked)
    return Allocation(taken, demand - exact_sum(taken))


def pro_rata(demand: int, capacity: Ints) -> Allocation:
    """Return ``D g_i / sum g`` in whole quanta: floors, then the largest remainders, ties by account.  [9.4]

    No winner gives more than the capacity; a demand above all of it leaves a residual.
    """
    _check(demand, capacity)
    total = exact_sum(capacity)
    asked = min(demand, total)
    if total == 0:
        return Allocation(np.zeros_like(capacity), demand)
    # Python integers: the products may pass 2^63.
    shares = [divmod(asked * g, total) for g in capacity.tolist()]
    taken = np.array([whole for whole, _ in shares], dtype=np.int64)
    missing = asked - exact_sum(taken)
    # Ties by account: the result must not depend on the sort.
    rests = sorted(range(len(shares)), key=lambda i: (-shares[i][1], i))
    taken[rests[:missing]] += 1
    return Allocation(taken, demand - asked)


def capped_pro_rata(demand: int, capacity: Ints, cap_ppm: int) -> Allocation:
    """Return pro-rata shares of at most ``cap`` of each capacity, floored; the rest is socialised.  [9.4]"""
    _check(demand, capacity)
    limits = np.array([g * cap_ppm // PPM for g in capacity.tolist()], dtype=np.int64)
    allowed = min(demand, exact_sum(limits))
    inner = pro_rata(allowed, limits)
    return Allocation(inner.taken, demand - exact_sum(inner.taken))


def largest_share(taken: Ints, capacity: Ints) -> Fraction:
    """Return ``max h_i / g_i`` over winners with a capacity; 0 if there is none."""
    pairs = zip(taken.tolist(), capacity.tolist(), strict=True)
    return max((Fraction(h, g) for h, g in pairs if g > 0), default=Fraction(0))


def gini(taken: Ints, capacity: Ints) -> Fraction:
    """Return the Gini coefficient of ``h_i / g_i`` over winners with a capacity: 0 is equal.  0 if nothing is taken."""
    shares = sorted(Fraction(h, g) for h, g in zip(taken.tolist(), capacity.tolist(), strict=True) if g > 0)
    total = sum(shares, Fraction(0))
    if total == 0:
        return Fraction(0)
    count = len(shares)
    weighted = Fraction(0)
    for place, share in enumerate(shares, 1):
        weighted += (2 * place - count - 1) * share
    return weighted / (count * total)


def regret(taken: Ints, capacity: Ints, demand: int) -> Fraction:
    """Return by how much the largest haircut exceeds that of the best feasible integer allocation.  [20, Chitra et al.]

    Best means: the smallest possible largest ``h_i / g_i`` among integer allocations that meet the same total.
    """
    met = min(demand, exact_sum(taken))
    return largest_share(taken, capacity) - best_largest_share(met, capacity)


def best_largest_share(demand: int, capacity: Ints) -> Fraction:
    """Return the smallest largest ``h_i / g_i`` of integer allocations of ``demand``: capacities add up to enough.

    Starting from the floors of equal shares, each missing quantum goes to the winner whose next share is the smallest:
    with a limit on the share every winner can give ``floor(limit x g_i)``, so no other order reaches the total sooner.
    Raises `DataError` if the capacities do not suffice.
    """
    gains = [g for g in capacity.tolist() if g > 0]
    total = sum(gains)
    if demand > total:
        raise DataError(f"expected a demand within the capacity {total}, was {demand}")
    if demand == 0:
        return Fraction(0)
    given = [demand * g // total for g in gains]
    highest = max(Fraction(h, g) for h, g in zip(given, gains, strict=True))
    steps = [(Fraction(h + 1, g), i) for i, (h, g) in enumerate(zip(given, gains, strict=True))]
    heapify(steps)
    for _ in range(demand - sum(given)):
        share, i = steps[0]
        highest, given[i] = max(highest, share), given[i] + 1
        heapreplace(steps, (Fraction(given[i] + 1, gains[i]), i))
    return highest


def _check(demand: int, capacity: Ints) -> None:
    if demand < 0 or (capacity.size and int(capacity.min()) < 0):
        raise DataError(f"expected a demand and capacities >= 0, was demand {demand}, least {capacity.min(initial=0)}")
