"""Insurance fund, socialised loss and deleveraging against the shared vectors.

`bybit-pool-drawdown` follows risk.md 20 too: the pool lies above its threshold and is not <= 0.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from engine.errors import DataError
from engine.venue import auto_deleveraging as adl
from engine.venue import haircuts, insurance_fund, liquidation_price, socialised_loss
from tests.engine.venue.cases import VECTORS, check, read
from tests.engine.venue.dydx import account_of


def fund_delta(given: Any) -> Any:
    account = account_of(given)
    sign = 1 if given["is_buy"] else -1
    power = given["quantum_conversion_exponent"]
    assert power <= 0
    quote = -sign * (given["fill_quantums"] * given["subticks"] // 10**-power)
    bankruptcy = liquidation_price.bankruptcy_quote(account, 0, sign * given["fill_quantums"])
    delta = insurance_fund.fund_delta(quote, bankruptcy, given["max_liquidation_fee_ppm"])
    return {"insurance_fund_delta": delta}


def match(given: Any) -> Any:
    accounts = account_of(given["liquidated"]), account_of(given["offsetting"])
    try:
        quote, liquidated, offsetting = adl.match(*accounts, 0, given["delta_quantums"])
    except DataError:
        return {"error": True}
    return {
        "error": False,
        "bankruptcy_quote": quote,
        "liquidated_quote": liquidated,
        "offsetting_quote": offsetting,
    }


def document(given: Any) -> Any:
    deposit, size, entry = (Fraction(given[k]) for k in ("deposit_each", "size", "entry"))
    price = liquidation_price.linear_bankruptcy(deposit, -size, entry)
    return {
        "bankruptcy_price_short": price,
        "profit_of_long": size * (price - entry),
        "loss_of_short": size * (price - entry),
        "unadjusted_long_profit": size * (Fraction(given["jump_to"]) - entry),
    }


def socialise(given: Any) -> Any:
    delta = socialised_loss.index_delta(given["loss"], given["base_long"], given["base_short"])
    return {"cumulative_funding_delta": delta}


def binance(given: Any) -> Any:
    scale = 10**6
    column = lambda x: np.array([int(Fraction(x) * scale)], dtype=np.int64)  # noqa: E731
    upnl, wallet, ratio = (Fraction(given[k]) for k in ("upnl", "wallet", "margin_ratio"))
    total = upnl + wallet
    winners = adl.Winners(
        column(upnl), column(wallet), column(total), column(1), column(1), column(ratio * total)
    )  # notionals take no part in this rank
    over, under = adl.profit_times_margin_ratio(winners)
    score = Fraction(int(over[0][0]) * int(over[1][0]), int(under[0][0]) * int(under[1][0]))
    return {"pnl_pct": Fraction(int(over[0][0]), int(under[0][0])), "leveraged_pnl": score}


def percentiles(given: Any) -> Any:
    quantities = {int(k): v for k, v in given["quantity"].items()}
    highest_first = sorted(quantities, key=lambda k: -given["rank"][str(k)])
    return {"percentile": {str(k): v for k, v in adl.quantity_percentiles(quantities, highest_first).items()}}


def pool(given: Any) -> Any:
    trigger = adl.PoolTrigger(int(-given["pnl_ratio_threshold"] * 10**6), minimum=given["trigger_threshold"])
    highest, loss = given["pool_8h_max"], given["symbol_loss"]
    return {
        "pnl_ratio": adl.pool_ratio(highest, loss),
        "adl": trigger.is_on(given["pool_balance"], highest, loss, was_on=False),
        "user_subsidy": trigger.socialised(highest, loss),
    }


def allocations(given: Any) -> Any:
    names = sorted(given["profit"])
    profit = np.array([int(given["profit"][n]) for n in names], dtype=np.int64)
    leverage = np.array([int(given["leverage"][n]) for n in names], dtype=np.int64)
    entry = np.array([given["entry_notional"][n] for n in names], dtype=np.int64)
    winners = adl.Winners(profit, profit, np.ones_like(profit), leverage, entry, profit)  # leverage = N / V
    queued = haircuts.queue(given["shortfall"], profit, adl.ranks(winners, "profit_leverage"))
    shared = haircuts.pro_rata(given["shortfall"], profit)
    return {
        "queue": dict(zip(names, queued.taken.tolist(), strict=True)),
        "pro_rata": dict(zip(names, shared.taken.tolist(), strict=True)),
        "max_haircut_queue": haircuts.largest_share(queued.taken, profit),
        "max_haircut_pro_rata": haircuts.largest_share(shared.taken, profit),
    }


COMPUTE: dict[str, Callable[[Any], Any]] = {
    "dydx-if-max-fee": fund_delta,
    "dydx-if-residual": fund_delta,
    "dydx-if-loss": fund_delta,
    "dydx-if-zero-quote": fund_delta,
    "dydx-adl-well-collateralised": match,
    "dydx-adl-partial": match,
    "dydx-adl-non-overlap": match,
    "dydx-doc-adl-bankruptcy": document,
    "drift-socialise-11": socialise,
    "binance-adl-score": binance,
    "bitmex-adl-percentiles": percentiles,
    "bybit-pool-drawdown": pool,
    "adl-queue-vs-prorata": allocations,
}


@pytest.mark.parametrize("case", read((VECTORS / "insurance_adl.json").read_text())["vectors"], ids=lambda c: c["id"])
def test_fund_and_deleveraging(case: Any) -> None:
    """Each flow, match, rank and allocation, every expected key."""
    check(case, COMPUTE[case["id"]](case["inputs"]))
