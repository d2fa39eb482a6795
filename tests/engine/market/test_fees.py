"""Fees that venues print: their worked examples, and the rates this project registers.  [S3.4, risk 5]"""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtest.registration.load import load_registration
from engine.convention_rows import FeeRate
from engine.errors import UsageError
from engine.market.fees import fee_per_unit, rate_in_force
from engine.records import Kind
from engine.units import BPS, NEVER_NS
from tests.helpers.builders import instruments, spot

FEES = load_registration(Path(__file__).parents[3] / "configs" / "demo.toml").params.fees
VENUES = Path(__file__).parents[3] / "configs" / "venues"
NONE = np.inf
"""No cap."""


def case(vectors: Path, name: str) -> dict[str, Any]:
    table = json.loads((vectors / "risk" / "fees.json").read_text(encoding="utf-8"))["vectors"]
    return next(entry for entry in table if entry["id"] == name)


def registered(venue: str, kind: str) -> float:
    """The taker fee of a venue's file, as a share."""
    tables = tomllib.loads((VENUES / f"{venue}.toml").read_text(encoding="utf-8"))["venues"][0]["fees"]
    return float(next(fee["taker_bps"] for fee in tables if fee["kind"] == kind)) / BPS


def one(share: float, cap: float, price: float, base: float) -> float:
    return fee_per_unit(np.array([share]), np.array([cap]), np.array([price]), np.array([base])).item()


def in_force(name: str, kind: Kind, day: str, *, settle: str = "USDT", expiry: str | None = None) -> FeeRate:
    """The row of the registered venue files, through the loader of the demonstration's plan."""
    expiry_ns = NEVER_NS if expiry is None else int(np.datetime64(f"{expiry}T08", "ns").astype(np.int64))
    table = instruments(replace(spot(name), kind=kind, settle=settle, expiry_ns=expiry_ns))
    return rate_in_force(FEES, table, 0, day)


@pytest.mark.parametrize(
    ("name", "kind", "settle", "day", "bps", "verified"),
    [
        ("binance:BTCUSDT", Kind.SPOT, "USDT", "2022-07-08", 10.0, False),
        ("binance:BTCUSDT", Kind.SPOT, "USDT", "2023-03-21", 0.0, True),
        ("binance:BTCUSDT", Kind.SPOT, "USDT", "2023-03-22", 10.0, True),
        ("binance:ETHUSDT", Kind.SPOT, "USDT", "2023-03-21", 10.0, False),
        ("binance:USDCUSDT", Kind.SPOT, "USDT", "2023-06-29", 10.0, False),
        ("binance:USDCUSDT", Kind.SPOT, "USDT", "2023-06-30", 0.0, True),
        ("binance:BTCUSDT-PERP", Kind.PERP, "USDT", "2019-09-01", 5.0, False),
        ("binance:BTCUSDT-PERP", Kind.PERP, "USDT", "2024-01-01", 5.0, True),
        ("binance:BTCUSDC-PERP", Kind.PERP, "USDC", "2024-01-01", 5.0, False),
        ("hyperliquid:BTC-PERP", Kind.PERP, "USDC", "2023-05-31", 4.5, False),
        ("hyperliquid:BTC-PERP", Kind.PERP, "USDC", "2023-06-01", 2.5, True),
        ("hyperliquid:BTC-PERP", Kind.PERP, "USDC", "2024-03-10", 2.5, True),
        ("hyperliquid:BTC-PERP", Kind.PERP, "USDC", "2024-03-11", 4.5, False),
        ("hyperliquid:BTC-PERP", Kind.PERP, "USDC", "2025-05-05", 4.5, True),
    ],
)
def test_the_registered_rows_are_those_of_the_rulings(
    name: str, kind: Kind, settle: str, day: str, bps: float, verified: bool
) -> None:
    """The values and days of venues V5, to the day."""
    found = in_force(name, kind, day, settle=settle)

    assert (found.taker_bps, bool(found.verified)) == (bps, verified)


