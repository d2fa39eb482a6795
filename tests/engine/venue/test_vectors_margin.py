"""Margin against the shared vectors.

Of risk.md 18 and 20: `dydx-account-cross` takes the requirement at the oracle, as the code does, not at entry.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from engine.venue import funding, liquidation, margin
from engine.venue.base import Brackets
from tests.engine.venue.cases import VECTORS, check, read
from tests.engine.venue.dydx import account_of


def oi_scaled(given: Any) -> int:
    return margin.adjusted_initial_ppm(given["initial_margin_ppm"], given["oi"], given["oi_lower"], given["oi_upper"])


def hl_tier(given: Any) -> Any:
    lower = [Fraction(bound) for bound, _ in given["tiers"]]
    rates = [margin.maintenance_of_leverage(leverage) for _, leverage in given["tiers"]]
    value = Fraction(given["notional"])
    j = margin.bracket_of(value, lower)
    required = margin.bracket_maintenance(value, lower, rates)
    table = Brackets(
        tuple(int(b) * 10**6 for b in lower),
        tuple(int(r * 10**6) for r in rates),
        tuple(int(2 * r * 10**6) for r in rates),
    )
    assert margin.requirement(int(value) * 10**6, table, table.maintenance_ppm) == required * 10**6
    return {"rate": rates[j], "deduction": margin.deductions(lower, rates)[j], "maintenance": required}


def clearinghouse(given: Any) -> Any:
    notional, value = given["total_notional"], given["total_notional"] + given["total_raw_usd"]
    used = notional / given["leverage"]
    # the written transfer rule keeps the larger of margin used and 10% of notional: less than the API's figure
    assert not margin.may_transfer_out(value, value - used, used, notional, Fraction(1, 10))
    assert margin.may_transfer_out(value, value - notional / 10, used, notional, Fraction(1, 10))
    return {"account_value": value, "margin_used": used, "withdrawable": value - used}


def cum(given: Any) -> Any:
    lower, rates = zip(*((Fraction(b["lower"]), Fraction(b["mmr"])) for b in given["brackets"]), strict=True)
    return {"maintenance_amounts": margin.deductions(lower, rates)}


def deribit(given: Any) -> Any:
    size, price = Fraction(given["size"]), given["price"]
    initial = margin.size_linear_rate(given["im_base"], given["slope_per_unit"], size)
    maintenance = margin.size_linear_rate(given["mm_base"], given["slope_per_unit"], size)
    result = {
        "im_rate": initial,
        "im": size * price * initial,
        "mm_rate": maintenance,
        "mm": size * price * maintenance,
    }
    return result | ({"im_base_ccy": size * initial} if price == 100_000 else {})


def drift_premium(given: Any) -> Any:
    ratio = margin.size_premium_ratio(given["margin_ratio"], given["size"], given["imf"])
    return {"margin_requirement": margin.premium_requirement(given["size"], given["oracle"], ratio)}


def synthetix(given: Any) -> Any:
    ratio, initial, maintenance = margin.skew_requirements(
        Fraction(given["size"]),
        Fraction(given["skew_scale"]),
        Fraction(given["initial_fraction"]),
        given["min_initial_ratio"],
        given["maintenance_scalar"],
        Fraction(given["price"]),
    )
    return {"im_ratio": ratio, "im": initial, "mm": maintenance}


def dydx_account(given: Any) -> Any:
    account = account_of(given)
    initial, maintenance = account.requirements()
    return {
        "net_collateral": account.value(),
        "im": initial,
        "mm": maintenance,
        "liquidatable": liquidation.is_liquidatable(account.value(), maintenance),
    }


COMPUTE: dict[str, Callable[[Any], Any]] = {
    "dydx-oimf-rounded": lambda given: {"adjusted_ppm": oi_scaled(given)},
    "dydx-imr-scaling-half": lambda given: {"im": margin.initial_quanta(given["quote_quantums"], oi_scaled(given))},
    "dydx-imr-roundup": lambda given: {"im": margin.initial_quanta(given["quote_quantums"], oi_scaled(given))},
    "dydx-mmf": lambda given: {
        "maintenance_ppm": funding.maintenance_ppm(given["initial_margin_ppm"], given["maintenance_fraction_ppm"])
    },
    "hl-tier-btc-200m": hl_tier,
    "hl-mmr-range": lambda given: {"rate": [margin.maintenance_of_leverage(x) for x in given["max_leverage"]]},
    "hl-clearinghouse": clearinghouse,
    "binance-cum-2021": cum,
    "deribit-margin-25btc": deribit,
    "deribit-margin-sol25": deribit,
    "drift-uaw": lambda given: {
        "weights": [margin.profit_weight(u, given["weight"], given["imf"]) for u in given["unrealized_pnl"]]
    },
    "drift-pmr": drift_premium,
    "snx-margin-btc": synthetix,
    "dydx-account-cross": dydx_account,
}


@pytest.mark.parametrize("case", read((VECTORS / "margin.json").read_text())["vectors"], ids=lambda c: c["id"])
def test_margin(case: Any) -> None:
    """Each requirement and account value, every expected key."""
    check(case, COMPUTE[case["id"]](case["inputs"]))
