"""The price of a funding settlement, for every known and unknown price, against a rule written out step by step."""

from __future__ import annotations

from itertools import product
from math import nan

import numpy as np
import pytest

from engine.market.view import prepare
from engine.units import NS_PER_HOUR
from tests.helpers.builders import T0_NS, curves, instruments, panel, params, perp, quote, spot
from tests.helpers.positions import carried, signal

SPOT, PERP, RATE = "binance:BTCUSDC", "binance:BTC-PERP", 1e-3
KNOWN = [101_300.0, nan, 0.0]
CASES = list(product(["index", "mark"], [False, True], KNOWN, [101_700.0, nan], [True, False], [100_000.0, nan]))


def slow_usd(
    venue: str, inverse: bool, entry: float, index: float, mark: float, close: float, coin_usd: float
) -> float:
    """USD that one short base unit receives: the first known price, then the contract's own arithmetic."""
    for price in [index, mark, close] if venue == "index" else [mark, close]:
        if price > 0 and not inverse:
            return price * RATE
        if price > 0 and coin_usd > 0:
            contracts = entry  # of 1 USD each
            return contracts / price * RATE * coin_usd
    return entry * RATE


@pytest.mark.parametrize(("venue", "inverse", "index", "mark", "quoted", "spot_usd"), CASES)
def test_a_settlement_is_paid_on_the_first_known_price(
    venue: str, inverse: bool, index: float, mark: float, quoted: bool, spot_usd: float
) -> None:
    """The venue's price, else the mark, else the close, else the entry; by contract for an inverse leg; flagged."""
    table = instruments(spot(SPOT), perp(PERP, quote="USD" if inverse else "USDC", inverse=inverse))
    closes = [100_000.0, 100_800.0, 101_000.0, 101_100.0]
    lost = np.array([0, 0, 1, 0])
    block = panel(
        table,
        {
            SPOT: quote([100_000.0] * 4, age_ns=0 if spot_usd > 0 else 48 * NS_PER_HOUR * lost),
            PERP: quote(
                closes,
                age_ns=0 if quoted else 48 * NS_PER_HOUR * lost,
                index=[100_000.0, 100_000.0, index, 100_000.0],
                mark=[100_000.0, 100_000.0, mark, 100_000.0],
                funding_paid=[0.0, 0.0, RATE, 0.0],
            ),
        },
        times_ns=T0_NS + np.array([6, 7, 8, 9]) * NS_PER_HOUR,
    )
    view = prepare(block, params(grid_ns=0, funding_on={"binance": venue}), curves())
    made = signal(view, 0, {PERP: -1.0, SPOT: 1.0}, gross_bps=10_000.0)

    (payment,) = carried(made, view).funding
    coin_usd = index if index > 0 else spot_usd
    expected = slow_usd(venue, inverse, closes[1], index, mark, closes[2] if quoted else nan, coin_usd)

    assert payment.price_usd * payment.rate == pytest.approx(expected, rel=1e-12)
    assert payment.flagged == (not (index if venue == "index" else mark) > 0 or (inverse and not coin_usd > 0))
