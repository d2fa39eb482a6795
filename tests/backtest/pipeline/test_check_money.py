"""A data set whose instruments are in other currencies than the plan registers is refused.  [venues V1]"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backtest.data.adapters import instruments as listed
from backtest.data.adapters.instruments import InstrumentListing, table
from backtest.data.format.dataset import Dataset
from backtest.data.format.schema import instruments_from_frame
from backtest.pipeline.check_money import check_money
from backtest.records import Registration
from backtest.registration.load import load_registration
from engine.errors import DataError, UsageError
from engine.params import Params
from engine.records import Feed
from engine.units import NS_PER_HOUR
from tests.backtest.data.markets import START, quote, store

DEMO = Path("configs/demo.toml")
PERP = listed.linear_perp("hyperliquid", "BTC", "USD", Feed.BOOK, funding_ns=NS_PER_HOUR)


def market(folder: Path, *listings: InstrumentListing) -> Dataset:
    return store(folder, instruments_from_frame(table(listings)), [quote(START, 0, 1.0, 2.0)])


def without(plan: Registration, as_of: bool = False) -> Registration:
    """The plan without rows of money; with the older form of fees where ``as_of``."""
    venues = [
        {**venue, "fees": [{"as_of": "2026-01-01"}] if as_of else venue["fees"]} for venue in plan.content["venues"]
    ]
    return replace(plan, params=replace(plan.params, money=()), content={**plan.content, "venues": venues})


@pytest.mark.parametrize(
    "listing",
    [
        PERP,
        listed.linear_perp("binance", "BTC", "USDT", Feed.BOOK, funding_ns=8 * NS_PER_HOUR),
        listed.linear_perp("binance", "BTC", "USDC", Feed.BOOK, funding_ns=8 * NS_PER_HOUR),
        listed.spot("binance", "BTC", "USDC", Feed.BOOK),
        listed.spot("binance", "USDC", "USDT", Feed.BOOK),
        *(listed.deribit(symbol, Feed.BOOK) for symbol in (
            "BTC-PERPETUAL", "BTC-27MAR26", "BTC-27MAR26-95000-C", "BTC_USDC-27MAR26", "BTC_USDC-27MAR26-95000-C")),
    ],
    ids=lambda listing: listing.name,
)  # fmt: skip
def test_adapters_and_rows_say_the_same(tmp_path: Path, listing: InstrumentListing) -> None:
    """What the adapters write is what the venue files register; another dollar in either place is refused by name."""
    plan = load_registration(DEMO)
    check_money(market(tmp_path / "a", listing), plan)
    for what in ("quote", "settle"):
        other = replace(listing, **{what: "FDUSD"})
        with pytest.raises(DataError, match=f"{listing.name}: expected its .*was in FDUSD|FDUSD"):
            check_money(market(tmp_path / what, other), replace(plan, params=named_rows(plan)))


def named_rows(plan: Registration) -> Params:
    """Rows that admit every settlement currency, so that another one contradicts and is not simply unknown."""
    return replace(plan.params, money=tuple(replace(row, settle="") for row in plan.params.money))


def test_an_older_data_set_of_hyperliquid_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    """Built when its perps were read in USD."""
    with pytest.raises(
        DataError, match=r"hyperliquid:BTC-PERP: expected its price in USDT, .* was in USD: build"
    ) as told:
        check_money(market(tmp_path / "a", replace(PERP, quote="USD")), load_registration(DEMO))
    assert told.value.exit_code == 4


def test_a_lacking_row_is_refused_with_key_venue_and_what_is_known(tmp_path: Path) -> None:
    """Of a contract that a constraint can trade; not of another coin, nor of a plan of the older form."""
    plan = load_registration(DEMO)
    with pytest.raises(UsageError, match=r"venues\.money .* was none for hyperliquid perp \(known: none\)"):
        check_money(market(tmp_path / "a", PERP), without(plan))
    check_money(market(tmp_path / "b", replace(PERP, symbol="SOL-PERP", underlying="SOL")), without(plan))
    check_money(market(tmp_path / "c", PERP), without(plan, as_of=True))
    later = tuple(replace(row, as_of="2099-01-01") for row in plan.params.money)
    with pytest.raises(UsageError, match="hyperliquid perp from 2099-01-01"):
        check_money(market(tmp_path / "d", PERP), replace(plan, params=replace(plan.params, money=later)))
