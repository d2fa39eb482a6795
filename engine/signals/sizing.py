"""Sizes a signal, and limits the depth that signals of one grid time share.  [S4.3]

Size = min(target, registered share of the smallest depth among the legs, the depth that earlier signals of the same
grid time left), run down to the first size at which every leg is a whole number of lots [venues V4].  A signal takes
``|q| size / S`` base units from the side that each leg hits; together, signals take at most the registered share of the
displayed size, but for what a leg is rounded up.  The cost of a reduced size is recomputed, so that a signal's net
follows from its own figures.  [S3.7]
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from engine.costs.base import LegTerms, leg_terms
from engine.costs.expected_funding import rate_at
from engine.costs.lots import in_whole_lots
from engine.costs.total import costs_of
from engine.market.past_curves import past_curves
from engine.market.view import PreparedPanel
from engine.positions.base import LegQuote, Signal
from engine.positions.leg_quotes import quotes_of
from engine.records import CostModel, Kind
from engine.signals.episodes import Candidates
from engine.units import NS_PER_DAY


@dataclass(slots=True)
class AvailableDepth:
    """Base units that signals of one grid time have taken from each side, (instrument code, buys), of each book."""

    view: PreparedPanel
    row: int
    taken: dict[tuple[int, bool], float] = field(default_factory=dict)

    def left(self, leg: LegQuote) -> float:
        """Return the base units left to take from the side that ``leg`` hits; infinite if its size is unknown (NaN)."""
        shown = leg.ask_size if leg.quantity > 0.0 else leg.bid_size
        if shown != shown:
            return float("inf")
        return self.view.params.depth_share * shown - self.taken.get((leg.code, leg.quantity > 0.0), 0.0)

    def take(self, signal: Signal) -> None:
        """Add the base units that ``signal`` takes to ``taken``."""
        for leg in signal.legs:
            side = (leg.code, leg.quantity > 0.0)
            self.taken[side] = self.taken.get(side, 0.0) + abs(leg.quantity) * signal.size_usd / signal.spot_usd


def sized_signal(depth: AvailableDepth, candidates: Candidates, candidate: int, fold: int) -> Signal:
    """Return the signal of ``candidates.rows[candidate]``, the row of ``depth``, not yet identified.

    ``size_usd`` is reduced to the available depth and to whole lots; 0 if not one is left.
    """
    view, row, violations = depth.view, depth.row, candidates.violations
    constraint, venue, expiry_ns, side, short = candidates.key
    package = int(candidates.package[candidate])
    rule = view.params.rules[constraint]
    terms = leg_terms(
        view,
        violations.packages.row[package : package + 1],
        violations.packages.column[package : package + 1],
        violations.packages.quantity[package : package + 1],
        rule.life_ns,
    )
    spot_usd = float(view.spot_usd[row])
    whole_usd = float(terms.size_usd[0])
    room = [depth.left(leg) * spot_usd / abs(leg.quantity) for leg in quotes_of(view, row, terms)]
    size_usd = max(0.0, min([whole_usd, *room]))
    lots = in_whole_lots(_at_size(terms, size_usd))
    legs = quotes_of(view, row, lots.terms)
    # The costs of the detected size are kept as they are: recomputing them could round differently.
    costs, cost_row = (violations.costs, package) if size_usd == whole_usd else (costs_of(lots), 0)
    gross, carry = float(violations.packages.gross_bps[package]), float(violations.packages.carry_bps[package])
    cost = float(costs.cost_bps[cost_row])
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
        borrow_bps=float(costs.borrow_bps[cost_row]),
        capital_bps=float(costs.capital_bps[cost_row]),
        cost_bps=cost,
        net_bps=gross + carry - cost,
        threshold_bps=rule.threshold_bps,
        size_usd=float(lots.terms.size_usd[0]) if lots.fits[0] else 0.0,
        cost_model=CostModel(int(costs.model[cost_row])),
        chosen=tuple(terms.quantity[0][terms.present[0]].tolist()),
        lots=tuple(lots.count[0][terms.present[0]].tolist()) if view.params.lots else (),
        detail=_detail(depth, candidates, package, legs),
        signal_id="",
        provenance_hash="",
        # only a rule with a look-back reads the past; of all it may read, the curves are the one history there is
        series=past_curves(view, int(view.panel.times_ns[row]) // NS_PER_DAY) if rule.lookback_ns else {},
    )


def _at_size(terms: LegTerms, size_usd: float) -> LegTerms:
    return replace(terms, size_usd=np.array([size_usd], dtype=np.float64))


def _detail(
    depth: AvailableDepth, candidates: Candidates, package: int, legs: tuple[LegQuote, ...]
) -> dict[str, float]:
    """Return the constraint's own figures and, by number of the leg, the ``rate`` of funding and the depth ``taken``.

    The rate gives a perp leg its carry; base units taken by earlier signals of the grid time limit the size.
    """
    view, row, packages = depth.view, depth.row, candidates.violations.packages
    table = view.panel.instruments
    detail = {name: float(values[package]) for name, values in packages.detail.items()}
    for number, leg in enumerate(legs):
        rate = float(rate_at(view, np.array([row]), np.array([view.panel.column(leg.code)]))[0])
        if table.kind[leg.code] == Kind.PERP and rate == rate:
            detail[f"rate_{number}"] = rate
        taken = depth.taken.get((leg.code, leg.quantity > 0.0), 0.0)
        if taken > 0.0:
            detail[f"taken_{number}"] = taken
    return detail
