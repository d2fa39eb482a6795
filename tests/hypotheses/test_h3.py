"""Twin of h3.py: floors, statuses, corrections and the stress loss.

Rules: [S9.H3].
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from engine.constraints.codes import CODES
from hypotheses import h3
from hypotheses.records import Answer, Interval, Status
from tests.hypotheses.cases import exposure, profits, run, stats, streams

MEANS = np.array([120, 120, 120, 0, -120, 120, 120])


def judged(table: np.ndarray, **changed):
    return h3.evaluate(run(table, **changed), stats(), streams, exposure())


def test_seven_strong_constraints_support_h3() -> None:
    """Retained all: the only way to a yes."""
    found = judged(profits(200, 100))

    assert found.answer is Answer.SUPPORTED
    assert found.registered
    assert found.retained == CODES
    assert all(row.ci.low > 0 and row.p_holm < Decimal("0.05") for row in found.constraints)
    assert all(row.tail_fragile is not None for row in found.constraints)


def test_a_worthless_one_is_dropped_and_a_losing_one_refutes() -> None:
    """C4 earns nothing and is dropped; C5's interval lies below zero, which refutes the claim of all seven."""
    found = judged(MEANS + profits(0, 100))
    status = {row.code: row.status for row in found.constraints}

    assert status["C4"] is Status.DROP
    assert status["C5"] is Status.DROP
    assert status["C1"] is Status.RETAIN
    assert found.answer is Answer.REFUTED
    assert [row.code for row in found.constraints] == list(CODES)


def test_one_dropped_without_proof_cannot_be_told() -> None:
    """Not retained is not refuted: C4's interval holds zero and more."""
    table = profits(200, 100)
    table[:, 3] = profits(20, 100, seed=1)[:, 3]

    found = judged(table)

    assert found.answer is Answer.CANNOT_TELL
    assert len(found.retained) == 6


def test_the_floor_itself_is_enough() -> None:
    """Twenty active days, thirty dislocations, six active blocks meet it; one fewer of any does not."""
    least = h3.Activity(days=20, dislocations=30, blocks=6)

    assert h3.floor_reason(least, stats()) is None
    for field in ("days", "dislocations", "blocks"):
        short = replace(least, **{field: getattr(least, field) - 1})
        assert str(getattr(short, field)) in str(h3.floor_reason(short, stats()))


@pytest.mark.parametrize(
    ("days", "count", "why"),
    [(19, 40, "19 active days, fewer than 20"), (60, 29, "29 dislocations, fewer than 30")],
)
def test_under_the_floor_there_is_not_enough_data(days: int, count: int, why: str) -> None:
    """Insufficient is not drop, stays out of the family, and names the floor it missed."""
    table = profits(200, 100)
    table[days:, 0] = 0 if days < 60 else table[days:, 0]

    found = h3.evaluate(run(table), stats(), streams, exposure(count=count)).constraints[0]

    assert found.status is Status.INSUFFICIENT
    assert why in found.reasons["status"]
    assert found.p_holm is None
    assert found.p_stepm is None
    assert found.sharpe is not None
    # Forty trades, however many dislocations: the floor is not met by signals of one violation.
    assert (found.trades, found.dislocations) == (40, count)


def test_activity_in_five_blocks_is_not_enough() -> None:
    """Forty-five busy days in a row are half the window: five blocks of ten."""
    table = profits(200, 100)
    table[45:, 0] = 0

    found = judged(table).constraints[0]

    assert found.active_blocks == 5
    assert found.reasons["status"] == "5 active blocks, fewer than 6"


def test_an_idle_constraint_is_insufficient_not_refuting() -> None:
    """The capital charge alone is no evidence, whatever its rounding by the day."""
    table = profits(200, 100)
    table[:, 6] = 0

    found = judged(table)

    assert found.constraints[6].status is Status.INSUFFICIENT
    assert found.constraints[6].sharpe is None
    assert found.answer is Answer.CANNOT_TELL
    assert "C7" in found.statement


def test_a_constraint_that_could_not_be_evaluated_names_the_missing_input() -> None:
    """Never silently zero."""
    window = replace(run(profits(200, 100)), missing={"C2": "a USDC perp"})

    found = h3.evaluate(window, stats(), streams, exposure()).constraints[1]

    assert found.status is Status.INSUFFICIENT
    assert found.reasons["status"] == "not evaluable: a USDC perp"


def test_packages_in_no_whole_lots_are_counted_by_constraint() -> None:
    """As the funnel has them; where it has none, null with a reason."""
    window = replace(run(profits(200, 100)), untradable={"C4": 7})

    rows = {row.code: row for row in h3.evaluate(window, stats(), streams, exposure()).constraints}

    assert rows["C4"].untradable == 7
    assert rows["C1"].untradable is None
    assert "does not count" in rows["C1"].reasons["untradable"]


def test_sleeves_add_up_to_the_portfolio() -> None:
    """r_d = sum (C_k / C) r_kd, to the micro-dollar before any division."""
    window = run(profits(50, 100))

    assert np.array_equal(sum(sleeve.x for sleeve in window.sleeves), window.portfolio.x)
    assert sum(sleeve.capital_micro for sleeve in window.sleeves) == window.portfolio.capital_micro


def test_one_stress_loss_makes_a_thin_edge_fragile() -> None:
    """A loss of the registered size on the day after the last trade: the strong stand, the thin fall."""
    table = profits(0, 100, seed=2) + np.where(np.arange(7) == 0, 70, 200)

    mild = h3.evaluate(run(table), stats(), streams, exposure(1))
    harsh = h3.evaluate(run(table), stats(), streams, exposure(5_000))

    assert mild.constraints[0].tail_fragile is False
    assert harsh.constraints[0].tail_fragile is True
    assert harsh.constraints[0].stressed_ci.low < mild.constraints[0].stressed_ci.low


def test_the_rule_of_three_bounds_losses_that_were_not_seen() -> None:
    """No loss of half the stress loss in 90 active days: at most one day in thirty; smaller ones do not count."""
    table = np.abs(profits(100, 50)) + 1
    table[4, :2] = -337, -338

    small, large = judged(table).constraints[:2]

    assert (small.loss_days, small.loss_bound) == (0, Decimal("0.033333333"))
    assert (large.loss_days, large.loss_bound) == (1, None)
    assert large.reasons["loss_bound"] == "a loss of at least half the stress loss was seen"
    assert small.stress_usd == 675


def test_adjusted_p_values_are_never_smaller_than_raw_ones() -> None:
    """Holm and StepM correct upwards."""
    for row in judged(MEANS + profits(0, 100)).constraints:
        assert row.p_holm >= row.p.value.quantize(Decimal("1e-9"))
        assert row.p_stepm.of <= 500


@pytest.mark.parametrize(("low", "fragile"), [("-0.5", True), ("0", True), ("0.1", False), (None, True)])
def test_a_retained_constraint_is_fragile_where_the_stressed_end_is_not_above_zero(
    low: str | None, fragile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At zero it is; where the stressed interval is undefined it is.  [statistics 8.5]"""
    monkeypatch.setattr(h3, "_stressed", lambda *_: None if low is None else Interval(Decimal(low), Decimal(9)))

    found = judged(profits(200, 100))

    assert {row.tail_fragile for row in found.constraints} == {fragile}
