"""Chains that somebody's expectation could have made are silent; a planted error is seen at its size.  [S2.8]"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.constraints import c3_put_call, c4_butterfly, c7_vertical
from engine.constraints.detect import detect
from engine.market.view import PreparedPanel
from engine.records import Right
from tests.engine.constraints.options.option_market import calls_and_puts, forward, key_of, name, view

STRIKES = [70_000.0, 80_000.0, 86_000.0, 90_000.0, 93_000.0, 101_000.0, 120_000.0]
PRICES = st.lists(st.tuples(st.integers(40_000, 160_000), st.integers(1, 9)), min_size=1, max_size=6)
COIN = st.booleans()


def chain(outcomes: list[tuple[int, int]], coin: bool) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Calls, puts and forward of a lottery over settlement prices: expectations, hence free of arbitrage.

    In coin the weights are of the measure under which 1/S_T has mean 1/F.
    """
    settled = np.array([float(price) for price, _ in outcomes])
    weight = np.array([float(w) for _, w in outcomes])
    weight = weight / weight.sum()
    level = 1.0 / float((weight / settled).sum()) if coin else float((weight * settled).sum())
    unit = settled[:, None] if coin else 1.0
    strike = np.array(STRIKES)
    call = (weight[:, None] * np.maximum(settled[:, None] - strike, 0.0) / unit).sum(axis=0)
    put = (weight[:, None] * np.maximum(strike - settled[:, None], 0.0) / unit).sum(axis=0)
    return call, put, level


def market(
    call: NDArray[np.float64], put: NDArray[np.float64], level: float, coin: bool, half: float = 0.0
) -> PreparedPanel:
    changes = {} if coin else {"quote": "USDC", "settle": "USDC", "inverse": False}
    books = calls_and_puts(STRIKES, call[None, :], put[None, :], half, coin=coin)
    return view([*books, forward(np.array([level]), **changes)])


@settings(deadline=None, max_examples=60)
@given(outcomes=PRICES, coin=COIN)
def test_no_package_of_a_lottery_gains_anything(outcomes: list[tuple[int, int]], coin: bool) -> None:
    """Free trading at expectations: no score of any key is above rounding, whatever the lottery."""
    block = market(*chain(outcomes, coin), coin)

    for member in (c3_put_call, c4_butterfly, c7_vertical):
        scan = member.CONSTRAINT.scan(block, None)
        assert scan.usable > 0
        assert scan.violations == 0
        assert np.nanmax(scan.score_bps) <= 1e-6


@settings(deadline=None, max_examples=40)
@given(outcomes=PRICES, coin=COIN, at=st.integers(0, len(STRIKES) - 1), size=st.floats(10.0, 900.0))
def test_a_call_too_dear_is_sold_in_c3_at_the_size_of_the_error(
    outcomes: list[tuple[int, int]], coin: bool, at: int, size: float
) -> None:
    """``size`` bps on one call are ``size`` bps of parity gap at its strike, and nothing at the others."""
    call, put, level = chain(outcomes, coin)
    call[at] += size * 1e-4 * (1.0 if coin else 90_000.0)
    block = market(call, put, level, coin)
    scan = c3_put_call.CONSTRAINT.scan(block, None)
    key = key_of(scan, block, 1, name(Right.CALL, STRIKES[at]))
    score = scan.score_bps[0].copy()

    assert abs(score[key] - size) < 1e-6
    score[[key, key_of(scan, block, -1, name(Right.PUT, STRIKES[at]))]] = 0.0
    assert np.abs(score).max() < 1e-6


def test_costs_alone_never_fire() -> None:
    """A fair chain with a wide spread: every net is under zero, and detection keeps nothing."""
    call, put, level = chain([(60_000, 1), (90_000, 3), (130_000, 1)], True)
    block = market(call + 0.01, put + 0.01, level, True, half=0.002)

    assert all(len(seen.packages) == 0 for seen in detect(block, None, codes=("C3", "C4", "C7")))
