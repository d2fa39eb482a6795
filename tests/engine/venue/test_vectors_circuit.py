"""Price bands, rate limits and quoting caps against the shared vectors."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from engine.venue import oracle_guards, price_bands
from tests.engine.venue.cases import VECTORS, check, read

NS = 1_000_000_000


def spread_cap(given: Any) -> Any:
    return {"capped": [list(price_bands.capped_spreads(a, b, most)) for a, b, most in given["cases"]]}


def deribit_band(given: Any) -> Any:
    width = int(given["bandwidth"] * 1_000_000)
    low, high = price_bands.band(given["reference"], width, width, given["tick"])
    return {"max_price": high, "min_price": low}


def withdrawal_limit(given: Any) -> Any:
    limiters = [
        price_bands.Limiter(row["period_seconds"] * NS, row["baseline_min"], row["baseline_tvl_ppm"])
        for row in given["limiters"]
    ]
    elapsed = int(given["seconds"] * NS)
    pairs = zip(given["previous_capacity"], limiters, strict=True)
    return {"capacity": [price_bands.capacity_after(was, given["tvl"], one, elapsed) for was, one in pairs]}


def rate_limit(given: Any) -> Any:
    scale, move, early = 1_000_000, int(given["max_move"] * 1_000_000), int(given["min_seconds"] * NS)
    accepted = []
    for submitted in given["submitted"]:
        args = int(given["previous"] * scale), int(submitted * scale)
        taken = oracle_guards.rate_limited(*args, early, move, early)
        assert oracle_guards.rate_limited(*args, early - 1, move, early) is None
        assert taken is not None
        accepted.append(Fraction(taken, scale))
    stale = int(given["stale_seconds"] * NS)
    assert oracle_guards.use_fallback(stale, stale)
    assert not oracle_guards.use_fallback(stale - 1, stale)
    return {"accepted": accepted}


def percent_price(given: Any) -> Any:
    up, down = given["multiplier_up"] - 1, 1 - given["multiplier_down"]
    low, high = price_bands.band(Fraction(given["mark"]), int(up * 10**6), int(down * 10**6), Fraction(1, 10))
    return {"limit_buy_max": high, "limit_sell_min": low}


COMPUTE: dict[str, Callable[[Any], Any]] = {
    "drift-spread-cap": spread_cap,
    "deribit-band-20251212": deribit_band,
    "dydx-ratelimit-recover": withdrawal_limit,
    "dydx-ratelimit-overfull": withdrawal_limit,
    "hl-hip3-oracle-clamp": rate_limit,
    "binance-percent-price": percent_price,
}


@pytest.mark.parametrize("case", read((VECTORS / "circuit.json").read_text())["vectors"], ids=lambda c: c["id"])
def test_bands_limits_and_caps(case: Any) -> None:
    """Each published or derived figure of risk.md 10, every expected key."""
    check(case, COMPUTE[case["id"]](case["inputs"]))
