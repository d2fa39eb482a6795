"""Twin of exit_waits.py: waits and money counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtest.pipeline.placements import Placements
from engine.units import MICRO, NS_PER_HOUR
from hypotheses.sensitivity import exit_waits
from hypotheses.sensitivity.base import JudgedRun, Part
from tests.hypotheses import cases
from tests.hypotheses.sensitivity.window import judged, trade


def exited(ident: str, code: str, entry_h: float, wait_h: float | None, reason: str = "converged") -> dict[str, Any]:
    """A trade whose entry and exit waited; None: no exit was triggered."""
    row = trade(ident, code, 1.0, 10.0)
    triggered = wait_h is not None
    return row | {
        "entry_ns": row["t_ns"] + round(entry_h * NS_PER_HOUR),
        "exit_reason": reason,
        "trigger": "converged" if triggered else "",
        "trigger_ns": row["exit_ns"] - round(wait_h * NS_PER_HOUR) if wait_h is not None else None,
        "wait_s": wait_h * 3600.0 if wait_h is not None else None,
    }


def placed(run: JudgedRun, net: dict[str, float], at_trigger: dict[str, float]) -> JudgedRun:
    """``run`` with its signals priced at their own time, as registered and at their trigger, all on its second day."""
    own, late = (
        pd.DataFrame(
            {
                "signal_id": list(usd),
                "shift_ns": 0,
                "day": cases.DAY0 + 1,
                "usd_micro": [round(u * MICRO) for u in usd.values()],
            }
        )
        for usd in (net, at_trigger)
    )
    delayed = late.rename(columns={"shift_ns": "delay_ns"}).assign(at_trigger=True)
    other = delayed.assign(at_trigger=False, delay_ns=60, usd_micro=-1)
    placements = Placements(own, own[["signal_id", "shift_ns"]], pd.concat([other, delayed]))
    return replace(run, run=replace(run.run, placements=placements))


def rows(part: Part) -> dict[str, dict[str, Any]]:
    return {row["series"]: row for row in part.tables[0].rows}


def test_waits_are_medians_and_the_grid_is_named_above_a_tenth_of_the_life(tmp_path: Path) -> None:
    """A life of 24 hours: 2.4 are no more than a tenth, 2.5 are; a trigger that was not filled counts to its end."""
    trades = [
        exited("a", "C1", 1.0, 2.0),
        exited("b", "C1", 1.5, 2.4),
        exited("c", "C1", 2.0, 6.0, reason="horizon"),
        exited("d", "C2", 2.4, None, reason="horizon"),
        exited("e", "C3", 0.1, 2.5),
        exited("f", "C4", 2.5, 0.1),
    ]
    part = exit_waits.build(judged(tmp_path, trades))
    found = rows(part)

    assert list(found) == ["all", "C1", "C2", "C3", "C4"]
    assert (found["C1"]["entry_wait"], found["C1"]["exit_wait"]) == pytest.approx((90.0, 144.0))
    assert (found["C1"]["triggered"], found["C1"]["filled"]) == (3, 2)
    assert found["C2"]["exit_wait"] is None
    assert {series: row["limited"] for series, row in found.items()} == {
        "all": False, "C1": False, "C2": False, "C3": True, "C4": True
    }  # fmt: skip
    assert "exceeds a tenth of the longest life in C3, C4;" in part.notes[-1]
    assert part.notes[-1].startswith("Exits are limited by the grid")


def test_where_no_wait_is_long_nothing_is_said(tmp_path: Path) -> None:
    """And both nets are those of the placements, the ratio with them; other delays are left out."""
    run = judged(tmp_path, [exited("a", "C1", 0.1, 0.1), exited("b", "C2", 0.1, 0.1)])
    part = exit_waits.build(placed(run, {"a": 10.0, "b": -4.0}, {"a": 12.5, "b": 1.0}))
    found = rows(part)

    assert part.notes == ()
    assert (found["all"]["net"], found["all"]["at_trigger"]) == (6.0, 13.5)
    assert (found["C2"]["net"], found["C2"]["at_trigger"]) == (-4.0, 1.0)
    assert found["all"]["sharpe"] < found["all"]["sharpe_at_trigger"]


def test_a_run_of_before_says_so(tmp_path: Path) -> None:
    """Its trades do not say what triggered their exit."""
    run = judged(tmp_path, [trade("a", "C1", 1.0, 10.0)])
    older = replace(run, run=replace(run.run, trades=run.run.trades.drop(columns="trigger")))

    assert "does not say what triggered" in exit_waits.build(older).notes[0]
