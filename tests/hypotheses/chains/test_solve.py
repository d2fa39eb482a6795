"""The joint solve against shared option vectors, a second formulation and closed forms.  [risk 17]"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from engine.errors import DataError
from hypotheses.chains.forwards import forward_intervals
from hypotheses.chains.program import INSIDE_COST
from hypotheses.chains.records import JointSolution, QuotedChain
from hypotheses.chains.solve import solve_jointly
from tests.oracles.joint_law import least_cost_bps

Quote = tuple[int, float, bool, float, float]
"""Expiry, strike, call, bid, ask."""


def chain_of(quotes: list[Quote], forwards: list[tuple[float, float]], coin: bool = True) -> QuotedChain:
    expiry, strike, call, bid, ask = (np.array(column) for column in zip(*quotes, strict=True))
    low, high = np.array(forwards, dtype=np.float64).T
    return QuotedChain(
        coin, np.arange(len(forwards)), low, high, expiry.astype(np.int32), strike.astype(np.float64), call, bid, ask
    )


def cost_of(chain: QuotedChain, solution: JointSolution) -> float:
    """What the answer costs, recomputed from its prices: beyond + 0.001 inside, bps."""
    unit = 1.0 if chain.coin else forward_intervals(chain).mean(axis=1)[chain.expiry]
    beyond = np.maximum(solution.price - chain.ask, 0.0) + np.maximum(chain.bid - solution.price, 0.0)
    inside = np.abs(np.clip(solution.price, chain.bid, chain.ask) - 0.5 * (chain.bid + chain.ask))
    return float(((beyond + INSIDE_COST * inside) / unit).sum() * 1e4)


def black(expiry: int, forward: float, strike: float, vol: float, call: bool) -> float:
    """Price over forward."""
    root = vol * np.sqrt(0.1 * (1 + 0.1 * expiry))
    d1 = np.log(forward / strike) / root + 0.5 * root
    sign = 1.0 if call else -1.0
    return float(sign * (norm.cdf(sign * d1) - strike / forward * norm.cdf(sign * (d1 - root))))


def random_chain(seed: int, coin: bool, wide: float, expiries: int = 3, noise: float = 0.004) -> QuotedChain:
    """A SYNTHETIC chain of Black prices, some moved by noise beyond their half-spread; forwards ``wide`` bps wide."""
    draw = np.random.default_rng(seed)
    forwards = 100_000.0 * (1.0 + 0.01 * np.arange(expiries))
    quotes: list[Quote] = []
    for e in range(expiries):
        for strike in (80_000.0, 95_000.0, 105_000.0, 120_000.0):
            for call in (True, False):
                if draw.random() < 0.85:
                    price = black(e, forwards[e], strike, 0.6, call) + noise * draw.standard_normal()
                    half = 0.001 + 0.002 * draw.random()
                    unit = 1.0 if coin else forwards[e]
                    quotes.append((e, strike, call, max(price - half, 1e-4) * unit, max(price + half, 2e-4) * unit))
    return chain_of(quotes, [(f * (1 - wide / 1e4), f * (1 + wide / 1e4)) for f in forwards], coin)


@pytest.mark.parametrize(("coin", "wide"), [(True, 0.0), (True, 5.0), (False, 0.0)])
def test_the_least_cost_is_that_of_the_second_formulation(coin: bool, wide: float) -> None:
    """Relations between prices, and a martingale of laws on a grid: one optimum, to 1e-5 bps.

    This is the joint statement of Carr and Madan both ways: where the cost is zero a martingale has these prices.
    """
    guilty = 0
    for seed in range(6):
        chain = random_chain(seed, coin, wide)
        solution = solve_jointly(chain)
        guilty += bool(solution.side.any())

        assert least_cost_bps(chain, forward_intervals(chain)) == pytest.approx(cost_of(chain, solution), abs=1e-5)
    assert guilty >= 3


def test_both_methods_of_the_solver_give_one_answer() -> None:
    """Simplex and interior point: the same cost, the same guilty quotes, the same ranges."""
    for seed in range(4):
        chain = random_chain(seed, coin=True, wide=2.0)
        simplex, interior = solve_jointly(chain), solve_jointly(chain, "highs-ipm")

        assert cost_of(chain, simplex) == pytest.approx(cost_of(chain, interior), abs=1e-4)
        assert simplex.side.tolist() == interior.side.tolist()
        np.testing.assert_allclose(simplex.most_bps, interior.most_bps, atol=1e-2)


def test_a_chain_of_one_model_has_no_guilty_quote() -> None:
    """Black prices of one volatility with a spread: no movement, and the forward stays in its interval."""
    chain = random_chain(1, coin=True, wide=3.0, noise=0.0)

    solution = solve_jointly(chain)

    assert solution.total_bps == pytest.approx(0.0, abs=1e-6)
    assert not solution.side.any()
    assert (
        (chain.forward_bid <= solution.forward * (1 + 1e-9)) & (solution.forward <= chain.forward_ask * (1 + 1e-9))
    ).all()


@pytest.mark.parametrize("up", [True, False])
def test_the_moved_quote_is_the_guilty_one(up: bool) -> None:
    """One quote of a fair dense chain moved by 200 bps is the one that every answer moves, as far as parity says."""
    quotes: list[Quote] = []
    for e in range(2):
        for strike in np.arange(80_000.0, 121_000.0, 5_000.0):
            for call in (True, False):
                price = black(e, 100_000.0, strike, 0.6, call)
                quotes.append((e, strike, call, price - 0.0002, price + 0.0002))
    chain = chain_of(quotes, [(99_990.0, 100_010.0)] * 2)
    moved = next(n for n, q in enumerate(quotes) if q[:3] == (1, 100_000.0, True))
    shift = np.zeros(len(quotes))
    shift[moved] = 0.02 if up else -0.02
    chain = replace(chain, bid=chain.bid + shift, ask=chain.ask + shift)

    solution = solve_jointly(chain)

    # Part of it may be laid on the put of its strike, by no need.
    assert np.flatnonzero(solution.least_bps).tolist() == [moved]
    assert solution.side[moved] == (-1 if up else 1)
    # Parity with that put at the end of its own interval, and x = 1/F at the end of its.
    x = 1.0 / 100_010.0 if up else 1.0 / 99_990.0
    allowed = 0.02 - 2 * 0.0002 - abs(1.0 - 100_000.0 * x)
    assert solution.total_bps == pytest.approx(1e4 * allowed, abs=1e-6)
    assert solution.most_bps[moved] == pytest.approx(1e4 * allowed, abs=1e-4)


def test_a_dollar_chain_is_measured_in_bps_of_its_forward() -> None:
    """A call bid above its forward is too dear by that much; strikes and premiums in dollars."""
    chain = chain_of([(0, 50_000.0, True, 101_000.0, 101_200.0)], [(99_900.0, 100_100.0)], coin=False)

    solution = solve_jointly(chain)

    assert solution.side.tolist() == [-1]
    assert solution.total_bps == pytest.approx(1e4 * (101_000.0 - 100_100.0) / 100_000.0)
    assert solution.price.tolist() == [pytest.approx(100_100.0)]


def test_an_expiry_without_a_future_takes_the_forward_that_its_pairs_imply() -> None:
    """Two pairs that imply forwards 1% apart contradict each other; one alone contradicts nobody."""
    nan = float("nan")
    pair: list[Quote] = [(0, 100_000.0, True, 0.05, 0.05), (0, 100_000.0, False, 0.05, 0.05)]
    other: list[Quote] = [(0, 110_000.0, True, 0.02, 0.02), (0, 110_000.0, False, 0.13, 0.13)]

    alone, both = solve_jointly(chain_of(pair, [(nan, nan)])), solve_jointly(chain_of(pair + other, [(nan, nan)]))

    assert not alone.side.any()
    assert alone.forward.tolist() == [pytest.approx(100_000.0)]
    # 1 - 1.1 x - (0.02 - 0.13) = 0.01 with x = 1: moved by the pair of 110,000, or by x at the cost of the other pair.
    assert both.total_bps == pytest.approx(1e4 * 0.01 / 1.1, rel=1e-6)


def test_expiries_are_not_compared_within_the_spread_of_their_forwards() -> None:
    """A near call dearer than the far one of the same strike is guilty only where no quoted forwards explain it."""
    quotes: list[Quote] = [(0, 100_000.0, True, 0.06, 0.06), (1, 100_000.0, True, 0.05, 0.05)]

    tight = solve_jointly(chain_of(quotes, [(100_000.0, 100_000.0)] * 2))
    loose = solve_jointly(chain_of(quotes, [(99_000.0, 101_000.0)] * 2))

    assert tight.total_bps == pytest.approx(100.0)
    assert loose.total_bps == pytest.approx(0.0, abs=1e-6)


def test_a_chain_without_quotes_has_an_empty_answer() -> None:
    """No quote, no movement; the forwards are unknown."""
    chain = random_chain(0, coin=True, wide=1.0)
    empty = replace(
        chain,
        expiry=chain.expiry[:0],
        strike=chain.strike[:0],
        call=chain.call[:0],
        bid=chain.bid[:0],
        ask=chain.ask[:0],
    )

    solution = solve_jointly(empty)

    assert solution.total_bps == 0.0
    assert len(solution.side) == 0
    assert np.isnan(solution.forward).all()


@pytest.mark.parametrize("wrong", [{"bid": 0.2}, {"ask": np.nan}, {"bid": -0.1}])
def test_a_quote_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    """Crossed, missing or negative: named by its place."""
    chain = random_chain(0, coin=True, wide=1.0)
    arrays: dict[str, Any] = {name: getattr(chain, name).copy() for name in wrong}
    for name, value in wrong.items():
        arrays[name][2] = value

    with pytest.raises(DataError, match="quote 2"):
        replace(chain, **arrays)


def test_two_quotes_of_one_option_are_refused() -> None:
    """Neither can be meant."""
    with pytest.raises(DataError, match="more than one"):
        chain_of([(0, 1e5, True, 0.1, 0.1), (0, 1e5, True, 0.1, 0.2)], [(1e5, 1e5)])


def test_many_guilty_quotes_have_no_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the ranges are NaN, and the quotes that move are named all the same."""
    monkeypatch.setattr("hypotheses.chains.solve.ASKED_AT_MOST", 0)
    chain = random_chain(2, coin=True, wide=0.0)

    solution = solve_jointly(chain)

    guilty = solution.side != 0
    assert guilty.any()
    assert np.isnan(solution.most_bps[guilty]).all()
    assert solution.beyond_bps.sum() == pytest.approx(solution.total_bps, abs=1e-2)


