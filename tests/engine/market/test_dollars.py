"""The dollars of a block by the pairs that a plan names, and the guard of their peg.  [venues V1]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.constraints.detect import detect
from engine.constraints.peg_guard import has_two_dollars, is_off_peg
from engine.market.view import prepare
from engine.params import CashCarryPair, Dollars
from engine.records import Right
from tests.helpers.builders import (
    T0_NS,
    curves,
    future,
    fx,
    instruments,
    market,
    option,
    panel,
    params,
    perp,
    quote,
    spot,
)
from tests.helpers.markets import Market, flat_history

PAIR = "binance:USDCUSDT"


@pytest.mark.parametrize(
    ("dollars", "usd"),
    [
        (Dollars(PAIR, "", "", "USDC", 25.0), 1.0),
        (Dollars(PAIR, "kraken:USDCUSD", "", "", 25.0), 1 / 0.9995),
        (Dollars(PAIR, "", "kraken:USDTUSD", "", 25.0), (1 / 1.001) / 0.9984),
        (Dollars(PAIR, "kraken:absent", "", "", 25.0), float("nan")),
    ],
)
def test_usd_is_what_the_plan_says_or_what_its_pair_says(dollars: Dollars, usd: float) -> None:
    """In USDC: 1, or one over USDC/USD, or USDT in USDC over USDT/USD; without its pair USD has no value."""
    table = instruments(
        spot("binance:BTCUSDC"), fx(PAIR),
        fx("kraken:USDCUSD", quote="USD", settle="USD"), fx("kraken:USDTUSD", base="USDT", quote="USD", settle="USD"),
        perp("deribit:BTC-PERPETUAL", quote="USD", settle="BTC", inverse=True),
    )  # fmt: skip
    shown = {"binance:BTCUSDC": quote(100_000.0), PAIR: quote(1.001), "kraken:USDCUSD": quote(0.9995),
             "kraken:USDTUSD": quote(0.9984), "deribit:BTC-PERPETUAL": quote(100_000.0)}  # fmt: skip
    fees = (*params().fees, replace(params().fees[0], venue="kraken"))
    view = prepare(panel(table, shown), params(dollars=dollars, fees=fees), curves())
    at = view.panel.column(table.code_of("deribit:BTC-PERPETUAL"))
    assert view.usd[0, at] == pytest.approx(usd, rel=1e-12, nan_ok=True)
    assert view.usable[0, at] == (usd == usd)
    usdt = view.panel.column(table.code_of(PAIR))
    assert view.usd[0, usdt] == pytest.approx(1 / 1.001, rel=1e-12)


def test_the_guard_opens_at_the_registered_distance_and_closes_above_it() -> None:
    """25 bps is on the peg, a micro-bp more is off it, on both sides; what is not known is off."""
    edge = np.array([1.0025, 1.002500001, 0.9975, 0.997499999, 1.0, np.nan])
    assert is_off_peg(edge, 25.0).tolist() == [False, True, False, True, False, True]
    assert is_off_peg(edge[:4], 26.0).tolist() == [False] * 4


@pytest.mark.parametrize(
    ("legs", "two"),
    [
        (("hyperliquid:BTC-PERP", "binance:BTCUSDT"), True),  # one price, two moneys
        (("binance:BTCUSDT-PERP", "binance:BTCUSDT"), False),
        (("binance:BTCUSDC-PERP", "binance:BTCUSDC"), False),
        (("binance:BTCUSDC-PERP", "binance:BTCUSDT"), True),
        (("deribit:BTC-PERPETUAL", "binance:BTCUSDC"), False),  # USD counts as USDC; a coin is no dollar
        (("deribit:BTC-PERPETUAL", "binance:BTCUSDT"), True),
        (("deribit:OPTION", "deribit:FUTURE"), False),
        (("deribit:LINEAR", "binance:BTCUSDC"), False),  # priced in USD, paid in USDC
        (("deribit:LINEAR", "binance:BTCUSDT"), True),
    ],
)
def test_two_dollars_are_two_prices_or_two_moneys(legs: tuple[str, str], two: bool) -> None:
    """By the text of the ruling, leg by leg."""
    table = instruments(
        spot("binance:BTCUSDC"), spot("binance:BTCUSDT", quote="USDT", settle="USDT"), perp("binance:BTCUSDC-PERP"),
        perp("binance:BTCUSDT-PERP", quote="USDT", settle="USDT"),
        perp("hyperliquid:BTC-PERP", quote="USDT", settle="USDC"),
        perp("deribit:BTC-PERPETUAL", quote="USD", settle="BTC", inverse=True),
        option("deribit:OPTION", T0_NS, 1.0, Right.CALL), future("deribit:FUTURE", T0_NS),
        future("deribit:LINEAR", T0_NS, settle="USDC", inverse=False),
    )  # fmt: skip
    codes = [table.code_of(name) for name in legs]
    assert min(codes) >= 0
    assert has_two_dollars(table, codes, "USDC") is two


@pytest.mark.parametrize(("rate", "waits"), [(1.0025, False), (1.0026, True), (0.9974, True)])
def test_a_package_in_two_dollars_waits_while_they_are_apart(rate: float, waits: bool) -> None:
    """C1 of a USDC perp and a USDT spot with a gap of 2% of its own; the same perp with its USDC spot fires on."""
    rows = [*Market().rows, spot("binance:BTCUSDT", quote="USDT", settle="USDT")]
    perp_name = "binance:BTCUSDC-PERP"
    mids = {perp_name: 102_000.0, "binance:BTCUSDT": 100_000.0 * rate, PAIR: rate}
    pairs = (CashCarryPair(perp_name, "binance:BTCUSDT"), CashCarryPair(perp_name, "binance:BTCUSDC"))
    registered = params(underlyings={"BTC": market(cash_carry=pairs)})
    view = prepare(Market(rows=rows, mids=mids).block(), registered, flat_history())
    (found,) = detect(view, None, codes=("C1",))
    names = view.panel.instruments.name
    reasons = {
        names[view.panel.code[legs[1]]]: why for legs, why in zip(found.packages.column, found.reason, strict=True)
    }
    assert reasons == {"binance:BTCUSDT": "peg" if waits else "", "binance:BTCUSDC": ""}
