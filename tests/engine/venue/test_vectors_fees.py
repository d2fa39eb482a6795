"""Fees against the shared vectors, in the venues' own quanta.  [risk.md 5]"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from engine.venue import fees
from tests.engine.venue.cases import VECTORS, check, read

MILLION = 1_000_000


def deribit_option(given: Any) -> Any:
    fee = fees.option_fee(given["premium_btc"], given["fee_btc"], given["cap_of_premium"], Fraction(given["contracts"]))
    return {"fee_btc": fee}


def binance_option(given: Any) -> Any:
    fixed = given["index"] * given["rate"] * given["unit"]
    return {"fee": fees.option_fee(Fraction(given["premium"]), fixed, given["cap"], Fraction(given["size"]))}


def deribit_perp(given: Any) -> Any:
    satoshi = fees.inverse_fee(
        given["notional_usd"], Fraction(given["price"]), int(given["taker_rate"] * MILLION), 10**8
    )
    return {"taker_fee": Fraction(satoshi, 10**8)}


def bitmex(given: Any) -> Any:
    contracts, price = given["contracts"], Fraction(given["price"])
    return {
        "cost_sat": fees.inverse_value(contracts, price, 10**8),
        "fee_sat": fees.inverse_fee(contracts, price, int(given["rate"] * MILLION), 10**8),
    }


def hyperliquid(given: Any) -> Any:
    quanta = given["notional"] * MILLION
    names = {"perp_taker": "taker", "perp_maker": "maker", "spot_taker": "spot_taker", "spot_maker": "spot_maker"}
    return {key: Fraction(fees.fee_quanta(quanta, int(given[rate] * MILLION)), MILLION) for key, rate in names.items()}


def dydx(given: Any) -> Any:
    rates = {"taker": "taker_ppm", "maker": "maker_ppm", "rebate": "maker_rebate_ppm"}
    return {key: fees.fee_quanta(given["quote_quantums"], given[rate]) for key, rate in rates.items()}


COMPUTE: dict[str, Callable[[Any], Any]] = {
    "deribit-option-fee-cap": deribit_option,
    "deribit-perp-fee": deribit_perp,
    "binance-option-fee": binance_option,
    "bitmex-fee-satoshi": bitmex,
    "hl-perp-base-fee": hyperliquid,
    "dydx-fee-ceil": dydx,
}


@pytest.mark.parametrize("case", read((VECTORS / "fees.json").read_text())["vectors"], ids=lambda c: c["id"])
def test_fees(case: Any) -> None:
    """Each fee in the quantum of its venue, every expected key."""
    check(case, COMPUTE[case["id"]](case["inputs"]))


def test_a_liquidation_fee_never_makes_value_negative() -> None:
    """Capped at what is left, and 0 where nothing is.  [risk.md 7.7]"""
    assert [fees.capped_by_value(100, value) for value in (150, 100, 30, 0, -5)] == [100, 100, 30, 0, 0]