def cases(vectors: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((vectors / "risk" / "options" / f"{name}.json").read_text())["vectors"]
    return found


def quote(expiry: int, call: bool, given: dict[str, Any]) -> Quote:
    return expiry, given["strike"], call, given["bid"], given["ask"]


def test_vectors_of_verticals_and_butterflies(vectors: Path) -> None:
    """The total movement is the profit of the vector, 0 where it states a loss; so with its middle bid raised."""
    for name in ("vertical", "butterfly"):
        for case in cases(vectors, name):
            given, expected = case["inputs"], case["expected"]
            legs = [given[leg] for leg in ("low", "middle", "high") if leg in given]
            future = given["future"]
            profit = -expected["executable_cost"] if name == "butterfly" else max(
                expected["lower_profit"], expected["upper_profit"]
            )  # fmt: skip
            for raised in (0.0, 0.03):
                quotes = [quote(0, True, leg) for leg in legs]
                dear = 1  # the middle strike of a butterfly, the high one of a vertical
                e, strike, call, bid, ask = quotes[dear]
                quotes[dear] = (e, strike, call, bid + raised, ask + raised)
                of_raised = max(profit if name == "butterfly" else expected["lower_profit"], -1.0) + raised
                solution = solve_jointly(chain_of(quotes, [(future, future)]))

                assert solution.total_bps == pytest.approx(1e4 * max(profit * (not raised), of_raised, 0.0), abs=1e-5)
                assert bool(solution.side.any()) is (expected["violation"] if not raised else of_raised > 0.0)


def test_vectors_of_parity(vectors: Path) -> None:
    """No movement at the stored quotes; a call dearer by 50 bps is out by the conversion's profit."""
    for case in cases(vectors, "put_call_parity"):
        given, expected = case["inputs"], case["expected"]
        if "call" not in given:  # marks of one pair: the forward that they imply contradicts nothing
            nan = float("nan")
            marks: list[Quote] = [
                (0, given["strike"], call, given[name], given[name])
                for call, name in ((True, "call_mark"), (False, "put_mark"))
            ]
            alone = solve_jointly(chain_of(marks, [(nan, nan)]))
            assert alone.forward.tolist() == [pytest.approx(expected["implied_forward"], abs=1e-3)]
            continue
        for raised in (0.0, 0.005):
            call = {name: price + raised for name, price in given["call"].items()}
            quotes = [quote(0, True, {"strike": given["strike"], **call})]
            quotes.append(quote(0, False, {"strike": given["strike"], **given["put"]}))
            solution = solve_jointly(chain_of(quotes, [(given["future"], given["future"])]))

            before_fees = expected["conversion_profit"] + given["fee_total"]
            assert solution.total_bps == pytest.approx(1e4 * max(before_fees + raised, 0.0), abs=1e-4)
            assert solution.side.any() == (before_fees + raised > 0.0)
            assert expected["violation"] is False


def test_vectors_of_calendars(vectors: Path) -> None:
    """Comparable strikes are out by the executable profit where there is one; strikes that are not are left alone."""
    for case in cases(vectors, "calendar"):
        given, expected = case["inputs"], case["expected"]
        legs = [given["near"], given["far"]]
        for raised in (0.0, 0.09):
            quotes = [quote(e, True, leg) for e, leg in enumerate(legs)]
            e, strike, call, bid, ask = quotes[0]
            quotes[0] = (e, strike, call, bid + raised, ask + raised)
            solution = solve_jointly(chain_of(quotes, [(leg["future"], leg["future"]) for leg in legs]))
            profit = expected["executable_profit"] + raised

            if expected["comparable"]:
                assert solution.total_bps == pytest.approx(1e4 * max(profit, 0.0), abs=1e-5)
            elif not raised:
                assert profit > 0.0
                assert not solution.side.any()


def test_the_worst_calendar_of_the_published_sample(vectors: Path) -> None:
    """Undiscounted dollar premiums at mid: the near call is too dear by the stated normalised gap."""
    case = next(c for c in cases(vectors, "crw") if c["id"] == "crw-calendar-vertical-worst")
    legs = [case["inputs"]["near"], case["inputs"]["far"]]
    quotes: list[Quote] = [
        (e, leg["strike"], True, leg["call_undiscounted"], leg["call_undiscounted"]) for e, leg in enumerate(legs)
    ]

    solution = solve_jointly(chain_of(quotes, [(leg["forward"], leg["forward"]) for leg in legs], coin=False))

    assert solution.total_bps == pytest.approx(-1e4 * case["expected"]["normalised_gap"], rel=1e-4)
    assert solution.side.tolist() == [-1, 1]
