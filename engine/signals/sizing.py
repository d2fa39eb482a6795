"""A signal's size, and the quantities that signals of one grid time share.  [S4.3]

Size = min(target, registered share of the smallest depth among the legs, what is left of it).  A signal takes
``|q| size / S`` base units from the side each leg hits; together they take no more of a side than the registered share
of what it displays.  The cost of a smaller size is recomputed, so that a row's net follows from the row.  [S3.7]
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from engine.costs.base import LegTerms, leg_terms
from engine.costs.total import costs_of
from engine.market.view import PreparedPanel
from engine.positions.base import LegQuote, Signal
from engine.positions.leg_quotes import quotes_of
from engine.records import CostModel, Kind
from engine.signals.episodes import Candidates


@dataclass(slots=True)
class AvailableDepth:
    """What signals of one grid time have taken from each side of each book, base units."""

    view: PreparedPanel
    row: int
    taken: dict[tuple[int, bool], float] = field(default_factory=dict)

    def left(self, leg: LegQuote) -> float:
        """Return the base units that may still be taken from the side ``leg`` hits; infinite where none is shown."""
        shown = leg.ask_size if leg.quantity > 0.0 else leg.bid_size
        if shown != shown:
            return float("inf")
        return self.view.params.depth_share * shown - self.taken.get((leg.code, leg.quantity > 0.0), 0.0)

    def take(self, signal: Signal) -> None:
        """Remember what ``signal`` takes."""
        for leg in signal.legs:
            side = (leg.code, leg.quantity > 0.0)
            self.taken[side] = self.taken.get(side, 0.0) + abs(leg.quantity) * signal.size_usd / signal.spot_usd


def propose(room: AvailableDepth, each: Candidates, candidate: int, fold: int) -> Signal:
    """Return the signal of one candidate at the row of ``room``, at the size left for it: 0 where nothing is."""
    view, row, found = room.view, room.row, each.violations
    constraint, venue, expiry_ns, side, short = each.key
    at = int(each.at[candidate])
    rule = view.params.rules[constraint]
    terms = leg_terms(
        view,
        found.packages.row[at : at + 1],
        found.packages.column[at : at + 1],
        found.packages.quantity[at : at + 1],
        rule.life_ns,
    )
    legs = quotes_of(view, row, terms)
    spot_usd = float(view.spot_usd[row])
    decided_usd = float(found.costs.size_usd[at])
    size_usd = max(0.0, min([decided_usd, *(room.left(leg) * spot_usd / abs(leg.quantity) for leg in legs)]))
    costs, row_of = (found.costs, at) if size_usd == decided_usd else (costs_of(_at_size(terms, size_usd)), 0)
    gross, carry = float(found.packages.gross_bps[at]), float(found.packages.carry_bps[at])
    cost = float(costs.cost_bps[row_of])
    return Signal(
        constraint=constraint,
        underlying=view.panel.underlying,
        venue=venue,
        expiry_ns=expiry_ns,
        side=side,
        short=short,
        t_ns=int(view.panel.times_ns[row]),
        fold=fold,
        spot_usd=spot_usd,
        legs=legs,
        gross_bps=gross,
        carry_bps=carry,
        borrow_bps=float(costs.borrow_bps[row_of]),
        capital_bps=float(costs.capital_bps[row_of]),
        cost_bps=cost,
        net_bps=gross + carry - cost,
        threshold_bps=rule.threshold_bps,
        size_usd=size_usd,
        cost_model=CostModel(int(costs.model[row_of])),
        detail=_detail(view, row, each, at, legs),
        signal_id="",
        provenance_hash="",
    )


def _at_size(terms: LegTerms, size_usd: float) -> LegTerms:
    return replace(terms, size_usd=np.array([size_usd], dtype=np.float64))


def _detail(view: PreparedPanel, row: int, each: Candidates, at: int, legs: tuple[LegQuote, ...]) -> dict[str, float]:
    """Return the constraint's own figures, and each perp leg's rate in force, from which its carry follows."""
    packages, table = each.violations.packages, view.panel.instruments
    detail = {name: float(values[at]) for name, values in packages.detail.items()}
    for number, leg in enumerate(legs):
        rate = float(view.panel.funding_rate[row, view.panel.column(leg.code)])
        if table.kind[leg.code] == Kind.PERP and rate == rate:
            detail[f"rate_{number}"] = rate
    return detail
