"""What is visible of a sealed window, and when it may end later.  [R12.1, R12.6]"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from backtest.gate.looks.rule import Inputs, Look
from backtest.gate.sealed_window import OperationalCounts, extended, extension_days
from backtest.records import Plan
from engine.errors import GateError, UsageError
from engine.units import NS_PER_DAY

INPUTS = Inputs("analysis", "f" * 64, "d" * 64, "e" * 64)


def counts(**changed: Any) -> OperationalCounts:
    given: dict[str, Any] = {
        "days": 90, "days_without_data": 0, "gaps": 0, "signals": 10, "ledger_rows": 11, "ledger_intact": True
    }  # fmt: skip
    return OperationalCounts(**{**given, **changed})


def plan(days: int = 90) -> Plan:
    return Plan(0, days * NS_PER_DAY, -days * NS_PER_DAY, 10, days * NS_PER_DAY // 10, NS_PER_DAY, NS_PER_DAY)


def test_nothing_that_is_visible_is_an_outcome() -> None:
    """Counts and one yes or no: no money, no rate, no float."""
    assert {field.name: field.type for field in fields(OperationalCounts)} == {
        "days": "int", "days_without_data": "int", "gaps": "int", "signals": "int", "ledger_rows": "int",
        "ledger_intact": "bool",
    }  # fmt: skip
    with pytest.raises(UsageError, match="signals"):
        counts(signals=-1)


@pytest.mark.parametrize(("lacking", "wanted"), [(0, 0), (9, 0), (10, 10), (40, 40)])
def test_a_window_ends_later_day_for_day_above_nine(lacking: int, wanted: int) -> None:
    """At nine days it is not moved; signals and gaps do not matter."""
    for signals in (0, 5_000):
        assert extension_days(counts(days_without_data=lacking, signals=signals, gaps=7), (), 9) == wanted


@pytest.mark.parametrize("state", ["open", "closed", "aborted"])
def test_after_a_look_no_window_is_moved(state: Any) -> None:
    """An aborted look was a look; even where nothing would be added the question is refused."""
    look = Look("look-1", INPUTS, 0, None, state, 1, None, None, "the registered analysis")

    for lacking in (0, 30):
        with pytest.raises(GateError, match="look-1") as refused:
            extension_days(counts(days_without_data=lacking), (look,), 9)
        assert refused.value.exit_code == 25


def test_folds_stay_equal_and_as_many() -> None:
    """The window begins where it began; its folds fill it in whole days; a plan without extension is itself."""
    for days in range(1, 35):
        longer = extended(plan(), days)

        assert longer.t0_ns == 0
        assert longer.folds == 10
        assert longer.t1_ns == longer.folds * longer.fold_ns
        assert longer.fold_ns % NS_PER_DAY == 0
        assert days <= longer.t1_ns // NS_PER_DAY - 90 < days + 10
        assert (longer.gap_ns, longer.embargo_ns, longer.history_ns) == (NS_PER_DAY, NS_PER_DAY, -90 * NS_PER_DAY)
    assert extended(plan(), 0) == plan()
