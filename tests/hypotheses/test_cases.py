"""The made legs of these tests are legs of a run: a column that a run has and they lack would hide its reader."""

from __future__ import annotations

from backtest.results.tables import SIGNALS
from tests.hypotheses import cases


def test_a_made_leg_has_the_columns_of_a_run() -> None:
    """Every column of the legs in signals.parquet, and no other."""
    assert set(cases.leg("X:A/ask")) == {field.name for field in SIGNALS.field("legs").type.value_type}