@pytest.mark.parametrize(
    ("kind", "settle", "expiry", "taker", "delivery"),
    [
        (Kind.OPTION, "BTC", "2026-01-22", 3.0, 0.0),
        (Kind.OPTION, "BTC", "2026-01-23", 3.0, 1.5),
        (Kind.OPTION, "USDC", "2026-01-22", 5.0, 0.0),
        (Kind.OPTION, "USDC", "2026-01-30", 5.0, 1.5),
        (Kind.FUTURE, "BTC", "2026-01-23", 5.0, 0.0),
        (Kind.FUTURE, "BTC", "2026-01-30", 5.0, 2.5),
    ],
)
def test_delivery_at_deribit_depends_on_the_settlement_period(
    kind: Kind, settle: str, expiry: str, taker: float, delivery: float
) -> None:
    """A Thursday, a Friday and the last Friday of a month: daily, weekly and monthly contracts."""
    found = in_force("deribit:X", kind, "2026-01-16", settle=settle, expiry=expiry)

    assert (found.taker_bps, found.delivery_bps) == (taker, delivery)


def test_a_day_before_the_first_row_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"binance:BTCUSDT \(spot, settled in USDT\) on 2019-08-31, was none before 20"
    ):
        in_force("binance:BTCUSDT", Kind.SPOT, "2019-08-31")


def test_an_unverified_row_is_never_the_cheaper_of_its_neighbours() -> None:
    """Of rows with the same keys, next to each other in time.  [venues V5]"""
    rows = sorted(FEES, key=lambda f: (f.venue, f.kind, f.symbol, f.settle, f.period, f.as_of))
    pairs = [
        (a, b)
        for a, b in pairwise(rows)
        if (a.venue, a.kind, a.symbol, a.settle, a.period) == (b.venue, b.kind, b.symbol, b.settle, b.period)
    ]
    assert len(pairs) > 5
    for a, b in pairs:
        for guess, other in ((a, b), (b, a)):
            assert guess.verified or (guess.taker_bps, guess.delivery_bps) >= (other.taker_bps, other.delivery_bps)


def test_a_cheap_option_pays_an_eighth_of_its_premium(vectors: Path) -> None:
    """Deribit: 0.0003 coin, at most 12.5% of a premium of 0.0001."""
    found = case(vectors, "deribit-option-fee-cap")
    given = found["inputs"]

    assert found["expected"]["fee_btc"] == pytest.approx(
        one(registered("deribit", "option"), given["cap_of_premium"], given["premium_btc"], 1.0), rel=1e-12
    )
    assert registered("deribit", "option") == given["fee_btc"]


def test_an_option_priced_in_dollars_pays_a_share_of_the_index(vectors: Path) -> None:
    """Binance's printed example: 3 contracts at 2,000 x 0.03%, far under a tenth of the premium."""
    found = case(vectors, "binance-option-fee")
    given = found["inputs"]
    fee = given["size"] * one(given["rate"], given["cap"], given["premium"], given["index"] * given["unit"])

    assert found["expected"]["fee"] == pytest.approx(fee, abs=1e-9)


def test_an_inverse_perp_pays_in_coin(vectors: Path) -> None:
    """Deribit: 5 bps of 50,000 USD at 100,000 are 0.00025 coin."""
    found = case(vectors, "deribit-perp-fee")
    given = found["inputs"]
    usd_per_coin = one(registered("deribit", "perp"), NONE, given["price"], given["price"])
    coins = given["notional_usd"] / given["price"]

    assert registered("deribit", "perp") == given["taker_rate"]
    assert found["expected"]["taker_fee"] == pytest.approx(usd_per_coin * coins / given["price"], rel=1e-12)


def test_hyperliquid_s_base_tier_is_the_registered_one(vectors: Path) -> None:
    """4.5 USD on 10,000 for a perp, 7 for spot; maker rates are not registered, for a taker pays none."""
    found = case(vectors, "hl-perp-base-fee")
    notional = found["inputs"]["notional"]
    fee = {kind: one(registered("hyperliquid", kind), NONE, notional, notional) for kind in ("perp", "spot")}

    assert found["expected"]["perp_taker"] == pytest.approx(fee["perp"])
    assert found["expected"]["spot_taker"] == pytest.approx(fee["spot"])
