"""Expected funding by what the venue does: settles, settles often, accrues.  [venues V3]"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from engine.convention_rows import FundingRule
from engine.costs.expected_funding import carry_bps, expected_rate, lacks_rate, rate_at, without_funding
from engine.market.view import PreparedPanel, prepare
from engine.records import ACCRUAL_NS, Kind
from engine.units import NS_PER_HOUR
from tests.helpers.builders import T0_NS, curves, instruments, panel, params, perp, quote, row_keys, spot

NAN = float("nan")
SPOT, EIGHT, HOURLY, ACCRUING = (
    "binance:BTCUSDC",
    "binance:BTCUSDC-PERP",
    "hyperliquid:BTC-PERP",
    "deribit:BTC-PERPETUAL",
)
TABLE = instruments(
    spot(SPOT),
    perp(EIGHT),
    perp(HOURLY, funding_interval_ns=NS_PER_HOUR),
    perp(ACCRUING, quote="USD", settle="BTC", inverse=True, funding_interval_ns=ACCRUAL_NS),
)


def rule(venue: str, hours: int, first: str = "2020-01-01", symbol: str = "") -> FundingRule:
    interval = hours * NS_PER_HOUR
    return FundingRule(**row_keys(venue, Kind.PERP, first, symbol=symbol), accrues=not hours, interval_ns=interval)


RULES = (rule("binance", 8), rule("hyperliquid", 1), rule("deribit", 0))


def view(rules: tuple[FundingRule, ...] = RULES, **accruing: Any) -> PreparedPanel:
    """Three hours: the last rate is 3 bps, the mean of eight hours 1 bp, and 2 bps are what eight hours cost."""
    rows = T0_NS + NS_PER_HOUR * np.arange(3, dtype=np.int64)
    said = {"funding_8h": 2e-4, "funding_mean": 5e-4, **accruing}
    quotes = {
        SPOT: quote([100_000.0] * 3),
        EIGHT: quote([100_000.0] * 3, rate=3e-4),
        HOURLY: quote([100_000.0] * 3, rate=3e-4, settled_mean=1e-4),
        ACCRUING: quote([100_000.0] * 3, rate=3e-4, index=100_000.0, **said),
    }
    return prepare(panel(TABLE, quotes, times_ns=rows), params(grid_ns=0, funding=rules), curves())


def phi(made: PreparedPanel, name: str, hours: float) -> float:
    return float(expected_rate(made, made.panel.column(TABLE.code_of(name)), round(hours * NS_PER_HOUR))[0])


def test_what_settles_each_eight_hours_pays_the_rate_in_force() -> None:
    """From 00:00, 24 hours hold three settlements and seven hours none."""
    assert phi(view(), EIGHT, 24) == pytest.approx(float(Fraction(9, 10_000)), rel=1e-15)
    assert phi(view(), EIGHT, 7) == 0.0


def test_what_settles_more_often_pays_the_mean_of_its_last_eight_hours() -> None:
    """24 settlements of 1 bp, not of the last one's 3."""
    assert phi(view(), HOURLY, 24) == pytest.approx(float(Fraction(24, 10_000)), rel=1e-15)
    assert phi(view(()), HOURLY, 24) == pytest.approx(float(Fraction(72, 10_000)), rel=1e-15)


@pytest.mark.parametrize("hours", [0.5, 7.0, 24.0, 30.0])
def test_what_accrues_pays_its_share_of_eight_hours(hours: float) -> None:
    """Life / 8 h of what the venue says, at any life; without that the trailing mean of its rate."""
    share = Fraction(hours) / 8
    assert phi(view(), ACCRUING, hours) == pytest.approx(float(share * Fraction(2, 10_000)), rel=1e-14)
    assert phi(view(funding_8h=NAN), ACCRUING, hours) == pytest.approx(float(share * Fraction(5, 10_000)), rel=1e-14)


def test_the_rate_of_the_instant_is_never_what_accrues_is_expected_to_pay() -> None:
    """Neither said nor averaged: not known, though a rate is published."""
    made = view(funding_8h=NAN, funding_mean=NAN)
    column = made.panel.column(TABLE.code_of(ACCRUING))

    assert np.isnan(phi(made, ACCRUING, 24))
    assert lacks_rate(made, column)
    assert without_funding(made).tolist() == [name == ACCRUING for name in made.panel.instruments.name]


def test_a_row_of_its_symbol_dates_the_interval_of_one_contract() -> None:
    """Hourly from the day after a settlement at its cap; before it as all others of the venue."""
    later = (*RULES, rule("binance", 1, "2099-01-01", EIGHT.split(":")[1]))
    assert phi(view(later), EIGHT, 24) == phi(view(), EIGHT, 24)
    now = (*RULES, rule("binance", 4, "2021-01-01", EIGHT.split(":")[1]))
    made = view(now)
    made = replace(made, panel=replace(made.panel, settled_mean=np.full(made.panel.shape, 2e-4)))
    assert phi(made, EIGHT, 24) == pytest.approx(float(Fraction(12, 10_000)), rel=1e-15)


def test_the_carry_of_packages_is_that_of_a_slow_loop_over_their_legs() -> None:
    """+ is received: a short leg receives a positive rate."""
    made = view()
    codes = [made.panel.column(TABLE.code_of(name)) for name in (SPOT, EIGHT, HOURLY, ACCRUING)]
    draw = np.random.default_rng(7)
    quantity = draw.normal(size=(9, 4))
    row, column = draw.integers(0, 3, 9).astype(np.int32), np.array([codes] * 9, dtype=np.int32)
    column[::2, 2], quantity[::2, 2] = -1, 0.0
    life_ns = 24 * NS_PER_HOUR

    found = carry_bps(made, row, column, quantity, life_ns)
    counts = {EIGHT: 3, HOURLY: 24, ACCRUING: 3}
    for m in range(9):
        slow = 0.0
        for leg, name in enumerate((SPOT, EIGHT, HOURLY, ACCRUING)):
            if column[m, leg] >= 0 and name != SPOT:
                rate = float(rate_at(made, row[m : m + 1], column[m, leg : leg + 1])[0])
                slow -= 1e4 * quantity[m, leg] * rate * counts[name]
        assert found[m] == pytest.approx(slow, rel=1e-12)
