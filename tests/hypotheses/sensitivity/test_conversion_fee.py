"""The pair of dollars at 10 bps: by hand, on trades with and without a leg that converts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from hypotheses.sensitivity import conversion_fee
from tests.hypotheses import cases
from tests.hypotheses.sensitivity.window import judged, trade


def test_each_side_of_a_leg_that_converts_pays_what_lacks_to_ten_bps(tmp_path: Path) -> None:
    """25,000 USD: 10 + 10 bps more are 50 USD where the fee was 0, 2.5 where it was 9 and 10, nothing where it was 10.

    The first trade had a net of 20 bps and a threshold of 5: less 20 bps it would not have fired.
    """
    made = [trade(name, "C2", day, 60.0) for day, name in enumerate("abc")] + [trade("d", "C1", 3.0, 7.0)]
    run = judged(tmp_path, made)
    pair = run.registration.params.dollars.usdc_usdt
    fees = {"a": (0.0, 0.0), "b": (9.0, 10.0), "c": (10.0, 12.0)}
    signals = run.run.signals.copy()
    signals["legs"] = [
        [cases.leg("perp")]
        + [cases.leg(pair, fee_bps=fees[name][0], exit_fee_bps=fees[name][1]) for _ in range(name in fees)]
        for name in signals["signal_id"]
    ]
    (table,) = conversion_fee.build(replace(run, run=replace(run.run, signals=signals))).tables
    rows = {row["series"]: row for row in table.rows}

    assert set(rows) == {"all", "C2"}
    assert rows["C2"] == {"series": "C2", "trades": 3, "fewer": 1, "net": 180.0, "other": 180.0 - 50.0 - 2.5}
    assert rows["all"]["net"] - rows["all"]["other"] == pytest.approx(52.5)
    assert rows["all"]["trades"] == 3


def test_a_window_that_converts_nothing_says_so(tmp_path: Path) -> None:
    part = conversion_fee.build(judged(tmp_path, [trade("a", "C1", 1.0, 60.0)]))
    assert part.tables == ()
    assert "No trade of this window converts" in part.notes[0]


def test_a_part_of_the_notional_pays_its_part() -> None:
    legs = [cases.leg("x"), cases.leg("USDC/USDT", weight=0.5, fee_bps=0.0, exit_fee_bps=4.0)]
    assert conversion_fee.further_bps(legs, "USDC/USDT") == Fraction(8)
