"""Liquidation against the shared vectors.

Of risk.md 20: `dydx-risk-order` is the heap that only the venue's own tests call; here it is the harness's own order.
`drift-cover-*` have a quote oracle of 1, so the corrected first term (oracle x quote oracle) equals the printed one.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from engine.venue import liquidation, margin
from engine.venue import liquidation_price as price
from tests.engine.venue.cases import VECTORS, check, read
from tests.engine.venue.dydx import account_of, market_of


def index_of(given: Any) -> int:
    return [p["market"] for p in given["positions"]].index(given["close_market"])


def bankruptcy(given: Any) -> Any:
    quote = price.bankruptcy_quote(account_of(given), index_of(given), given["delta_quantums"])
    return {"bankruptcy_quote_quantums": quote}


def fillable(given: Any) -> Any:
    account, limits = (
        account_of(given),
        liquidation.FillableLimits(given["bankruptcy_adjustment_ppm"], given["spread_to_maintenance_margin_ratio_ppm"]),
    )
    size, market = account.positions[index_of(given)]
    limit = liquidation.fillable_price(
        margin.notional(size, market),
        size,
        account.value(),
        account.requirements()[1],
        margin.flat_requirements(size, market)[1],
        limits,
    )
    denominator = 1 if limit.denominator == 1 else 100  # the venue prints the fraction unreduced
    return {"numerator": limit * denominator, "denominator": denominator}


def liquidatable(given: Any) -> Any:
    account = account_of(given)
    value, maintenance = account.value(), account.requirements()[1]
    assert liquidation.is_bad_debt(value, bool(account.positions)) is (not account.positions)
    return {"liquidatable": liquidation.is_liquidatable(value, maintenance)}


def portion(given: Any) -> Any:
    value = abs(margin.notional(given["size_quantums"], market_of(given)))
    least, most = liquidation.notional_range(
        value, given["min_position_notional_quote_quantums"], given["max_portion_ppm"]
    )
    return {"min_notional": least, "max_notional": most}


def risk_order(given: Any) -> Any:
    rows = [(p["first"], p["second"]) for p in given["pairs"]]
    return {"cmp": [liquidation.compare_risk(a["nc"], a["mmr"], b["nc"], b["mmr"]) for a, b in rows]}


def dydx_price(given: Any) -> Any:
    numbers = (Fraction(given[key]) for key in ("size", "price", "equity", "mmf"))
    other = Fraction(given.get("other_mmr", 0))
    return {"liq_price": price.linear(*numbers, Fraction(0), other)}


def binance_price(given: Any) -> Any:
    others = [
        price.OtherPosition(
            o["side"] * Fraction(o["size"]),
            Fraction(o["entry"]),
            Fraction(o["mark"]),
            Fraction(o["mmr"]),
            Fraction(o["cum"]),
        )
        for o in given["other_positions"]
    ]
    wallet, entry, rate, amount = (Fraction(given[k]) for k in ("wallet_balance", "entry", "mmr", "maintenance_amount"))
    return {
        "liq_price": price.from_wallet(wallet, given["side"] * Fraction(given["size"]), entry, rate, amount, others)
    }


def bybit_price(given: Any) -> Any:
    entry, leverage, rate = (Fraction(given[k]) for k in ("entry", "leverage", "mmr"))
    return {"liq_price": price.on_entry_notional(entry, leverage, rate, given["side"])}


def gate_price(given: Any) -> Any:
    numbers = [Fraction(given[k]) for k in ("entry", "wallet", "size", "mmr", "taker_fee")]
    return {"liq_price": price.with_closing_fee(*numbers, given["side"])}


def hl_price(given: Any) -> Any:
    size, margin_given = given["side"] * Fraction(given["size"]), Fraction(given["isolated_margin"])
    return {
        "liq_price": price.from_available_margin(Fraction(given["entry"]), size, margin_given, given["max_leverage"])
    }


def drift_cover(given: Any) -> Any:
    keys = ("margin_shortage", "margin_ratio", "liquidator_fee", "if_fee", "oracle_price", "quote_oracle_price")
    return {"base_asset_amount": liquidation.shortage_base(*(given[k] for k in keys))}


def drift_fee(given: Any) -> Any:
    keys = ("base_fee", "max_fee", "last_active_slot", "current_slot")
    return {"fee": liquidation.slot_fee(*(given[k] for k in keys))}


def drift_fund_fee(given: Any) -> Any:
    keys = (
        "margin_shortage", "base_asset_amount", "margin_ratio", "liquidator_fee", "oracle_price", "quote_oracle_price",
        "max_if_fee",
    )  # fmt: skip
    return {"if_fee": liquidation.fund_fee(*(given[k] for k in keys))}


def window(given: Any) -> Any:
    size = liquidation.window_size(
        given["maker_fee"],
        given["taker_fee"],
        Fraction(given["skew_scale"]),
        given["window_seconds"],
        Fraction(given["multiplier"]),
    )
    taken = min(size, given["position"])
    return {"liquidated": taken, "remaining": given["position"] - taken}


COMPUTE: dict[str, Callable[[Any], Any]] = {
    "dydx-bk-long-full": bankruptcy,
    "dydx-bk-long-half": bankruptcy,
    "dydx-bk-two-longs-eth": bankruptcy,
    "dydx-bk-rounds-up": bankruptcy,
    "dydx-bk-negative": bankruptcy,
    "dydx-fillable-long": fillable,
    "dydx-fillable-long-ba2": fillable,
    "dydx-fillable-short": fillable,
    "dydx-fillable-long-at-bankruptcy": fillable,
    "dydx-liquidatable-at-mmr": liquidatable,
    "dydx-liquidatable-below-mmr": liquidatable,
    "dydx-liquidatable-no-position-negative": liquidatable,
    "dydx-partial-max-portion": portion,
    "dydx-risk-order": risk_order,
    "dydx-liqprice-isolated": dydx_price,
    "dydx-liqprice-cross": dydx_price,
    "binance-liq-isolated-eth": binance_price,
    "binance-liq-cross-eth": binance_price,
    "binance-liq-short-5x": binance_price,
    "bybit-liq-long-5x": bybit_price,
    "gate-liq-short-5x": gate_price,
    "hl-liq-doc-eth": hl_price,
    "hl-liq-btc-short": hl_price,
    "hl-liq-sol-long": hl_price,
    "hl-liq-aapl-hip3": hl_price,
    "drift-cover-nofee": drift_cover,
    "drift-cover-1pct": drift_cover,
    "drift-liqfee-grace": drift_fee,
    "drift-liqfee-growth": drift_fee,
    "drift-iffee-small-shortage": drift_fund_fee,
    "drift-iffee-huge-shortage": drift_fund_fee,
    "snx-liq-window": window,
}


@pytest.mark.parametrize("case", read((VECTORS / "liquidation.json").read_text())["vectors"], ids=lambda c: c["id"])
def test_liquidation(case: Any) -> None:
    """Each condition, price, amount and fee, every expected key."""
    check(case, COMPUTE[case["id"]](case["inputs"]))
