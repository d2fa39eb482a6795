"""Fees that venues print: their worked examples, and the rates this project registers.  [S3.4, risk 5]"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.market.fees import fee_per_unit
from engine.units import BPS

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
