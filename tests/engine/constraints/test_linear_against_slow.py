"""C1, C2, C5 and C6 against a slow second computation from the raw panel, on noisy random markets.

Rules: [S2.C1, S2.C2, S2.C5, S2.C6].
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.constraints.detect import detect
from engine.market.view import prepare
from engine.params import CashCarryPair
from engine.records import Kind, Panel
from tests.helpers.builders import market, params
from tests.helpers.markets import Market, fitted, flat_history, known_fit
from tests.oracles.linear_slow import SLOW, Row

ROWS = 40
DEX = "hyperliquid:BTC-PERP"


def noisy(seed: int, size: float) -> Panel:
    """A market whose prices, spreads, depths and rates differ from row to row."""
    draw = np.random.Generator(np.random.PCG64(seed))
    block = Market(spread_bps=1.0).block(ROWS)
    noise = 1.0 + size * draw.standard_normal(block.shape)
    wider = 1.0 + 2e-4 * draw.random(block.shape)
    rate = 2e-4 * draw.standard_normal(block.shape)
    return replace(
        block,
        bid=block.bid * noise,
        ask=block.ask * noise * wider,
        bid_size=0.2 + 5.0 * draw.random(block.shape) + 5e4 * _fx(block),
        ask_size=0.2 + 5.0 * draw.random(block.shape) + 5e4 * _fx(block),
        funding_rate=rate,
        funding_mean=0.01 * rate,
    )


def _fx(block: Panel) -> np.ndarray:
    return np.array([block.instruments.underlying[c] == "FX" for c in block.code], dtype=np.float64)


def as_quanto(block: Panel, name: str) -> Panel:
    """The market with one perp priced in USDT and paid in USDC."""
    table = block.instruments
    quote = tuple("USDT" if each == name else old for each, old in zip(table.name, table.quote, strict=True))
    settle = tuple("USDC" if each == name else old for each, old in zip(table.name, table.settle, strict=True))
    return replace(block, instruments=replace(table, quote=quote, settle=settle))


@pytest.mark.parametrize("code", sorted(SLOW))
@pytest.mark.parametrize("size", [1e-4, 3e-3])
@pytest.mark.parametrize("quanto", [False, True])
def test_every_row_agrees_with_the_slow_computation(code: str, size: float, quanto: bool) -> None:
    """The same legs in the same order, gross and net to 1e-7 bps, at every grid time, fired or not; also where the perp
    of Hyperliquid is priced in USDT and paid in USDC.  [S2.8, venues V1]
    """
    block, registered, history = noisy(41, size), params(), flat_history(noise=1e-4)
    if quanto:
        block = as_quanto(block, DEX)
        pairs = (CashCarryPair(DEX, "binance:BTCUSDC"),)
        registered = params(underlyings={"BTC": market(cash_carry=pairs)})
    view = prepare(block, registered, history)
    assert view.usable[:, block.instruments.kind[block.code] != Kind.OPTION].all()

    (seen,) = detect(view, fitted(), codes=(code,), floor=-np.inf)

    names = block.instruments.name
    at = 0
    for t in range(ROWS):
        expected = SLOW[code](Row(block, registered, t), known_fit()["BTC"], history)
        if expected is None:
            assert at >= len(seen.packages) or seen.packages.row[at] != t
            continue
        legs, gross, net = expected
        assert seen.packages.row[at] == t
        columns, quantities = seen.packages.column[at], seen.packages.quantity[at]
        found = [names[block.code[c]] for c in columns if c >= 0]
        assert [leg.name for leg in legs] == found
        assert [leg.quantity for leg in legs] == pytest.approx(quantities[: len(legs)].tolist(), rel=1e-9)
        assert gross == pytest.approx(seen.packages.gross_bps[at], abs=1e-7)
        assert net == pytest.approx(seen.net_bps[at], abs=1e-7)
        at += 1
    assert at == len(seen.packages) > 0
