"""A gap that moves with a peg, funding or a tick is named with its slope; one that does not raises no alarm.  [V1]

All data are synthetic: hourly prices of 60 days, gaps that persist, a peg that wanders and breaks once.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from statsmodels.regression.linear_model import WLS
from statsmodels.robust.norms import HuberT
from statsmodels.robust.robust_linear_model import RLM

from backtest.data.checks.level import LEAST_ERRORS, Level, follow, tick_of
from backtest.data.checks.level_scan import block_medians, levels_of
from backtest.data.checks.samples import Samples
from engine.records import Feed, Kind
from engine.units import NS_PER_HOUR
from tests.backtest.data.markets import START, instrument, instruments

HOURS = 1440
BPS = 1e4


def persistent(rng: np.random.Generator, deviation: float, memory: float = 0.95) -> np.ndarray:
    """A gap in bps that keeps ``memory`` of itself from hour to hour."""
    shocks = rng.normal(0.0, deviation * np.sqrt(1.0 - memory**2), HOURS)
    out = np.empty(HOURS)
    last = 0.0
    for hour, shock in enumerate(shocks):
        last = memory * last + shock
        out[hour] = last
    return out


def market(
    seed: int, *, quote: str = "USDT", kinds: tuple[Kind, Kind] = (Kind.PERP, Kind.PERP), gap_bps: float = 4.0
) -> Samples:
    """Two sources of BTC in truth priced in USDT, the second one declared in ``quote``; their gap persists."""
    rng = np.random.default_rng(seed)
    bar = {"feed": int(Feed.BAR), "bar_ns": NS_PER_HOUR}
    listed = instruments(
        instrument("binance:A", kinds[0], **bar), instrument("hyperliquid:B", kinds[1], quote=quote, **bar)
    )
    price = 30_000.0 * np.exp(np.cumsum(rng.standard_t(4, HOURS) * 40e-4 / 2))
    peg = persistent(rng, 4.0)
    peg[700:760] -= rng.uniform(20.0, 200.0)
    gap = persistent(rng, gap_bps)
    return Samples(
        instruments=listed,
        step_ns=NS_PER_HOUR,
        times_ns=START + NS_PER_HOUR * np.arange(HOURS),
        code=np.array([0, 1]),
        price=np.array([price, price * np.exp(gap / BPS)]).T,
        age_ns=np.zeros((HOURS, 2)),
        funding_bps=np.repeat(np.array([persistent(rng, 2.0, 0.98)]), 2, axis=0).T,
        usdc_usdt=np.exp(peg / BPS),
    )


def changed(samples: Samples, **fields: object) -> Samples:
    return Samples(**{name: fields.get(name, getattr(samples, name)) for name in Samples.__slots__})  # type: ignore[arg-type]


def only(samples: Samples) -> Level:
    (level,) = levels_of(samples)
    return level


def slope_of(level: Level, driver: str) -> tuple[float, float]:
    return next((found.slope, found.error) for found in level.follows if found.driver == driver)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("declared", ["USDC", "USD"])
def test_a_price_in_the_wrong_dollar_has_slope_one(seed: int, declared: str) -> None:
    """A price in USDT that is declared in USDC is converted by the whole peg; the question names both currencies."""
    level = only(market(seed, quote=declared))
    slope, error = slope_of(level, "USDC/USDT")

    assert abs(slope - 1.0) < max(5 * error, 0.1)
    assert f"follows USDC/USDT with slope {slope:.2f}" in level.warning
    assert f"is the price currency right (declared {declared} and USDT)?" in level.warning


def test_a_price_that_hides_another_dollar_is_found_too() -> None:
    """A price in USDC that is declared in USDT: nothing is converted, and the gap is minus the peg."""
    right = market(3)
    price = right.price * np.array([1.0, 1.0]) / np.array([np.ones(HOURS), right.usdc_usdt]).T

    assert slope_of(only(changed(right, price=price)), "USDC/USDT")[0] == pytest.approx(-1.0, abs=0.1)
    assert "slope -1.0" in only(changed(right, price=price)).warning


def test_a_conversion_that_is_right_leaves_no_slope() -> None:
    """A price that is in USDC in truth and by its declaration: the peg goes out again, also at its break."""
    right = market(4, quote="USDC")
    price = right.price / np.array([np.ones(HOURS), right.usdc_usdt]).T
    level = only(changed(right, price=price))

    assert level.warning == ""
    assert abs(slope_of(level, "USDC/USDT")[0]) < 0.1


@pytest.mark.parametrize("seed", range(10))
def test_a_gap_of_funding_is_named(seed: int) -> None:
    """The last price of a perp against what is called one and is its index: the gap is the premium."""
    right = market(seed, gap_bps=1.0)  # two stored perps are 1 to 2 bps apart
    moved = right.price * np.exp(1.2 * right.funding_bps[:, ::-1] * np.array([0.0, 1.0]) / BPS)
    level = only(changed(right, price=moved))
    slope, error = slope_of(level, "funding")

    assert abs(slope - 1.2) < max(5 * error, 0.1)
    assert "follows funding with slope" in level.warning


def test_a_perp_may_follow_funding_against_spot_and_against_a_perp_that_pays_less() -> None:
    """Between a perp and a spot that is what funding is for, and between two perps their difference may show."""
    right = market(5)
    rng = np.random.default_rng(9)
    rates = right.funding_bps + np.array([np.zeros(HOURS), persistent(rng, 3.0)]).T
    by_rate = right.price * np.exp((rates - right.funding_bps) * 0.9 / BPS)
    spot = market(5, kinds=(Kind.SPOT, Kind.PERP))
    against_spot = spot.price * np.exp(right.funding_bps * np.array([0.0, 1.2]) / BPS)

    assert only(changed(right, price=by_rate, funding_bps=rates)).warning == ""
    assert only(changed(spot, price=against_spot)).warning == ""
    assert [found.driver for found in only(changed(spot, price=against_spot)).follows] == ["USDC/USDT"]


@pytest.mark.parametrize(("rounding", "slope"), [(np.floor, -0.5), (np.ceil, 0.5)])
def test_a_coarse_tick_is_named(rounding: np.ufunc, slope: float) -> None:
    """Prices rounded down to 100 USDT lie half a tick under the others, in bps more where the price is lower."""
    right = market(6)
    right = changed(right, price=right.price[:, :1] * np.exp(np.array([[0.0, 0.0]]) / BPS))
    price = right.price.copy()
    price[:, 1] = rounding(price[:, 1] / 100.0) * 100.0
    level = only(changed(right, price=price))

    found, error = slope_of(level, "tick")
    assert abs(found - slope) < 5 * error
    assert f"follows tick with slope {found:.2f}" in level.warning


def test_no_alarm_in_two_hundred_markets_without_a_fault() -> None:
    """The false alarms of 200 seeds over three kinds of pairs: none is the measured rate, so under 1.5% at 95%."""
    alarms = [
        level.warning
        for seed in range(200)
        for kinds in ((Kind.PERP, Kind.PERP), (Kind.SPOT, Kind.PERP), (Kind.SPOT, Kind.SPOT))
        for level in levels_of(market(1_000 + seed, kinds=kinds))
        if level.warning
    ]

    assert alarms == []


def test_two_drifting_gaps_are_no_relation() -> None:
    """A gap and a peg that are random walks apart: levels often seem to agree, their changes do not."""
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        gap, peg = np.cumsum(rng.normal(0.0, 2.0, (2, 180)), axis=1)
        found = follow("USDC/USDT", gap, peg)
        assert found is not None
        alarms += found.alarm

    assert alarms == 0


def test_slope_and_error_are_those_of_statsmodels() -> None:
    """Huber's regression, and the larger of two errors of least squares with its weights, on one window of blocks."""
    rng = np.random.default_rng(11)
    x = np.cumsum(rng.normal(0.0, 3.0, 30))
    y = 0.6 * x + np.cumsum(rng.standard_t(3, 30))
    found = follow("USDC/USDT", y, x)
    a, b = x - x.mean(), y - y.mean()
    robust = RLM(b, a, M=HuberT()).fit(maxiter=200, tol=1e-12)
    weighted = WLS(b, a, weights=robust.weights)
    persistent_error = weighted.fit(cov_type="HAC", cov_kwds={"maxlags": 7, "use_correction": False}).bse[0]
    error = max(persistent_error, weighted.fit(cov_type="HC0").bse[0])

    assert found is not None
    assert found.slope == pytest.approx(robust.params[0], rel=1e-4)
    assert found.error == pytest.approx(error, rel=1e-3)


