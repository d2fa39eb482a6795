"""From the names venues give to instruments of the data set."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from backtest.data.adapters.instruments import deribit, inverse_perp, is_deribit_future, linear_perp, spot
from engine.errors import DataError
from engine.records import ACCRUAL_NS, Feed, Kind, Right
from engine.units import NEVER_NS, NS_PER_HOUR, NS_PER_SECOND


def test_an_option_of_deribit_is_priced_and_settled_in_coin_and_expires_at_eight() -> None:
    """The name alone tells strike, right and expiry; Deribit's contracts end at 08:00 UTC."""
    option = deribit("BTC-6MAR26-95000-P", Feed.TOUCH)
    assert (option.kind, option.strike, option.right) == (Kind.OPTION, 95000.0, Right.PUT)
    assert (option.quote, option.settle, option.contract_size, option.inverse) == ("BTC", "BTC", 1.0, False)
    assert option.expiry_ns == int(datetime(2026, 3, 6, 8, tzinfo=UTC).timestamp()) * NS_PER_SECOND


def test_a_usdc_option_is_priced_in_usd_and_may_have_a_strike_below_one() -> None:
    """Linear options carry _USDC; a d in the strike is the decimal point."""
    option = deribit("XRP_USDC-27MAR26-2d45-C", Feed.TOUCH)
    assert (option.underlying, option.quote, option.strike, option.right) == ("XRP", "USD", 2.45, Right.CALL)


@pytest.mark.parametrize(("symbol", "face"), [("BTC-PERPETUAL", 10.0), ("ETH-PERPETUAL", 1.0), ("BTC-27MAR26", 10.0)])
def test_an_inverse_future_of_deribit_has_its_face_in_dollars(symbol: str, face: float) -> None:
    """10 USD a contract for BTC, 1 USD for ETH; priced in USD and settled in coin."""
    future = deribit(symbol, Feed.MARK)
    assert (future.contract_size, future.inverse, future.quote, future.settle) == (face, True, "USD", symbol[:3])
    assert (future.expiry_ns == NEVER_NS) == (symbol[4:] == "PERPETUAL")
    assert future.funding_interval_ns == (ACCRUAL_NS if future.kind == Kind.PERP else 0)


@pytest.mark.parametrize(
    "symbol", ["BTC-31APR26", "BTC-FS-27MAR26_PERP", "SYN.BTC-16JAN26", "index_price", "BTC-1-C", ""]
)
def test_what_is_no_listed_contract_is_refused(symbol: str) -> None:
    """A combo, a synthetic forward or a day that does not exist never becomes an instrument."""
    with pytest.raises(DataError, match="was"):
        deribit(symbol, Feed.MARK)


def test_only_listed_dated_futures_count_as_forwards() -> None:
    """Interpolated expiries (SYN.) and the index have no future to trade."""
    names = ["BTC-27MAR26", "SYN.BTC-16JAN26", "index_price", "BTC-PERPETUAL", "BTC-27MAR26-95000-C"]
    assert [is_deribit_future(name) for name in names] == [True, False, False, False, False]


def test_a_pair_of_dollars_is_fx_and_a_coin_is_itself() -> None:
    """Conversion pairs join every panel; a USDCUSDT perp does too, but as a perp."""
    assert spot("binance", "USDC", "USDT", Feed.BAR, bar=1).underlying == "FX"
    assert spot("binance", "BTC", "USDT", Feed.BAR, bar=1).underlying == "BTC"
    assert linear_perp("binance", "USDC", "USDT", Feed.BAR, funding_ns=1, bar=1).kind == Kind.PERP


@pytest.mark.parametrize("called", ["USD", "USDC", "USDT"])
@pytest.mark.parametrize(("base", "price"), [("BTC", "USDT"), ("ETH", "USDT"), ("HYPE", "USDC"), ("PURR", "USDC")])
def test_hyperliquid_prices_in_usdt_and_pays_usdc_whatever_a_file_calls_it(called: str, base: str, price: str) -> None:
    """Its page "Contract specifications": no conversion of USDC/USDT is applied; HYPE and PURR are priced in USDC."""
    perp = linear_perp("hyperliquid", base, called, Feed.BAR, funding_ns=NS_PER_HOUR, bar=NS_PER_HOUR)
    assert (perp.name, perp.quote, perp.settle) == (f"hyperliquid:{base}-PERP", price, "USDC")


def test_a_perp_quoted_in_usd_elsewhere_settles_in_usdc() -> None:
    """DYdX names no dollar."""
    perp = linear_perp("dydx", "BTC", "USD", Feed.BAR, funding_ns=NS_PER_HOUR, bar=NS_PER_HOUR)
    assert (perp.name, perp.quote, perp.settle) == ("dydx:BTC-PERP", "USD", "USDC")


@pytest.mark.parametrize("symbol", ["BTC_USDC-PERPETUAL", "BTC_USDC-27MAR26", "BTC_USDC-27MAR26-95000-C"])
def test_what_settles_in_usdc_at_deribit_is_priced_in_usd(symbol: str) -> None:
    """One to one: a quanto."""
    listing = deribit(symbol, Feed.BOOK)
    assert (listing.quote, listing.settle, listing.inverse) == ("USD", "USDC", False)


def test_contracts_become_base_units_where_a_contract_is_dollars() -> None:
    """200 contracts of 100 USD at 50,000 and 40,000 USD are 0.4 and 0.5 coins; other amounts are coins already."""
    amount, price = np.array([200.0, 200.0]), np.array([50_000.0, 40_000.0])
    inverse = inverse_perp("binance", "BTC", Feed.BOOK, face_usd=100.0, funding_ns=1)
    assert inverse.base_size(amount, price).tolist() == [0.4, 0.5]
    assert spot("binance", "BTC", "USDT", Feed.BOOK).base_size(amount, price).tolist() == [200.0, 200.0]
