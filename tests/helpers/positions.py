"""Builders of signals and positions, valid and dull, beside `tests.helpers.builders`.

view = prepare(block, params(), curves())
held = signal(view, 0, {"binance:BTCUSDC-PERP": -1.0, "binance:BTCUSDC": 1.0}, gross_bps=100.0)
position = resolved(held, view)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.market.view import PreparedPanel
from engine.positions.base import OpenPosition, Position, Signal
from engine.positions.exits import advance_one, unfilled
from engine.positions.leg_quotes import quotes_of, terms_at
from engine.records import CostModel
from engine.units import NEVER_NS


def signal(
    view: PreparedPanel,
    row: int,
    legs: Mapping[str, float],
    *,
    constraint: str = "C1",
    gross_bps: float = 100.0,
    **changes: Any,
) -> Signal:
    """The signal of a package of ``legs`` (name -> quantity) at ``row``, with a net of half its gross."""
    table = view.panel.instruments
    codes = [table.code_of(name) for name in legs]
    terms = terms_at(view, row, codes, list(legs.values()), view.params.rules[constraint].life_ns)
    short = min(zip(legs.values(), codes, strict=True))[1]
    made = Signal(
        chosen=tuple(legs.values()),
        lots=(),
        constraint=constraint,
        underlying=view.panel.underlying,
        venue=table.venue[codes[0]],
        expiry_ns=min(int(table.expiry_ns[c]) for c in codes),
        side=1,
        short=short,
        t_ns=int(view.panel.times_ns[row]),
        fold=0,
        spot_usd=float(view.spot_usd[row]),
        legs=quotes_of(view, row, terms),
        gross_bps=gross_bps,
        carry_bps=0.0,
        borrow_bps=0.0,
        capital_bps=0.0,
        cost_bps=0.5 * gross_bps,
        net_bps=0.5 * gross_bps,
        threshold_bps=view.params.rules[constraint].threshold_bps,
        size_usd=25_000.0,
        cost_model=CostModel.DEPTH,
        detail={},
        signal_id="",
        provenance_hash="",
    )
    made = replace(made, **changes)
    identity, provenance = identify(made, view)
    return replace(made, signal_id=made.signal_id or identity, provenance_hash=provenance)


def identify(made: Signal, view: PreparedPanel | None) -> tuple[str, str]:
    """A stand-in for the ledger's ids: a hash of the key and the time, names instead of codes."""
    short = view.panel.instruments.name[made.short] if view else str(made.short)
    parts = (made.constraint, made.underlying, made.venue, made.expiry_ns, made.side, short, made.t_ns)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return digest[:36], digest


def resolved(made: Signal, *views: PreparedPanel) -> Position:
    """The position that ``made`` becomes over ``views``; fails where it is still open at their end."""
    held: OpenPosition | Position = unfilled(made)
    for view in views:
        if isinstance(held, OpenPosition):
            held = advance_one(held, view, view.params)
    assert isinstance(held, Position), "still open at the end of the data"
    return held


def carried(made: Signal, *views: PreparedPanel) -> OpenPosition:
    """What is carried of ``made`` after ``views``."""
    held: OpenPosition | Position = unfilled(made)
    for view in views:
        assert isinstance(held, OpenPosition)
        held = advance_one(held, view, view.params)
    assert isinstance(held, OpenPosition)
    assert held.entry_ns != NEVER_NS
    return held
