"""The money of a quanto by hand, in fractions: priced in USDT, paid in USDC one to one.  [venues V1]"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from engine.market.view import PreparedPanel, prepare
from engine.positions.settlement import settle
from engine.records import Panel
from engine.repricing.funding_payments import payments_of
from engine.repricing.window import price_window
from engine.units import NS_PER_HOUR
from tests.helpers.builders import T0_NS, curves, fx, instruments, panel, params, perp, quote, spot
from tests.helpers.positions import resolved, signal

SPOT, PERP, PAIR = "binance:BTCUSDT", "hyperliquid:BTC-PERP", "binance:USDCUSDT"
BPS = Fraction(10_000)
FX = [Fraction("0.95"), Fraction("0.95"), Fraction("0.96"), Fraction("0.98")]  # USDT per USDC
SPOTS = [Fraction(x) for x in (20_000, 20_010, 20_300, 20_400)]
PERPS = [Fraction(x) for x in (20_400, 20_390, 20_500, 20_450)]
ORACLE, RATE = Fraction(20_320), Fraction("0.0001")
SPREADS = {SPOT: Fraction(2), PERP: Fraction(1)}
FEES = {SPOT: Fraction(10), PERP: Fraction(45, 10)}


def block() -> Panel:
    table = instruments(
        spot(SPOT, quote="USDT"), perp(PERP, quote="USDT", settle="USDC", funding_interval_ns=NS_PER_HOUR), fx(PAIR)
    )
    times = T0_NS + np.array([6, 7, 8, 9], dtype=np.int64) * NS_PER_HOUR
    return panel(
        table,
        {
            SPOT: quote([float(p) for p in SPOTS], spread_bps=2.0),
            PERP: quote(
                [float(p) for p in PERPS],
                spread_bps=1.0,
                rate=float(RATE),
                index=float(ORACLE),
                funding_paid=[0.0, 0.0, float(RATE), 0.0],
            ),
            PAIR: quote([float(r) for r in FX], spread_bps=0.1),
        },
        times_ns=times,
    )


def prepared() -> PreparedPanel:
    from dataclasses import replace

    registered = params(grid_ns=0, exit_latency_ns=0)
    market = replace(registered.underlyings["BTC"], reference=SPOT)
    return prepare(block(), replace(registered, underlyings={"BTC": market}), curves())


def test_price_and_payment_convert_apart() -> None:
    """The perp is compared in USDT, like its spot, and paid in USDC; USDT itself converts both ways alike."""
    view = prepared()
    table = view.panel.instruments
    at = {name: view.panel.column(table.code_of(name)) for name in (SPOT, PERP, PAIR)}
    one = [float(1 / r) for r in FX]
    assert view.usd[:, at[PERP]] == pytest.approx(one)
    assert view.money[:, at[PERP]].tolist() == [1.0] * 4
    for name in (SPOT, PAIR):
        assert view.usd[:, at[name]] == pytest.approx(one)
        assert view.money[:, at[name]] == pytest.approx(one)
    assert view.spot_usd == pytest.approx([float(s / r) for s, r in zip(SPOTS, FX, strict=True)])


def test_a_short_quanto_over_its_spot_settles_to_the_sum_in_fractions() -> None:
    """Gross, fees, slippage and funding of both legs, each in its own money, to a micro-dollar a term."""
    view = prepared()
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}, gross_bps=180.0), view)
    trade = settle(position, view.panel.instruments, view.params, (0.0, 0.0), (0.0, 0.0))
    assert [position.entry_ns, position.exit_ns] == [T0_NS + 7 * NS_PER_HOUR, T0_NS + 9 * NS_PER_HOUR]

    units = Fraction(25_000) / (SPOTS[0] / FX[0])  # base units of 25,000 USDC at the decision
    enter, leave = 1, 3
    # The perp pays a USDC for each USDT of its price; the spot is sold for USDT, which are worth 1/FX each.
    gross = units * (-(PERPS[leave] - PERPS[enter]) + (SPOTS[leave] - SPOTS[enter]) / FX[leave])
    notional = {
        (PERP, enter): PERPS[enter] * units,
        (PERP, leave): PERPS[leave] * units,
        (SPOT, enter): SPOTS[enter] / FX[enter] * units,
        (SPOT, leave): SPOTS[leave] / FX[leave] * units,
    }
    fees = sum((value * FEES[name] / BPS for (name, _), value in notional.items()), Fraction(0))
    slippage = sum((value * SPREADS[name] / 2 / BPS for (name, _), value in notional.items()), Fraction(0))
    funding = units * ORACLE * RATE  # oracle x rate, paid unconverted
    # USDT is borrowed for the spot, two hours started.
    borrow = notional[SPOT, enter] * Fraction(5, 100) * 2 / (365 * 24)
    for name, exact in (
        ("gross", gross), ("fees", fees), ("slippage", slippage), ("funding", funding), ("borrow", borrow),
    ):  # fmt: skip
        assert abs(getattr(trade, name) - exact * 1_000_000) <= 2, name
    wrong = units * (-(PERPS[leave] / FX[leave] - PERPS[enter] / FX[enter]) + (SPOTS[leave] - SPOTS[enter]) / FX[leave])
    assert abs(trade.gross - wrong * 1_000_000) > 1_000_000  # read as a contract that pays USDT


def test_the_arrays_of_placebos_pay_the_same_funding() -> None:
    """The twin of the loop: oracle x rate in the contract's money."""
    view = prepared()
    code = view.panel.instruments.code_of(PERP)
    window = price_window([view], view.panel.code)
    payments = payments_of(window, int(np.searchsorted(window.code, code)))
    assert payments.unit_usd.tolist() == pytest.approx([float(ORACLE * RATE)])
    assert window.conversion[int(np.searchsorted(window.code, code))].tolist() == [1.0] * 4


def test_the_record_has_the_money_of_a_quanto_alone() -> None:
    """`money_<role>` among the params, the price conversion among the inputs."""
    from engine.ledger.terms_in_force import terms_in_force

    view = prepared()
    made = signal(view, 0, {PERP: -1.0, SPOT: 1.0}, gross_bps=180.0)
    terms = terms_in_force(made, view.panel.instruments, view.params, ("perp", "spot"))
    assert terms["money_perp"] == "1"
    assert "money_spot" not in terms
