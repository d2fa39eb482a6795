"""The rows of lots and ticks of a plan's venues, as the engine is given them.  [venues V4]"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from backtest.registration import market
from engine.lot_rows import Lot, PriceTick
from engine.records import Kind


def lot_rows(venues: Iterable[market.Venue]) -> tuple[Lot, ...]:
    """Return the lots of all ``venues``, in the order written."""
    return tuple(_lot(venue.name, row) for venue in venues for row in venue.lots)


def tick_rows(venues: Iterable[market.Venue]) -> tuple[PriceTick, ...]:
    """Return the price ticks of all ``venues``, in the order written."""
    return tuple(_tick(venue.name, row) for venue in venues for row in venue.ticks)


def _lot(venue: str, row: market.LotRow) -> Lot:
    return Lot(
        venue=venue,
        kind=Kind[row.kind.upper()],
        symbol=row.symbol or "",
        base=row.base or "",
        settle=row.settle or "",
        period=row.settlement_period or "",
        lot=float(Decimal(row.lot) * Decimal(row.multiplier or "1")),
        as_of=row.first_day,
        source=row.source,
        verified=row.verified or "",
    )


def _tick(venue: str, row: market.TickRow) -> PriceTick:
    return PriceTick(
        venue=venue,
        kind=Kind[row.kind.upper()],
        symbol=row.symbol or "",
        base=row.base or "",
        settle=row.settle or "",
        period=row.settlement_period or "",
        tick=float(row.tick),
        above=tuple((float(step.price), float(step.tick)) for step in row.above),
        as_of=row.first_day,
        source=row.source,
        verified=row.verified or "",
    )
