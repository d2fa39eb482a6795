"""Reads at which price a venue settled what expired, from its own answers, JSON.  [venues V2, S8.2]

``get_delivery_prices`` and ``get_last_settlements_by_currency`` (or ``_by_instrument``) of Deribit, ``delivery-price``
of Binance, as their documentation has them.  A price is of a day, or of one contract; a build puts it on every contract
of the data set that expired on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtest.data.adapters import cells, rows
from backtest.data.adapters.base import Adapter, Chunk, ExpiryPrice, SourceSpec
from backtest.data.adapters.files import check_fit, check_options, matching, read_json, shown, text
from backtest.data.adapters.instruments import InstrumentListing, deribit, table
from engine.errors import DataError, UsageError
from engine.records import Feed, Kind, Right
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND

_INDEX: Final = re.compile(r"(?P<base>[a-z0-9]{2,12})_(?P<quote>usdc|usd)", re.ASCII)
_PAIR: Final = re.compile(r"(?P<base>[A-Z0-9]{2,12}?)(?P<quote>USDT|USDC|USD)", re.ASCII)
_LATEST_NS: Final = NS_PER_HOUR  # an event is stamped when it was booked
_PAYOFF: Final = 1e-4
"""How far a mark may be from the payoff at its index, as a share of it: the coarsest step of an option's price."""


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file, without rows: its prices are the chunk's ``deliveries``.

    Options: ``answer``, one of get_delivery_prices (and then ``index``, which the answer does not say, ``btc_usd`` of
    coin-settled contracts, ``btc_usdc`` of USDC-settled ones), get_last_settlements, delivery-price (and then ``pair``,
    ``BTCUSDT`` or of coin-margined contracts ``BTCUSD``).  Raises ``DataError`` for another form, an answer of the test
    network, two prices of one day or contract, a file name of another index, and a settlement whose mark is not its
    payoff at its index.
    """
    answer = text(spec, "answer", ("get_delivery_prices", "get_last_settlements", "delivery-price"))
    check_options(spec, ("answer",), ("index", "pair"))
    check_fit(spec, answer == "get_delivery_prices", "index", "get_delivery_prices")
    check_fit(spec, answer == "delivery-price", "pair", "delivery-price")
    for path in matching(root, spec):
        where = shown(root, path)
        value = read_json(path, where)
        if isinstance(value, dict) and value.get("testnet"):
            raise DataError(f"{where}: expected an answer of the venue, was one of its test network (testnet: true)")
        if answer == "get_last_settlements":
            deliveries, others = _settlements(value, where)
        else:
            deliveries, others = _prices(value, answer, spec, path.name, where), 0
        _check_once(deliveries, where)
        nothing = rows.bars(np.empty(0, np.int64), "", np.empty(0))
        passed = {"settlements of other types": others} if others else {}
        yield Chunk(where, table([]), nothing, passed, deliveries=tuple(deliveries))


def _prices(value: Any, answer: str, spec: SourceSpec, file: str, where: str) -> list[ExpiryPrice]:
    """Return the prices of days of one index or pair."""
    of_deribit = answer == "get_delivery_prices"
    key, form, example = ("index", _INDEX, "btc_usd") if of_deribit else ("pair", _PAIR, "BTCUSDT")
    match = form.fullmatch(text(spec, key))
    if match is None:
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected option {key} like {example}, was {spec.options[key]!r:.200}"
        )
    spoken = [found.group(0) for found in form.finditer(file)]
    if spoken and match.group(0) not in spoken:
        raise DataError(f"{where}: expected a file of {match.group(0)}, was one of {spoken[0]} by its name")
    base, quote = match["base"].upper(), match["quote"].upper()
    settle = base if quote == "USD" else quote
    items = cells.item(cells.item(value, "result", where), "data", where) if of_deribit else value
    price = "delivery_price" if of_deribit else "deliveryPrice"
    return [
        ExpiryPrice(
            "deribit" if of_deribit else "binance", base, settle, "", _day(item, place), _price(item, price, place)
        )
        for place, item in _items(items, where)
    ]


def _day(item: Any, place: str) -> int:
    """Return the UTC day since 1970-01-01 of a price; Binance's ``deliveryTime`` may be the day's midnight."""
    if not isinstance(item, dict) or "date" not in item:
        return cells.whole(item, "deliveryTime", place) * NS_PER_MS // NS_PER_DAY
    written = cells.text(item, "date", place)
    try:
        moment = datetime.strptime(written, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise DataError(f"{place}, field date: expected a day like 2026-01-30, was {written!r:.200}") from error
    return int(moment.timestamp()) * NS_PER_SECOND // NS_PER_DAY


def _settlements(value: Any, where: str) -> tuple[list[ExpiryPrice], int]:
    """Return the deliveries of an answer of settlements, and how many rows of other types it has."""
    deliveries, others = [], 0
    for place, item in _items(cells.item(cells.item(value, "result", where), "settlements", where), where):
        if cells.text(item, "type", place) != "delivery":
            others += 1
            continue
        name = cells.text(item, "instrument_name", place)
        try:
            listing = deribit(name, Feed.BOOK)
        except DataError as error:
            raise DataError(f"{place}, field instrument_name: {error}") from error
        t_ns = cells.whole(item, "timestamp", place) * NS_PER_MS
        if listing.expiry_ns == NEVER_NS or not 0 <= t_ns - listing.expiry_ns <= _LATEST_NS:
            raise DataError(
                f"{place}, field timestamp: expected the delivery of {listing.name} within an hour of its expiry, was "
                f"{cells.whole(item, 'timestamp', place)} ms; fetch the answer again"
            )
        price = _price(item, "index_price", place)
        _check_payoff(listing, price, cells.number(item, "mark_price", place), place)
        day = listing.expiry_ns // NS_PER_DAY
        deliveries.append(ExpiryPrice("deribit", listing.base, listing.settle, listing.symbol, day, price))
    return deliveries, others


def _check_payoff(listing: InstrumentListing, index: float, mark: float, place: str) -> None:
    """Raise where the mark at delivery is not what the contract pays at ``index``: it was no settlement price."""
    payoff = index
    if listing.kind == Kind.OPTION:
        payoff = max(0.0, (index - listing.strike) * (1 if listing.right == Right.CALL else -1))
    unit = index if listing.quote == listing.base else 1.0  # a premium is in coin
    if abs(mark - payoff / unit) > _PAYOFF * index / unit:
        raise DataError(
            f"{place}, field index_price: expected the price at which {listing.name} settled, was {index:g} with a "
            f"mark of {mark:g} where the contract pays {payoff / unit:g}; take get_delivery_prices instead"
        )


def _items(value: Any, where: str) -> list[tuple[str, Any]]:
    if not isinstance(value, list) or not value:
        raise DataError(f"{where}: expected a list of prices, was {str(value)[:100]!r}; is option answer another?")
    return [(f"{where}, row {number}", item) for number, item in enumerate(value, 1)]


def _price(item: Any, key: str, place: str) -> float:
    price = cells.number(item, key, place)
    if price <= 0.0:
        raise DataError(f"{place}, field {key}: expected a price above 0, was {price:g}; fetch the answer again")
    return price


def _check_once(deliveries: list[ExpiryPrice], where: str) -> None:
    seen: dict[tuple[str, int], float] = {}
    for each in deliveries:
        if (each.symbol, each.day) in seen:
            raise DataError(
                f"{where}: expected one settlement price of {each.symbol or each.base} on "
                f"{np.datetime64(each.day, 'D')}, was two, {seen[each.symbol, each.day]:g} and {each.price:g}; "
                "keep one answer"
            )
        seen[each.symbol, each.day] = each.price


ADAPTER: Final = Adapter(
    name="deliveries",
    title="Settlement prices of what expired, by the venues' own answers, JSON",
    verified="",
    ordered=True,
    read=read,
)
