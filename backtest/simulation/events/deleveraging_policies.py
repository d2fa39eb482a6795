"""Policies that divide what a wave needs among the winners of a coin.  [risk.md 9.3, 9.4, 20]

Wealth policies take micro-USD of profit, contract policies whole lots at the wave's gap a lot.  A profit that is taken
is gone: a later wave meets what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from backtest.simulation.events.deleveraging_book import MICRO, Book, Cells
from engine.venue.auto_deleveraging import RANK_RULES, Winners, ranks
from engine.venue.haircuts import Allocation, best_largest_share, capped_pro_rata, gini, largest_share, pro_rata, queue
from engine.venue.integers import PPM, Ints, exact_sum

AllocationRule = Callable[[int, Ints, Winners], Allocation]
"""``rule(demand, capacity, winners)``: capacity in micro-USD or in lots."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule and its space: ``wealth`` or ``contracts``."""

    name: str
    space: str
    rule: AllocationRule


def policies(cap_ppm: int) -> tuple[Policy, ...]:
    """Return pro-rata, capped and integer pro-rata, and the queues of four venues' published ranks."""
    queues = tuple(Policy(f"ours_queue_{name}", "contracts", _queue_by(name)) for name in RANK_RULES)
    return (
        Policy("ours_pro_rata", "wealth", lambda demand, capacity, _: pro_rata(demand, capacity)),
        Policy(
            "ours_capped_pro_rata", "wealth", lambda demand, capacity, _: capped_pro_rata(demand, capacity, cap_ppm)
        ),
        Policy("ours_integer_pro_rata", "contracts", lambda demand, capacity, _: pro_rata(demand, capacity)),
        *queues,
    )


def _queue_by(name: str) -> AllocationRule:
    return lambda demand, capacity, winners: queue(demand, capacity, ranks(winners, name))


def run_policy(policy: Policy, book: Book, cells: Cells, maintenance_ppm: int) -> pd.DataFrame:
    """Return a row a cell: USD needed and taken, winners touched, largest share, regret and Gini of the shares.

    A share is of what the winner has left when the wave begins, in the policy's space.  The regret is against the best
    allocation of the same total in that space: whole lots, or a wealth that may be divided.
    """
    left = book.profit.copy()
    members = [
        np.flatnonzero(book.coin == coin).astype(np.int64) for coin in range(int(cells.coin.max(initial=-1)) + 1)
    ]
    rows = []
    for wave, coin, needed, lots, value in zip(
        *(c.tolist() for c in (cells.wave, cells.coin, cells.needed, cells.lots, cells.lot_value)), strict=True
    ):
        owned = members[coin]
        winners = book.winners(owned, left[owned], maintenance_ppm)
        if policy.space == "wealth":
            demand, capacity = needed, left[owned]
        else:
            # A lot whose gap is nothing takes no profit, whoever closes it.
            demand, capacity = (
                (lots, (left[owned] / value).astype(np.int64)) if value > 0 else (0, np.zeros_like(owned))
            )
        found = policy.rule(demand, capacity, winners)
        money = found.taken
        if policy.space == "contracts":
            money = np.minimum(np.rint(found.taken * value).astype(np.int64), left[owned])
        left[owned] -= money
        share, best = _shares(policy, found.taken, capacity)
        rows.append({
            "policy": policy.name, "wave": wave, "coin": coin, "needed_usd": needed / MICRO,
            "taken_usd": exact_sum(money) / MICRO, "touched": int(np.count_nonzero(found.taken)),
            "largest_share": share, "regret": share - best,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _shares(policy: Policy, taken: Ints, capacity: Ints) -> tuple[float, float]:
    """Return the largest share taken, and the smallest that the same total allows."""
    met, whole = exact_sum(taken), exact_sum(capacity)
    if met == 0 or whole == 0:
        return 0.0, 0.0
    touched = taken > 0
    share = float((taken[touched] / capacity[touched]).max())
    return share, best_share(met, capacity) if policy.space == "contracts" else met / whole


def best_share(total: int, capacity: Ints) -> float:
    """Return the smallest largest share of integer allocations of ``total``, as `haircuts.best_largest_share`.

    With the limit t on the share every winner gives ``floor(t g)``: bisection finds the least double t at which these
    add up to the total.  Many winners in microseconds; the exact one takes a step a lot.
    """
    gains = capacity[capacity > 0].astype(np.float64)
    low, high = 0.0, 1.0
    # Ends where no double lies between them.
    while low < (middle := (low + high) / 2) < high:
        if np.floor(middle * gains).sum() >= total:
            high = middle
        else:
            low = middle
    return float((np.floor(high * gains) / gains).max(initial=0.0))


def event_policies(events: pd.DataFrame, maintenance_ppm: int) -> pd.DataFrame:
    """Return a row a policy over the published single events: closings of one coin at one time divided anew.

    What was closed there in lots (shares of 1e-6 of the largest position) is the demand, the positions before are the
    capacity.  ``production`` is what was done.  A batch of one account says nothing and is left out.
    """
    rows: dict[str, list[tuple[Fraction, Fraction, Fraction]]] = {}
    for _, batch in events.groupby(["coin", "time"], sort=True):
        if len(batch) < 2:
            continue
        size = batch["position_size"].abs().to_numpy()
        lot = float(size.max()) / PPM
        capacity = np.maximum(np.rint(size / lot).astype(np.int64), 1)
        taken = np.minimum(np.rint(batch["adl_size"].to_numpy() / lot).astype(np.int64), capacity)
        winners, demand = event_winners(batch, maintenance_ppm), exact_sum(taken)
        best = best_largest_share(demand, capacity)
        outcomes = {"production": taken, "integer_pro_rata": pro_rata(demand, capacity).taken} | {
            f"queue_{name}": queue(demand, capacity, ranks(winners, name)).taken for name in RANK_RULES
        }
        for name, given in outcomes.items():
            share = largest_share(given, capacity)
            rows.setdefault(name, []).append((share, share - best, gini(given, capacity)))
    return pd.DataFrame([
        {"policy": name, "batches": len(found), "largest_share": float(max(x[0] for x in found)),
         "regret": float(max(x[1] for x in found)), "gini_largest": float(max(x[2] for x in found))}
        for name, found in rows.items()
    ])  # fmt: skip


def event_winners(batch: pd.DataFrame, maintenance_ppm: int) -> Winners:
    """Return the ranks' columns of single events, in micro-USD: notional at the closing price, profit of the position.

    ``total_equity`` is the account value: the published leverage leaves unrealised profit out (README, trap 5).
    """
    size = batch["position_size"].abs().to_numpy()
    entry = _micro(size * batch["entry_price"].to_numpy())
    notional = _micro(size * batch["adl_price"].to_numpy())
    is_long = batch["position_size"].to_numpy() > 0
    profit = np.where(is_long, notional - entry, entry - notional)
    value = _micro(batch["total_equity"].to_numpy())
    maintenance = np.maximum(notional // MICRO * maintenance_ppm, 1)
    return Winners(profit, value - profit, value, np.maximum(notional, 1), np.maximum(entry, 1), maintenance)


def _micro(usd: np.ndarray) -> Ints:
    return np.asarray(np.rint(usd * MICRO), dtype=np.int64)
