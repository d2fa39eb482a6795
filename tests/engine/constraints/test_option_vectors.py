"""Stored fees and marks of a real chain: the fee cap, and marks that obey parity in coin.  [risk 5, 17.1]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtest.data.synthetic.smile import SmileSpec, normalised_call
from engine.constraints.options.put_call_pairs import parity_gap
from engine.market.fees import fee_per_unit

BLACK = SmileSpec(low_weight="0.5", skew="0", low_vol="1", high_vol="1")
"""Two equal components are one lognormal: Black (1976)."""


@pytest.fixture
def cases(vectors: Path) -> dict[str, Any]:
    text = (vectors / "risk/options/pricing_fees.json").read_text()
    return {case["id"]: case for case in json.loads(text)["vectors"]}


def test_the_fee_is_a_share_of_the_underlying_capped_by_the_premium(cases: dict[str, Any]) -> None:
    """3 bp of the coin, at most 12.5% of the premium: the cap binds under 0.0024."""
    case = cases["option-fees-on-chain"]
    given = case["inputs"]
    fee = fee_per_unit(np.array([given["fee"]]), np.array([given["cap"]]), np.array(given["premiums"]), np.array([1.0]))

    assert case["expected"]["fees"] == pytest.approx(fee.tolist(), abs=case["tolerance"]["abs"])


def test_the_marks_are_black_76_over_the_forward_and_obey_parity(cases: dict[str, Any]) -> None:
    """The call is c(T, K/F), the put follows by c - p = 1 - K/F, with no rate."""
    case = cases["black76-mark-30oct-84000"]
    given, expected, tolerance = case["inputs"], case["expected"], case["tolerance"]["abs"]
    forward, strike = given["forward"], given["strike"]
    call = normalised_call(
        np.array([strike / forward]), np.array([given["iv"]]), np.array([given["T_years"]]), BLACK
    ).item()
    gap, _ = parity_gap(call, call, 0.0, 0.0, strike, forward, forward, coin=True)

    assert expected["call"] == pytest.approx(call, abs=tolerance)
    assert expected["put"] == pytest.approx(gap, abs=tolerance)
