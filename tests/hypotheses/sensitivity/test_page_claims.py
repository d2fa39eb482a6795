"""Twins of highest_ev.py and hindsight.py: counted by hand, and the answers at both sides of zero."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.constraints.codes import CODES
from engine.units import MICRO
from hypotheses.sensitivity import highest_ev, hindsight
from tests.hypotheses.sensitivity.window import busy, judged, trade


def modelled(mean: dict[str, float], seed: int = 5) -> list[dict[str, object]]:
    """Trades of every day whose modelled EV is normal around the constraint's mean, USD."""
    rng = np.random.default_rng(seed)
    return [
        row | {"modelled_usd_micro": round(float(rng.normal(mean.get(row["constraint"], 50.0), 20.0)) * MICRO)}
        for row in busy(start=0)
    ]


@pytest.mark.parametrize(
    ("of_c6", "says"), [(90.0, "C6 has the highest"), (10.0, "does not have"), (54.0, "cannot be told")]
)
def test_the_claim_holds_fails_or_cannot_be_told(of_c6: float, says: str, tmp_path: Path) -> None:
    """C2 is the highest of the others at 52 USD a day; means are sums over 90, differences are of the same days."""
    run = judged(tmp_path, modelled({"C6": of_c6, "C2": 52.0}))

    part = highest_ev.build(run)

    (table,) = part.tables
    rows = {row["series"]: row for row in table.rows}
    trades = run.run.trades
    for code, row in rows.items():
        assert row["mean"] == pytest.approx(trades.loc[trades.constraint == code, "modelled_usd_micro"].sum() / 90e6)
        if code != "C6":
            assert row["difference"] == pytest.approx(rows["C6"]["mean"] - row["mean"])
            # Independent days of 20 USD each: the interval is that of a mean of 90 differences.
            assert row["high"] - row["low"] == pytest.approx(4 * 20 * 2**0.5 / 90**0.5, rel=0.35)
    assert [row["mean"] for row in table.rows] == sorted((row["mean"] for row in table.rows), reverse=True)
    assert says in part.notes[0]
    assert "against C2" in part.notes[0]


def test_a_day_counts_once_by_its_decision(tmp_path: Path) -> None:
    """Refused signals have no EV here; a trade that ends later counts on the day it was decided."""
    run = judged(
        tmp_path,
        [
            trade("a", "C6", 3.9, 10.0, days=2.0),
            trade("b", "C6", 3.1, 10.0),
            trade("c", "C6", 5.0, 0.0, status="void"),
        ],
    )

    values = highest_ev.modelled_ev(run.run, "C6")

    assert np.flatnonzero(values).tolist() == [3]
    assert values[3] == 240 * MICRO


def test_losing_trades_are_refused_with_hindsight(tmp_path: Path) -> None:
    """Net and trades are those of the winners alone; capital's charge stays; ratio and answers rise."""
    run = judged(tmp_path, busy(start=0, mean=dict.fromkeys(CODES, 0.0)))
    signals = run.run.signals
    legs = [
        [leg | {"instrument": f"binance:{leg['instrument']}", "expiry_ns": None} for leg in own]
        for own in signals["legs"]
    ]
    run = replace(run, run=replace(run.run, signals=signals.assign(legs=legs)))

    (table,) = hindsight.build(run).tables
    real, ceiling = table.rows
    winners = run.run.trades[run.run.trades.net_usd_micro > 0]

    assert real["trades"] == 630
    assert real["net"] == pytest.approx(run.run.trades.net_usd_micro.sum() / 1e6)
    assert ceiling["trades"] == len(winners)
    assert ceiling["net"] == pytest.approx(winners.net_usd_micro.sum() / 1e6)
    assert ceiling["sharpe"] > 5.0 > real["sharpe"]
    assert len(ceiling["retained"].split(", ")) > len(real["retained"].split(", ")) or real["retained"] == "none"
    assert ceiling["h1"] == "supported" != real["h1"]
    assert ceiling["p_n1"] < 0.01 < real["p_n1"]
    charge = run.run.portfolio.profit - run.run.portfolio.x
    kept = hindsight.with_winners_alone(run)
    np.testing.assert_array_equal(kept.portfolio.profit - kept.portfolio.x, charge)
    np.testing.assert_array_equal(sum(sleeve.profit for sleeve in kept.sleeves), kept.portfolio.profit)
