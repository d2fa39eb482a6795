"""Parity of a pair, the forward it implies, and the best of the others, against stored quotes.  [S2.C3]"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from engine.constraints.options.put_call_pairs import best_other, implied_forward, parity_gap

VECTOR = "risk/options/put_call_parity.json"


def test_the_best_other_is_never_the_strike_itself() -> None:
    """The extreme of all, and for the extreme itself the runner-up; NaN is no candidate; ties to the lowest strike."""
    value = np.array([[2.0, np.nan], [1.0, np.nan], [3.0, 5.0], [1.0, np.nan]])

    assert best_other(value, largest=False).tolist() == [[1, 2], [3, 2], [1, -1], [1, 2]]
    assert best_other(value, largest=True).tolist() == [[2, 2], [2, 2], [0, -1], [2, 2]]


def test_a_pair_buys_the_forward_no_cheaper_than_it_sells_it() -> None:
    """The interval contains the forward at mids, in coin and in dollars, and vanishes with the spread."""
    for coin, call, put, half in ((True, 0.09, 0.05, 0.002), (False, 8_000.0, 4_500.0, 60.0)):
        bought, sold = implied_forward(call + half, call - half, put + half, put - half, 86_000.0, coin=coin)
        middle, same = implied_forward(call, call, put, put, 86_000.0, coin=coin)

        assert float(sold) < float(middle) < float(bought)
        assert float(middle) == float(same)


def test_a_premium_difference_of_a_whole_coin_implies_no_forward() -> None:
    """1 - (c - p) must be positive: otherwise NaN, not a negative price."""
    bought, sold = implied_forward(1.2, 0.7, 0.1, 0.05, 86_000.0, coin=True)

    assert np.isnan(bought)
    assert float(sold) == pytest.approx(86_000.0 / 0.4)


def test_vectors_of_real_quotes(vectors: Path) -> None:
    """The stored Deribit quotes give the stated profits, gaps and implied forward."""
    for case in json.loads((vectors / VECTOR).read_text())["vectors"]:
        given, expected, tolerance = case["inputs"], case["expected"], case["tolerance"]
        strike = given["strike"]
        if "call" in given:
            call, put, price = given["call"], given["put"], given["future"]
            touch = parity_gap(call["ask"], call["bid"], put["ask"], put["bid"], strike, price, price, coin=True)
            middle = 0.5 * (call["bid"] + call["ask"]), 0.5 * (put["bid"] + put["ask"])
            gap, _ = parity_gap(middle[0], middle[0], middle[1], middle[1], strike, price, price, coin=True)
            profits = [profit - given["fee_total"] for profit in touch]

            assert expected["parity_btc"] == pytest.approx(1.0 - strike / price, abs=tolerance["abs"])
            assert expected["conversion_profit"] == pytest.approx(profits[0], abs=tolerance["abs"])
            assert expected["reversal_profit"] == pytest.approx(profits[1], abs=tolerance["abs"])
            assert expected["mid_gap"] == pytest.approx(gap, abs=tolerance["abs"])
            assert expected["violation"] is bool(max(profits) > 0.0)
            continue
        call, put = given["call_mark"], given["put_mark"]
        implied, _ = implied_forward(call, call, put, put, strike, coin=True)
        stale = given["api_underlying"]
        spot, forward_usd = given["index"], float(implied)
        gap = stale * parity_gap(call, call, put, put, strike, stale, stale, coin=True)[0]
        at_spot = spot * parity_gap(call, call, put, put, strike, forward_usd, forward_usd, coin=True)[0]
        discounted = (forward_usd - strike) * spot / forward_usd
        assert expected["implied_forward"] == pytest.approx(float(implied), rel=tolerance["rel"])
        assert expected["gap_vs_api_bps"] == pytest.approx(1e4 * (float(implied) / stale - 1.0), abs=tolerance["abs"])
        assert expected["usd_gap_with_F"] == pytest.approx(gap, abs=tolerance["abs"])
        assert expected["implied_rate"] == pytest.approx(
            math.log(forward_usd / spot) / given["T_years"], rel=tolerance["rel"]
        )
        assert expected["usd_gap_with_S_and_r"] == pytest.approx(at_spot, abs=tolerance["abs"])
        assert expected["usd_gap_mixed"] == pytest.approx(forward_usd - strike - discounted, abs=tolerance["abs"])
