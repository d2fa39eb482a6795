"""Oracle aggregation, guards and mark price against the shared vectors.

`drift-oracle-ok` and `drift-oracle-divergent` keep their class under the split of the stale guard of risk.md 20: a
delay of 1 and 8 slots is inside both ages.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest

from engine.venue import mark, oracle, oracle_guards
from tests.engine.venue.cases import VECTORS, check, read

NS = 1_000_000_000


def weighted(given: Any) -> Any:
    return {"price": oracle.lower_weighted_median(given["prices"], given["weights"])}


def quorum(given: Any) -> Any:
    threshold = int(given["threshold"] * 1_000_000)
    return {"accepted": [oracle.has_quorum(c["weight"], c["total"], threshold) for c in given["cases"]]}


def pyth(given: Any) -> Any:
    price, confidence = oracle.confidence_aggregate(
        *zip(*((q["price"], q["conf"]) for q in given["quotes"]), strict=True)
    )
    return {"price": price, "conf": confidence}


def drift_guard(given: Any) -> Any:
    scale = 1_000_000
    limits = oracle_guards.GuardLimits(
        confidence_ppm=given["conf_max_pct"] * 10_000,
        stale_margin=given["stale_slots_margin"],
        stale_amm=given["stale_slots_amm"],
    )
    price, twap, reserve = (given[key] * scale for key in ("oracle_price", "oracle_twap_5min", "amm_reserve_price"))
    state = oracle_guards.oracle_state(
        price, twap, int(given["confidence"] * scale), given["delay_slots"], True, limits
    )
    divergent = oracle_guards.is_divergent(reserve, twap, given["twap5_divergence_pct"] * 10_000)
    result = {"validity": state.name.title(), "mark_too_divergent": divergent}
    if given["delay_slots"] == 1:
        result["oracle_reserve_spread_1e6"] = abs(oracle_guards.reported_spread_ppm(reserve, price))
    return result


def bitmex(given: Any) -> Any:
    left = datetime.fromisoformat(given["next_funding"]) - datetime.fromisoformat(given["time"])
    left_ns = (left.days * 86_400 + left.seconds) * NS + left.microseconds * 1_000
    scale, interval = 10**6, given["interval_minutes"] * mark.MINUTE_NS
    index = int(given["index"] * scale)
    inputs = mark.MarkInputs(index, rate_ppb=int(given["funding_rate"] * NS), left_ns=left_ns, interval_ns=interval)
    price = mark.from_funding_basis(inputs)
    annual = mark.fair_basis_rate(given["funding_rate"], given["interval_minutes"])
    return {
        "mark": Fraction(price, scale),
        "fair_basis": Fraction(price - index, scale),
        "fair_basis_rate_annual": annual,
    }


def capped(given: Any) -> Any:
    scale = 1_000
    weights = [int(w * 100) for w in given["weights"]]
    clipped, index = oracle.capped_mean([p * scale for p in given["prices"]], weights, int(given["cap"] * 1_000_000))
    return {"capped": [Fraction(p, scale) for p in clipped], "index": Fraction(index, scale)}


def sources(given: Any) -> Any:
    rows = given["sources"]
    price = oracle.weighted_median([int(r["price"] * 10) for r in rows], [r["weight"] for r in rows])
    return {"price": Fraction(price, 10)}


def three_inputs(given: Any) -> Any:
    scaled = {key: int(value * 10) for key, value in given.items()}
    inputs = mark.MarkInputs(
        scaled["oracle"],
        scaled["best_bid"],
        scaled["best_ask"],
        scaled["last"],
        scaled["cex_perp_weighted_median"],
        scaled["ema_150s_mid_minus_oracle"],
    )
    book = mark.from_ema_basis_median(mark.MarkInputs(0, inputs.bid, inputs.ask, inputs.last, basis=inputs.bid))
    parts = {"input1": inputs.oracle + inputs.basis, "input2": book, "input3": inputs.external}
    return {key: Fraction(v, 10) for key, v in (parts | {"mark": mark.from_ema_basis_median(inputs)}).items()}


def ema(given: Any) -> Any:
    scale, numerator, denominator = 10**15, 0, 0
    for sample in given["samples"]:
        numerator, denominator = mark.average_update(
            numerator, denominator, int(sample["value"] * scale), int(sample["seconds"] * NS), given["tau_seconds"] * NS
        )
    return {"ema": Fraction(mark.average_value(numerator, denominator), scale)}


def binance(given: Any) -> Any:
    scale, hour = 1_000, 3_600 * NS
    inputs = mark.MarkInputs(
        int(given["index"] * scale),
        last=int(given["contract_price"] * scale),
        basis=int(given["basis_30s_mean"] * scale),
        rate_ppb=int(given["last_funding_rate"] * NS),
        left_ns=given["hours_to_funding"] * hour,
        interval_ns=given["interval_hours"] * hour,
    )
    first = mark.fair_price(inputs.oracle, inputs.rate_ppb, inputs.left_ns, inputs.interval_ns)
    prices = {"price1": first, "price2": inputs.oracle + inputs.basis}
    prices["mark"] = mark.from_funding_and_basis_median(inputs)
    return {key: Fraction(value, scale) for key, value in prices.items()}


def crossing(given: Any) -> Any:
    accepted = [
        oracle.overshoot_is_bounded(given["old_delta"], new, given["tick_size_ppm"]) for new in given["new_delta"]
    ]
    return {"accepted": accepted}


COMPUTE: dict[str, Callable[[Any], Any]] = {
    "connect-median-2-equal": weighted,
    "connect-median-3-weights": weighted,
    "connect-power-threshold": quorum,
    "pyth-agg-7": pyth,
    "pyth-agg-20": pyth,
    "dydx-median-even": lambda given: {"median": oracle.median_half_away(given["values"])},
    "dydx-median-negative": lambda given: {"median": oracle.median_half_away(given["values"])},
    "drift-oracle-ok": drift_guard,
    "drift-oracle-divergent": drift_guard,
    "bitmex-fair-price-real": bitmex,
    "deribit-index-cap": capped,
    "hl-oracle-weighted-median": sources,
    "hl-mark-three-inputs": three_inputs,
    "hl-ema-recursion": ema,
    "binance-mark-median": binance,
    "dydx-oracle-crossing": crossing,
}


@pytest.mark.parametrize("case", read((VECTORS / "mark_oracle.json").read_text())["vectors"], ids=lambda c: c["id"])
def test_oracle_guards_and_mark(case: Any) -> None:
    """Each aggregate, guard and mark, every expected key."""
    check(case, COMPUTE[case["id"]](case["inputs"]))
