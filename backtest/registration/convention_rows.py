"""The dated rows of a plan's venues, as the engine is given them.  [venues V1-V5]"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, TypedDict

from backtest.registration import market
from backtest.registration.fields import hours, seconds
from engine.convention_rows import DeliveryRule, FeeRate, FundingRule, Lot, MoneyRule, PriceTick
from engine.records import Kind

KINDS: Final = {"spot": Kind.SPOT, "perp": Kind.PERP, "future": Kind.FUTURE, "option": Kind.OPTION}


class ConventionRows(TypedDict):
    """The rows of `engine.params.Params`, fees apart, in the order written."""

    delivery: tuple[DeliveryRule, ...]
    money: tuple[MoneyRule, ...]
    funding: tuple[FundingRule, ...]
    lots: tuple[Lot, ...]
    ticks: tuple[PriceTick, ...]


def convention_rows(venues: Sequence[market.Venue]) -> ConventionRows:
    """Return the rows of all ``venues``."""
    return {
        "delivery": tuple(
            DeliveryRule(**_shared(venue, row), average_ns=seconds(row.average_s))
            for venue in venues
            for row in venue.delivery
        ),
        "money": tuple(
            MoneyRule(**_shared(venue, row), price=row.price, index=row.index, money=row.money)
            for venue in venues
            for row in venue.money
        ),
        "funding": tuple(_funding(venue, row) for venue in venues for row in venue.funding),
        "lots": tuple(
            Lot(**_shared(venue, row), lot=float(Decimal(row.lot) * Decimal(row.multiplier or "1")))
            for venue in venues
            for row in venue.lots
        ),
        "ticks": tuple(_tick(venue, row) for venue in venues for row in venue.ticks),
    }


def fee_rates(venues: Sequence[market.Venue]) -> tuple[FeeRate, ...]:
    """Return the fees of all ``venues``, in the order written."""
    return tuple(fee for venue in venues for fee in _fees(venue))


def _fees(venue: market.Venue) -> Iterator[FeeRate]:
    """Yield the fees of a venue; the earliest ``as_of`` of a kind, in a plan of that form, is in force always."""
    older: dict[str, str] = {}
    for fee in venue.fees:
        if fee.as_of is not None:
            older[fee.kind] = min(fee.as_of, older.get(fee.kind, fee.as_of))
    for fee in venue.fees:
        always = fee.as_of is not None and fee.as_of == older[fee.kind]
        yield FeeRate(
            **_keys(venue, fee),
            # Fees are selected by symbol, settlement currency and settlement period.
            base="",
            as_of="1970-01-01" if always else fee.first_day or fee.as_of or "",
            taker_bps=float(fee.taker_bps),
            cap=None if fee.cap_share is None else float(fee.cap_share),
            delivery_bps=float(fee.delivery_bps),
            delivery_cap=None if fee.delivery_cap_share is None else float(fee.delivery_cap_share),
        )


def _funding(venue: market.Venue, row: market.FundingTable) -> FundingRule:
    interval_ns = hours(row.interval_h) if row.interval_h else 0
    return FundingRule(**_shared(venue, row), accrues=row.mode == "accrues", interval_ns=interval_ns)


def _tick(venue: market.Venue, row: market.TickRow) -> PriceTick:
    above = tuple((float(step.price), float(step.tick)) for step in row.above)
    return PriceTick(**_shared(venue, row), tick=float(row.tick), above=above)


def _shared(venue: market.Venue, row: market.ConventionTable) -> dict[str, Any]:
    """Return the fields that every row has but fees, which know no base and an older form of the day."""
    return {**_keys(venue, row), "base": row.base or "", "as_of": row.first_day}


def _keys(venue: market.Venue, row: market.ConventionTable | market.Fee) -> dict[str, Any]:
    return {
        "venue": venue.name,
        "kind": KINDS[row.kind],
        "source": row.source,
        "symbol": row.symbol or "",
        "settle": row.settle or "",
        "period": row.settlement_period or "",
        "verified": row.verified or "",
    }
