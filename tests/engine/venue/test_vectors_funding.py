"""Funding against the shared vectors.

`drift-max-divergence` and `drift-funding-negative` follow risk.md 20: clamp and offset of Drift use the oracle TWAP.
`snx-velocity-table` follows it too: the velocity is per day.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from engine.venue import funding, funding_index
from tests.engine.venue.cases import VECTORS, check, read

PPB = 10**9


def index_delta(given: Any) -> Any:
    exponent = given["exponent"] + given["atomic_resolution"] + 6  # quote quanta are 1e-6
    delta = funding_index.index_delta_ppm(given["rate_8h_ppm"], given["price"], exponent, given["seconds"])
    return {"index_delta": delta}


def tick(given: Any) -> Any:
    samples = [row["value"] for row in given["samples_ppm"] for _ in range(row["count"])]
    mean = funding.padded_mean(samples, given["expected_samples"])
    most = funding.margin_clamp_ppm(
        given["clamp_factor_ppm"], given["initial_margin_ppm"], given["maintenance_fraction_ppm"]
    )
    rate = funding.premium_clamp(mean, given["default_funding_ppm"], most)
    exponent = given["exponent"] + given["atomic_resolution"] + 6
    delta = funding_index.index_delta_ppm(rate, given["price"], exponent, given["tick_seconds"])
    return {"rate_8h_ppm": rate, "index_delta": delta}


def margin_clamp(given: Any) -> Any:
    return {
        "max_abs_rate_ppm": funding.margin_clamp_ppm(
            given["clamp_factor_ppm"], given["initial_margin_ppm"], given["maintenance_fraction_ppm"]
        )
    }


def premium(given: Any) -> Any:
    def impact(side: str) -> Fraction | None:
        levels = [(Fraction(price), Fraction(size)) for price, size in given[side]]
        return funding.impact_price(levels, Fraction(given["impact_notional"]))

    index = Fraction(given["index"])
    return {"premium_ppm": funding.premium_ppm(impact("bids"), impact("asks"), index, given["max_abs_ppm"])}


def drift_rate(given: Any) -> Any:
    assert given["period_seconds"] == 3_600
    return {"funding_rate": funding.twap_spread_rate(given["mark_twap"], given["oracle_twap"], "B", offset=False)}


def drift_cap(given: Any) -> Any:
    long, short, pool = funding.with_protocol_as_counterparty(
        given["funding_rate"], given["base_long"], given["base_short"], given["fee_pool"], given["total_exchange_fee"]
    )
    return {"long_rate": long, "short_rate": short, "fee_pool_after": pool}


def drift_spread(given: Any) -> Any:
    return {"max_spread": [funding.max_spread(given["oracle_twap"], tier) for tier in ("other", "B")]}


def interest_rate(given: Any, premium: Fraction) -> Fraction:
    whole = [int(x * PPB) for x in (premium, given["interest_8h"], given["clamp"])]
    return Fraction(funding.interest_clamp(*whole, cap=PPB), PPB)


def worked_premium(given: Any) -> Any:
    bid, ask, index = (Fraction(given[key]) for key in ("impact_bid", "impact_ask", "oracle"))
    premium = funding.premium(bid, ask, index)
    return {"premium": premium, "funding_8h": interest_rate(given, premium)}


def hourly(given: Any) -> Any:
    return {"funding_1h": funding.for_interval(interest_rate(given, given["premium"]), 1)}


def dampened(given: Any) -> tuple[Fraction, Fraction]:
    premium = Fraction(given["mark"]) / Fraction(given["index"]) - 1
    rate = funding.dampened(int(premium * PPB), int(given["dampener"] * PPB), PPB)
    return premium, Fraction(rate, PPB)


def deribit_real(given: Any) -> Any:
    return {"current_funding_8h": dampened(given)[1]}


def deribit_payment(given: Any) -> Any:
    premium, rate = dampened(given)
    contracts = given["size_btc"] * Fraction(given["mark"])
    paid = funding_index.inverse_payment(contracts, Fraction(given["mark"]), rate, Fraction(given["minutes"], 480))
    return {"premium": premium, "rate_8h": rate, "payment_btc": paid}


def bitmex(given: Any) -> Any:
    per_day, times = (given["premium_daily"], given["interest_daily"]), given["fundings_per_day"]
    rate = Fraction(
        funding.interest_clamp(int(per_day[0] / times * PPB), int(per_day[1] / times * PPB), 500_000, PPB), PPB
    )
    assert rate == Fraction(2_833_333, PPB)  # what the clamped formula of risk.md 4.3 gives for these inputs
    rate = per_day[0] / 4  # the guide's own rate, taken as printed: 0.25%
    contracts = Fraction(given["contracts"])
    paid = funding_index.inverse_payment(contracts, Fraction(given["entry"]), rate, Fraction(1))
    profit = contracts / given["entry"] - contracts / given["exit"]
    return {"rate": rate, "payment_xbt": paid, "pnl_xbt": profit, "net_xbt": profit - paid}


def velocity(given: Any) -> Any:
    skew, rate, total = Fraction(given["start_skew"]), Fraction(0), Fraction(0)
    rates, accrued = [], []
    for step in given["steps"]:
        speed = funding.velocity_per_day(skew, Fraction(given["skew_scale"]), Fraction(given["max_velocity_per_day"]))
        rate, paid = funding.accrue_velocity(rate, speed, Fraction(step["days"]))
        total += paid * given["trader_size"] * given["price"]
        rates.append(rate)
        accrued.append(total)
        skew += step["skew_change"]
    return {"rate": rates, "accrued": accrued}


def published_hourly(given: Any) -> Any:
    return {"rate_1h": funding.for_interval(Fraction(given["rate_8h_ppm"], 10**6), 1)}


def settlement(given: Any) -> Any:
    net = funding_index.settlement_ppm(given["size_quantums"], given["position_index"], given["perpetual_index"])
    return {"net_settlement_ppm": net}


COMPUTE: dict[str, Callable[[Any], Any]] = {
    "dydx-fidx-round": index_delta,
    "dydx-fidx-negative": index_delta,
    "dydx-tick-60": tick,
    "dydx-tick-padded": tick,
    "dydx-tick-clamped": tick,
    "dydx-tick-im-eq-mm": tick,
    "dydx-fclamp": margin_clamp,
    "dydx-prem-impact-bid": premium,
    "dydx-prem-impact-ask": premium,
    "dydx-prem-no-depth": premium,
    "dydx-tails-6": lambda given: {"kept": funding.without_tails(given["samples"], given["removal_ppm"])},
    "drift-funding-negative": drift_rate,
    "drift-asym-cap": drift_cap,
    "drift-max-divergence": drift_spread,
    "hl-premium-worked": worked_premium,
    "hl-hourly-real": hourly,
    "deribit-funding-real-20251212": deribit_real,
    "deribit-dampener": deribit_payment,
    "bitmex-inverse-funding": bitmex,
    "snx-velocity-table": velocity,
    "dydx-hourly-real-19": published_hourly,
    "dydx-settlement": settlement,
}


@pytest.mark.parametrize("case", read((VECTORS / "funding.json").read_text())["vectors"], ids=lambda c: c["id"])
def test_funding(case: Any) -> None:
    """Each sample, rate, index and payment, every expected key."""
    check(case, COMPUTE[case["id"]](case["inputs"]))
