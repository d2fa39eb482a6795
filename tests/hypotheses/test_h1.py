"""Twin of h1.py: the table of statistics 3.4 and the three answers.

Rules: [S9.H1, R1.9, R11.6].
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from hypotheses import h1, h1_answer
from hypotheses.records import Answer, Interval, Proportion
from tests.hypotheses.cases import exposure, profits, run, stats, streams


def test_a_strong_strategy_is_supported_provisionally_and_fragile() -> None:
    """N1 decides alone for now: supported, marked provisional, and fragile for the nulls that were not run."""
    found = h1.evaluate(run(profits(150, 200)), stats(), streams, exposure())

    assert found.answer is Answer.SUPPORTED
    assert found.registered
    assert found.provisional
    assert found.grade == "fragile"
    assert found.failed_conditions == ("N2 not run", "N3 not run")
    assert found.p_n1.under(Decimal("0.05"))
    assert found.p_boot.under(Decimal("0.05"))
    assert found.ci.low < found.sharpe < found.ci.high
    assert {"p_n2", "p_n3", "dsr"} <= set(found.reasons)


def test_a_losing_strategy_is_refuted() -> None:
    """The whole interval lies below the claim: not merely unproved."""
    found = h1.evaluate(run(profits(-150, 200)), stats(), streams, exposure())

    assert found.answer is Answer.REFUTED
    assert not found.registered
    assert found.ci.high < 1
    assert found.grade is None
    assert found.reasons["grade"] == "only a supported H1 is graded"


def test_noise_cannot_be_told() -> None:
    """Ninety days of nothing neither support nor refute; the sentence says which row of the table it is."""
    found = h1.evaluate(run(profits(25, 300, seed=4)), stats(), streams, exposure())

    assert found.answer is Answer.CANNOT_TELL
    assert not found.registered
    assert found.statement.startswith("not supported")


def test_the_point_and_the_series_are_those_of_plain_numpy() -> None:
    """SR is sqrt(365) mean over sd of the portfolio's x over committed capital, to the rounding of returns."""
    window = run(profits(20, 300))
    x = window.portfolio.x / float(window.portfolio.capital_micro)

    found = h1.evaluate(window, stats(), streams, exposure())

    assert float(found.sharpe) == pytest.approx(np.sqrt(365) * x.mean() / x.std(ddof=1), rel=1e-5)
    assert sum(found.block_profit_micro) == int(window.portfolio.x.sum())
    assert len(found.null_ordered_micro) == 1024


def test_an_idle_window_is_not_evaluable() -> None:
    """The capital charge alone has no Sharpe ratio: sd is zero, and nothing is claimed."""
    found = h1.evaluate(run(np.zeros((90, 7))), stats(), streams, exposure())

    assert found.answer is Answer.CANNOT_TELL
    assert not found.registered
    assert found.sharpe is None
    assert found.ci is None
    assert found.p_n1 is None
    assert found.psr is None
    assert "standard deviation is zero" in found.statement
    assert set(found.reasons) >= {
        "sharpe",
        "ci",
        "ci_equal_tailed",
        "lower_95",
        "p_n1",
        "p_boot",
        "psr",
        "block_length",
    }


def test_ten_days_without_data_make_it_not_evaluable() -> None:
    """Nine days may lack data, ten may not, however good the rest was."""
    data = np.ones(90, dtype=np.bool_)
    data[:9] = False
    nine = h1.evaluate(run(profits(150, 200), has_data=data), stats(), streams, exposure())
    data = data.copy()
    data[9] = False
    ten = h1.evaluate(run(profits(150, 200), has_data=data), stats(), streams, exposure())

    assert nine.registered
    assert not ten.registered
    assert ten.answer is Answer.CANNOT_TELL
    assert "10 days without any data" in ten.statement


def test_a_ratio_tied_with_the_claim_is_not_above_it() -> None:
    """Numerically tied: the conservative verdict holds, and the sentence says so."""
    strong = run(profits(150, 200))
    exact = h1.evaluate(strong, stats(), streams, exposure()).sharpe

    found = h1.evaluate(strong, stats(sharpe_claim=exact - Decimal("1e-9")), streams, exposure())

    assert found.tied
    assert not found.registered
    assert "numerically tied" in found.statement


@pytest.mark.parametrize(
    ("high", "answer"), [("0.99", Answer.REFUTED), ("1.0", Answer.CANNOT_TELL), ("2", Answer.CANNOT_TELL)]
)
def test_refuted_needs_an_interval_below_the_claim(high: str, answer: Answer) -> None:
    """An interval that ends at the claim does not exclude it."""
    ci = Interval(Decimal(-5), Decimal(high))

    found = h1_answer.answer_of(Decimal("0.5"), ci, Proportion(700, 1024), False, stats(), None)

    assert found is answer


def test_a_short_window_is_judged_by_its_own_blocks() -> None:
    """Fourteen days in seven folds: 128 sign changes, its own power table."""
    found = h1.evaluate(run(profits(150, 200, n=14), blocks=7), stats(), streams, exposure())

    assert found.p_n1.of == 128
    assert found.power.n_days == 14


def test_equal_streams_give_equal_verdicts_and_others_differ() -> None:
    """The draws are the streams', nothing else's."""
    window = run(profits(30, 200))

    one, again = (h1.evaluate(window, stats(), streams, exposure()) for _ in range(2))
    other = h1.evaluate(window, stats(), lambda name: streams("x" + name), exposure())

    assert one == again
    assert one.ci != other.ci
    assert one.p_n1 == other.p_n1
