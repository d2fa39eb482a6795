"""The modelled EV of the window's signals at other notionals a signal.  [statistics 7.1, 7.2]

At a tier every signal that would still gain takes the same notional, or what is left of its books: in the order
(t0, id) within a refill window, each charged for the depth those before it have used.  A signal without depth has the
fixed cost of its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.exact.decimals import exact
from hypotheses.capacity_windows import CapacityWindow, by_window, window_of
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.statistics.capacity import PER_BPS, Book, Demand

TIERS_USD = (100, 1_000, 10_000, 100_000, 1_000_000)

COLUMNS = (
    Column("notional", "notional a signal, USD", "usd"),
    Column("ev_a_day", "modelled EV, USD a day", "usd"),
    Column("ev_bps", "EV, bps of what is filled", "bps"),
    Column("taken", "signals taken", "count"),
    Column("of", "of", "count"),
    Column("full", "filled in full", "count"),
    Column("filled", "filled, share of the tier", "share"),
)


@dataclass(frozen=True, slots=True)
class Take:
    """The notional and modelled EV of one signal at a tier, USD; both 0 where it would not gain."""

    notional_usd: Decimal
    ev_usd: Decimal


def build(judged: JudgedRun) -> Part:
    """Return one row a tier: notional taken and modelled EV a day."""
    refill = judged.registration.params.refill_window_ns
    windows = [window_of(group, Decimal(1)) for _, group in by_window(judged.run.signals, refill)]
    rows = []
    for tier in TIERS_USD:
        takes = [take for window in windows for take in at_tier(window, Decimal(tier))]
        value, filled = sum(take.ev_usd for take in takes), sum(take.notional_usd for take in takes)
        rows.append(
            {
                "notional": tier,
                "ev_a_day": float(value) / judged.run.n,
                "ev_bps": float(value / filled / PER_BPS) if filled else None,
                "taken": sum(take.notional_usd > 0 for take in takes),
                "of": len(takes),
                "full": sum(take.notional_usd == tier for take in takes),
                "filled": float(filled / (tier * len(takes))) if takes else None,
            }
        )
    return Part(
        (
            SensitivityTable(
                "Modelled EV by notional a signal; repeated emissions of a violation in a window count once",
                COLUMNS,
                tuple(rows),
            ),
        ),
        ("The registered EV lets every signal choose its best notional; here the notional is imposed.",),
    )


def at_tier(window: CapacityWindow, tier_usd: Decimal) -> list[Take]:
    """Return the take of each signal of one refill window; ``window`` has the fixed EV of a notional of 1 USD."""
    fixed = [Take(tier_usd if value > 0 else Decimal(0), value * tier_usd) for value in window.fixed_usd]
    return fixed + in_turn(window.demands, window.books, tier_usd)


def in_turn(demands: Sequence[Demand], books: Sequence[Book], tier_usd: Decimal) -> list[Take]:
    """Return the takes of signals one after the other; X is the depth of a book that earlier ones have used.

    EV = 1e-4 [(a - 4 sum_b (s/D) X w) Q - 2 sum_b (s/D) w^2 Q^2]; a signal that would not gain takes nothing.
    """
    used: dict[int, Decimal] = {}
    takes = []
    with exact():
        for demand in demands:
            slope, bend, notional = demand.edge_bps, Decimal(0), tier_usd
            for b, weight in demand.weight.items():
                depth, before = books[b].depth_usd, used.get(b, Decimal(0))
                # A book that earlier signals have used up fills nothing of the package.
                if depth <= before:
                    notional = Decimal(0)
                    break
                slope -= 4 * books[b].spread_bps / depth * before * weight
                bend += 2 * books[b].spread_bps / depth * weight * weight
                notional = min(notional, (depth - before) / weight)
            value = PER_BPS * (slope - bend * notional) * notional
            # A signal that would lose at this notional is not sent.
            if value <= 0:
                notional = value = Decimal(0)
            takes.append(Take(notional, value))
            for b, weight in demand.weight.items():
                used[b] = used.get(b, Decimal(0)) + weight * notional
    return takes
