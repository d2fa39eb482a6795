"""Twin of stress.py: one joint loss on a series, in closed form.

Rules: [spec README "Joint losses"].
"""

from __future__ import annotations

import itertools
from decimal import Decimal

import numpy as np
import pytest

from engine.units import MICRO
from hypotheses import h1, stress
from hypotheses.base import Sleeve
from hypotheses.records import Proportion, Stressed
from tests.hypotheses.cases import exposure, profits, run, stats, streams


def strong():
    return run(profits(150, 200))


def test_the_loss_falls_on_the_day_after_the_last_trade() -> None:
    """One day, one amount; the last day of the window where there is no day after."""
    table = profits(100, 50)
    table[70:, 1] = 0
    window = run(table)

    early = stress.with_loss(window.sleeves[1], 9) - window.sleeves[1].x
    late = stress.with_loss(window.sleeves[0], 9) - window.sleeves[0].x

    assert (early.tolist().index(-9), late.tolist().index(-9)) == (70, 89)
    assert early.sum() == late.sum() == -9


def test_the_ratio_after_the_loss_is_that_of_plain_numpy() -> None:
    """The last day trades, so the loss is on it."""
    window = strong()
    x = window.portfolio.x / float(window.portfolio.capital_micro)
    x[-1] -= 5_000 / 1_000_000

    found = h1.evaluate(window, stats(), streams, exposure(5_000))

    assert float(found.stressed.sharpe) == pytest.approx(np.sqrt(365) * x.mean() / x.std(ddof=1), rel=1e-5)
    assert found.stressed.loss_usd == 5_000
    assert found.stressed.ci.low < found.stressed.sharpe < found.stressed.ci.high
    assert found.stressed.sharpe < found.sharpe


def test_p_after_the_loss_is_the_largest_over_the_blocks() -> None:
    """Against signs enumerated one by one."""
    sums = (700, 900, 650, 800, -100)
    found = stress._largest_p(sums, 1_000)

    def p(values: list[int]) -> int:
        signs = itertools.product((1, -1), repeat=len(values))
        return sum(sum(s * v for s, v in zip(sign, values, strict=True)) >= sum(values) for sign in signs)

    each = [p([v - 1_000 * (i == j) for i, v in enumerate(sums)]) for j in range(len(sums))]
    assert found == Proportion(max(each), 32)
    assert len(set(each)) > 1


def test_the_mean_active_day_stands_against_three_losses() -> None:
    """Net result of all days, after capital, by the days with an open position."""
    window = strong()
    result = Decimal(int(window.portfolio.x.sum())) / MICRO

    found = h1.evaluate(window, stats(), streams, exposure(900, days=45)).stressed

    assert found.mean_day_usd == (result / 45).quantize(Decimal("1e-9"))
    assert found.least_mean_day_usd == 60


def test_each_condition_alone_makes_a_supported_h1_fragile() -> None:
    """At the bound itself it fails; above it passes."""
    good = Stressed(Decimal(100), Decimal("1.5"), None, Proportion(51, 1_024), Decimal(9), Decimal(3), {})

    def failed(result_usd: int = 301, **changed: object) -> tuple[str, ...]:
        values = {name: getattr(good, name) for name in Stressed.__slots__}
        return stress.failed_stress(Stressed(**{**values, **changed}), result_usd * MICRO, stats())

    assert failed() == ()
    assert failed(300) == ("the net result not above three joint losses",)
    assert failed(sharpe=Decimal("1.0")) == ("the Sharpe ratio after one joint loss not above 1.0",)
    assert failed(sharpe=None) == ("the Sharpe ratio after one joint loss not above 1.0",)
    assert failed(p_n1=Proportion(52, 1_024)) == ("p(N1) after one joint loss not under 0.05",)
    assert stress.failed_stress(None, 0, stats()) == ("joint loss not known",)


def test_a_loss_that_undoes_the_window_is_named_in_the_grade() -> None:
    """The interval alone decides nothing: the conditions are those of the ruling."""
    mild = h1.evaluate(strong(), stats(), streams, exposure(675))
    harsh = h1.evaluate(strong(), stats(), streams, exposure(60_000))

    assert mild.failed_conditions == ("N2 not run", "N3 not run")
    assert harsh.failed_conditions[2:] == (
        "the Sharpe ratio after one joint loss not above 1.0",
        "p(N1) after one joint loss not under 0.05",
        "the net result not above three joint losses",
    )
    assert harsh.registered


def test_the_rule_of_three_counts_losses_of_half_the_joint_loss() -> None:
    """Exactly half counts; a smaller loss, however often, does not."""
    window = strong()
    worst = -int(window.portfolio.profit.min()) // MICRO
    half = stress.loss_days(Sleeve("", window.portfolio.x, np.array([-500, -499, 500]), 1), 1_000)

    unseen = h1.evaluate(window, stats(), streams, exposure(2 * worst + 3))
    seen = h1.evaluate(window, stats(), streams, exposure(2 * worst - 3))

    assert half == 1
    assert (unseen.loss_days, unseen.rule_of_three, unseen.active_days) == (0, Decimal("0.033333333"), 90)
    assert (seen.loss_days, seen.rule_of_three) == (1, None)
    assert "was seen" in seen.reasons["rule_of_three"]


def test_what_is_not_known_has_a_reason() -> None:
    """Without positions nothing is stressed, and the grade says so."""
    unknown = h1.evaluate_placed(strong(), stats(), streams, None, None)
    idle = h1.evaluate(strong(), stats(), streams, exposure(days=0))
    flat = h1.evaluate(run(np.zeros((90, 7))), stats(), streams, exposure())

    assert "joint loss not known" in unknown.failed_conditions
    assert {"stressed", "active_days", "loss_days", "rule_of_three"} <= set(unknown.reasons)
    assert idle.stressed is None
    assert idle.reasons["stressed"] == "no position was open on any day"
    assert flat.reasons["stressed"] == "the Sharpe ratio is undefined"


def test_an_undefined_interval_after_the_loss_has_a_reason() -> None:
    """Too few draws for the level."""
    found = h1.evaluate(strong(), stats(bootstrap_draws=19, level=Decimal("0.99")), streams, exposure()).stressed

    assert found.ci is None
    assert found.reasons["ci"] == "too few bootstrap draws for the level"
