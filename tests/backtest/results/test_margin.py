"""Twin of margin.py: margin in use, counted again step by step from the tables.  [statistics R1.3, R1.6]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backtest.records import Plan
from backtest.results.margin import margin_in_use
from engine.market.view import prepare
from engine.positions.base import Trade
from engine.positions.portfolio import margin_usd, settle_portfolio
from engine.records import Kind
from engine.units import MICRO, NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import T0_NS, curves, instruments, panel, params, perp, quote, spot
from tests.helpers.positions import resolved, signal
from tests.helpers.small_run import Tiny

SPOT, PERP = "binance:BTCUSDC", "binance:BTCUSDC-PERP"
DAY0 = T0_NS // NS_PER_DAY
PLAN = Plan(DAY0 * NS_PER_DAY, (DAY0 + 3) * NS_PER_DAY, (DAY0 - 1) * NS_PER_DAY, 3, NS_PER_DAY, NS_PER_DAY, NS_PER_DAY)


def trade(start_ns: int, end_ns: int, *, rejected: str = "") -> tuple[Trade, int]:
    """Return a cash-and-carry that is made to hold its margin over [start, end), and that margin in micro-USD."""
    table = instruments(spot(SPOT), perp(PERP))
    times = T0_NS + np.arange(30, dtype=np.int64) * NS_PER_HOUR
    block = panel(table, {SPOT: quote(100_000.0), PERP: quote(101_000.0, rate=0.0)}, times_ns=times)
    market = prepare(block, params(grid_ns=NS_PER_HOUR), curves())
    position = resolved(signal(market, 0, {PERP: -1.0, SPOT: 1.0}, size_usd=25_000.0, signal_id="a"), market)
    made = settle_portfolio([position], table, market.params)[0]
    moved = replace(position, signal=replace(position.signal, t_ns=start_ns), exit_ns=end_ns)
    return replace(made, position=moved, rejected=rejected), round(margin_usd(moved, table, market.params) * MICRO)


def held(*trades: Trade) -> list[int]:
    found = margin_in_use(trades, instruments(spot(SPOT), perp(PERP)), params(), PLAN)
    assert {code for code, micro in found.items() if micro.any()} <= {"margin_C1"}
    return found["margin_C1"].tolist()


def test_a_position_over_midnight_is_shared_by_its_hours() -> None:
    """From 23:00 to 03:00: one hour of the first day, three of the second, by hand."""
    midnight = (DAY0 + 1) * NS_PER_DAY
    one, micro = trade(midnight - NS_PER_HOUR, midnight + 3 * NS_PER_HOUR)

    assert micro == pytest.approx(30_050 * MICRO)
    assert held(one) == [round(micro / 24), round(3 * micro / 24), 0]
    assert held(one, one)[0] == round(2 * micro / 24)


def test_what_margin_refused_holds_none_and_the_window_s_edges_cut() -> None:
    """A refused signal never had its margin; days outside the window are not counted, a whole day is the margin."""
    day = (DAY0 + 1) * NS_PER_DAY
    refused, _ = trade(day, day + NS_PER_HOUR, rejected="margin")
    void, micro = trade(day, day + 6 * NS_PER_HOUR, rejected="void")
    wide, _ = trade(PLAN.t0_ns - NS_PER_DAY, PLAN.t1_ns + NS_PER_DAY)

    assert held(refused) == [0, 0, 0]
    assert held(void) == [0, round(micro / 4), 0]
    assert held(wide) == [micro, micro, micro]


def test_a_run_s_margin_is_that_of_a_loop_over_grid_times(tiny: Tiny) -> None:
    """At each grid time the margin of what is then open, from the legs in signals.parquet; their mean is the day's."""
    read = [
        [pd.read_parquet(f) for f in tiny.folder.glob(f"folds/[0-9]*/{name}.parquet")] for name in ("signals", "trades")
    ]
    signals, trades = (pd.concat(tables) for tables in read)
    kinds = dict(zip(tiny.dataset.instruments.name, tiny.dataset.instruments.kind.tolist(), strict=True))
    share, step = tiny.registration.params.margin_share, tiny.registration.params.grid_ns
    found = pd.read_parquet(tiny.folder / "returns.parquet")
    steps = NS_PER_DAY // step
    mean = {(code, day): 0.0 for code in tiny.registration.params.rules for day in found["day"]}
    both = signals.merge(trades[["signal_id", "exit_ns", "rejected_why"]], on="signal_id", validate="1:1")
    for row in both[both["rejected_why"] != "margin"].to_dict("records"):
        assert row["t_ns"] % step == row["exit_ns"] % step == 0
        need = sum(_need(leg, kinds[leg["instrument"]], share) for leg in row["legs"]) * row["size_usd"]
        for at in range(row["t_ns"], row["exit_ns"], step):
            mean[row["constraint"], at // NS_PER_DAY] += need / steps

    assert len(both) > 20
    for (code, day), usd in mean.items():
        shown = found.loc[found["day"] == day, f"margin_{code}"].item()
        assert shown == pytest.approx(usd * MICRO, abs=50)


def _need(leg: dict, kind: int, share: dict) -> float:
    """Margin of one leg per USD of the package, by the registered table."""
    if kind == Kind.OPTION:
        return leg["weight"] + (share["short_option"] * -leg["quantity"] if leg["quantity"] < 0 else 0.0)
    return leg["weight"] * share[Kind(kind).name.lower()]