def test_too_little_or_constant_data_say_nothing() -> None:
    """Eleven blocks, a driver that does not move, or no common price: no slope, no alarm."""
    rng = np.random.default_rng(12)
    gap, peg = rng.normal(size=(2, 40))

    assert follow("USDC/USDT", gap[:11], peg[:11]) is None
    assert follow("USDC/USDT", gap, np.full(40, 3.0)) is None
    assert follow("USDC/USDT", gap, np.full(40, np.nan)) is None
    apart = market(1).price.copy()
    apart[:700, 0], apart[700:, 1] = np.nan, np.nan
    assert levels_of(changed(market(1), price=apart)) == ()


def test_prices_in_two_dollars_without_their_pair_are_not_compared() -> None:
    """Without USDC/USDT no gap between a price in USDC and one in USDT is known; in one dollar it is."""
    gone = np.full(HOURS, np.nan)

    assert levels_of(changed(market(2, quote="USDC"), usdc_usdt=gone)) == ()
    assert [found.driver for found in only(changed(market(2), usdc_usdt=gone)).follows] == ["funding"]
    assert levels_of(market(2, quote="BTC")) == ()


def test_bad_prints_do_not_move_the_slope() -> None:
    """One price in a hundred off by a tenth: the medians of eight hours leave it out."""
    wrong = market(7, quote="USDC")
    rng = np.random.default_rng(13)
    price = wrong.price.copy()
    price[rng.choice(HOURS, HOURS // 100, replace=False), 1] *= 1.1

    assert slope_of(only(changed(wrong, price=price)), "USDC/USDT")[0] == pytest.approx(1.0, abs=0.1)


def test_blocks_are_medians_as_a_loop_gives_them() -> None:
    """Against numpy's median of each block, with gaps and unknown values."""
    rng = np.random.default_rng(14)
    block = np.sort(rng.integers(5, 40, 200))
    values = np.where(rng.random(200) < 0.2, np.nan, rng.normal(size=200))
    slow = []
    for number in range(block[0], block[-1] + 1):
        known = values[(block == number) & ~np.isnan(values)]
        slow.append(np.median(known) if len(known) else np.nan)

    np.testing.assert_allclose(block_medians(block, values), slow)


@pytest.mark.parametrize(("tick", "found"), [(500.0, 100.0), (200.0, 200.0), (10.0, 10.0), (1.0, np.nan)])
def test_the_tick_is_read_from_the_prices(tick: float, found: float) -> None:
    """Multiples of 200 and of 10 at 30,000; a unit is a third of a bp and moves no gap; 500 is over a hundredth."""
    rng = np.random.default_rng(15)
    price = rng.integers(29_000 // tick, 31_000 // tick, 500) * tick

    assert tick_of(price) == pytest.approx(found, nan_ok=True)


def test_a_level_is_json_and_five_errors_are_the_rule() -> None:
    """What `--json` prints; a slope under five of its errors is none."""
    level = only(market(0, quote="USDC"))

    assert json.loads(json.dumps(asdict(level)))["follows"][0]["driver"] == "USDC/USDT"
    for found in level.follows:
        assert not found.alarm or abs(found.slope) >= LEAST_ERRORS * found.error
