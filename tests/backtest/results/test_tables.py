"""The columns of a run directory: every row can be recomputed from itself, money adds up to the cent's millionth."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backtest.results.tables import (
    ACCRUALS,
    SIGNALS,
    TRADES,
    accruals_table,
    checked_table,
    frame,
    signals_table,
    trades_table,
)
from engine.constraints.codes import CODES
from engine.errors import DataError
from engine.records import Kind
from engine.units import NEVER_NS, NS_PER_HOUR
from tests.helpers.small_run import Tiny


@pytest.fixture(scope="module")
def signals(tiny: Tiny) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(f) for f in sorted(tiny.folder.glob("folds/*/signals.parquet"))])


@pytest.fixture(scope="module")
def trades(tiny: Tiny) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(f) for f in sorted(tiny.folder.glob("folds/[0-9]*/trades.parquet"))])


def test_a_signals_cost_is_recomputed_from_its_row_alone(tiny: Tiny, signals: pd.DataFrame) -> None:
    """Fee both ways + spread + twice the impact (or fallback) of each leg + borrow + capital, by hand.  [S3.1, S3.7]

    A leg held to its expiry crosses the book once.
    """
    table = tiny.run.instruments
    for row in signals.to_dict("records"):
        life_ns = tiny.registration.params.rules[row["constraint"]].life_ns
        cost = row["borrow_bps"] + row["capital_bps"]
        for leg in row["legs"]:
            code = table.code_of(leg["instrument"])
            held = table.expiry_ns[code] <= row["t_ns"] + life_ns
            sides = 1 if held else 2
            spread = 0.0 if math.isnan(leg["spread_bps"]) else leg["spread_bps"]
            if math.isnan(leg["depth_usd"]):
                impact = leg["slip_bps"]
            else:
                impact = spread * row["size_usd"] * leg["weight"] / leg["depth_usd"]
            cost += leg["weight"] * (leg["fee_bps"] + leg["exit_fee_bps"] + sides * (spread / 2 + impact))
        assert cost == pytest.approx(row["cost_bps"], rel=1e-9), row["constraint"]
        assert row["net_bps"] == pytest.approx(row["gross_bps"] + row["carry_bps"] - row["cost_bps"], abs=1e-9)
        assert row["net_bps"] >= row["threshold_bps"] - 1e-6


def test_the_parts_of_a_leg_agree_with_each_other(tiny: Tiny, signals: pd.DataFrame) -> None:
    """mid, spread, weight, depth follow from the quote, in the leg's money; the book is the side hit.  [S3.1, S3.2]"""
    for row in signals.to_dict("records"):
        for leg in row["legs"]:
            mid = (leg["bid"] + leg["ask"]) / 2
            bought = leg["quantity"] > 0
            assert leg["mid"] == pytest.approx(mid, rel=1e-12)
            assert leg["spread_bps"] == pytest.approx(1e4 * (leg["ask"] - leg["bid"]) / mid, rel=1e-9)
            assert leg["weight"] == pytest.approx(abs(leg["quantity"]) * mid * leg["money"] / row["spot_usd"], rel=1e-9)
            size, price = (leg["ask_size"], leg["ask"]) if bought else (leg["bid_size"], leg["bid"])
            if not math.isnan(leg["depth_usd"]):
                assert leg["depth_usd"] == pytest.approx(size * price * leg["money"], rel=1e-9)
            assert leg["book"] == f"{leg['instrument']}/{'ask' if bought else 'bid'}"
            assert leg["quote_ns"] <= row["t_ns"]
        unknown = {name for leg in row["legs"] for name in ("depth_usd", "spread_bps") if math.isnan(leg[name])}
        model = "fallback" if "spread_bps" in unknown else "spread" if unknown else "depth"
        assert row["size_usd"] <= tiny.registration.params.target_notional_usd + 1e-9
        assert row["cost_model"] == model


def test_the_modelled_value_is_the_captured_net(signals: pd.DataFrame) -> None:
    """Ev = 1e-4 Q c (gross + carry - cost), with the capture factor of the row.  [S4.8]"""
    net = signals.capture * (signals.gross_bps + signals.carry_bps - signals.cost_bps)

    np.testing.assert_allclose(signals.ev_usd, 1e-4 * signals.size_usd * net, rtol=1e-12)


def test_net_is_the_sum_of_its_terms_to_the_last_micro_dollar(trades: pd.DataFrame) -> None:
    """Net = gross - fees - slippage + funding - borrow, in integers; costs are never negative.  [S4.6]"""
    money = {name: trades[f"{name}_usd_micro"] for name in ("gross", "fees", "slippage", "funding", "borrow", "net")}

    assert (
        money["net"] == money["gross"] - money["fees"] - money["slippage"] + money["funding"] - money["borrow"]
    ).all()
    assert (trades.loc[trades.status == "traded", "fees_usd_micro"] > 0).all()
    assert (trades[["slippage_usd_micro", "borrow_usd_micro"]] >= 0).all(axis=None)
    assert (trades.loc[trades.status != "traded", "net_usd_micro"] == 0).all()


def test_accruals_trades_and_returns_are_one_sum(tiny: Tiny, trades: pd.DataFrame) -> None:
    """Each trade's accruals sum to its net, each day's and constraint's to the column of returns.  [S4.7, R1.4]"""
    accruals = pd.read_parquet(tiny.folder / "accruals.parquet")
    returns = pd.read_parquet(tiny.folder / "returns.parquet").set_index("day")
    by_trade = accruals.groupby("signal_id").usd_micro.sum()
    daily = accruals.pivot_table(index="day", columns="constraint", values="usd_micro", aggfunc="sum")

    nets = trades.set_index("signal_id").net_usd_micro
    assert by_trade.reindex(nets.index, fill_value=0).tolist() == nets.tolist()
    for code in CODES:
        expected = daily[code].reindex(returns.index).fillna(0) if code in daily else 0
        assert (returns[f"pnl_{code}"] == expected).all()
    assert returns["pnl"].sum() == nets.sum()
    assert (returns["x"] == returns[[f"x_{code}" for code in CODES]].sum(axis=1)).all()
    charge = 1_000_000 * 1_000_000 * 0.05 / 365
    assert ((returns["pnl"] - returns["x"]) == round(charge)).all()


def test_an_accrual_stands_on_a_day_on_which_the_position_was_held(tiny: Tiny, trades: pd.DataFrame) -> None:
    """Nothing is earned before entry or after exit, and no row is zero."""
    held = pd.read_parquet(tiny.folder / "accruals.parquet").merge(trades, on="signal_id", validate="many_to_one")
    day = 24 * NS_PER_HOUR

    assert (held.usd_micro != 0).all()
    assert (held.day >= held.entry_ns // day).all()
    assert (held.day <= held.exit_ns // day).all()


def test_rows_are_in_order_of_time_and_id_whatever_order_they_came_in(tiny: Tiny) -> None:
    """The tables of reversed input are the same tables, with the registered schema."""
    capture = {fit.fold: fit.capture for fit in tiny.run.fitted}
    run = tiny.run
    for table, again, schema in (
        (trades_table(run.trades), trades_table(run.trades[::-1]), TRADES),
        (accruals_table(run.trades), accruals_table(run.trades[::-1]), ACCRUALS),
    ):
        assert table == again
        assert table.schema == schema
    signals = signals_table(run.signals[::-1], run.instruments, capture)
    order = frame(signals)[["t_ns", "signal_id"]]
    assert signals.schema == SIGNALS
    assert order.equals(order.sort_values(["t_ns", "signal_id"]))


def test_no_rows_still_have_their_columns() -> None:
    """An empty window gives empty tables of the same schema."""
    assert signals_table([], None, {}).schema == SIGNALS  # type: ignore[arg-type]  # nothing to look up
    assert (trades_table([]).schema, accruals_table([]).num_rows) == (TRADES, 0)


def test_what_does_not_apply_is_null_and_void_is_said(tiny: Tiny) -> None:
    """A perpetual package has no expiry; a voided trade says void; detail is JSON with sorted keys."""
    perpetual = next(s for s in tiny.run.signals if s.constraint == "C2")
    capture = {fit.fold: fit.capture for fit in tiny.run.fitted}
    row = signals_table([perpetual], tiny.run.instruments, capture).to_pylist()[0]
    trade = tiny.run.trades[0]
    void = replace(trade, position=replace(trade.position, reason=type(trade.position.reason)("void")), rejected="void")

    assert perpetual.expiry_ns == NEVER_NS
    assert row["expiry_ns"] is None
    assert [leg["expiry_ns"] for leg in row["legs"]] == [None] * len(row["legs"])
    assert list(json.loads(row["detail"])) == sorted(perpetual.detail)
    assert trades_table([void]).to_pylist()[0]["status"] == "void"
    assert trades_table([replace(trade, rejected="margin")]).to_pylist()[0]["status"] == "rejected"


def test_a_leg_has_the_expiry_of_its_own_instrument(signals: pd.DataFrame, tiny: Tiny) -> None:
    """Of a package with legs of several expiries, the signal's one says little."""
    table = tiny.run.instruments
    mixed = 0
    for legs in signals["legs"]:
        for leg in legs:
            expiry = int(table.expiry_ns[table.code_of(leg["instrument"])])
            assert leg["expiry_ns"] == (None if expiry == NEVER_NS else expiry)
        mixed += len({leg["expiry_ns"] for leg in legs}) > 1

    assert mixed > 0


def test_options_are_among_the_legs(signals: pd.DataFrame, tiny: Tiny) -> None:
    """The recomputation above has seen options, futures, perps and spots."""
    table = tiny.run.instruments
    kinds = {int(table.kind[table.code_of(leg["instrument"])]) for legs in signals.legs for leg in legs}

    assert kinds == {Kind.SPOT, Kind.PERP, Kind.FUTURE, Kind.OPTION}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"usd_micro": None}, r"^accruals\.usd_micro: expected a value in every row"),
        ({"usd_micro": 1.5}, r"^accruals\.usd_micro: expected values of int64"),
        ({"usd_micro": 2**63}, r"^accruals\.usd_micro: expected values of int64"),
        ({"signal_id": 7}, r"^accruals\.signal_id: expected values of string"),
        ({"usd": 1}, r"^accruals: expected the columns .*, was .*'usd'"),
    ],
)
def test_a_row_of_another_form_is_refused_by_column(change: dict[str, object], named: str) -> None:
    """Pyarrow alone takes a missing key for a null and cuts the fraction off a float."""
    row: dict[str, object] = {"signal_id": "a", "constraint": "C1", "day": 0, "usd_micro": 1}

    assert checked_table("accruals", [row], ACCRUALS).num_rows == 1
    with pytest.raises(DataError, match=named):
        checked_table("accruals", [{**row, **change}], ACCRUALS)


def test_trades_that_contradict_themselves_are_refused(tiny: Tiny) -> None:
    """Two rows of one id, an exit before its entry, accruals that do not sum to the net."""
    trade = tiny.run.trades[0]
    signal = next(s for s in tiny.run.signals if s.signal_id == trade.position.signal.signal_id)
    capture = {fit.fold: fit.capture for fit in tiny.run.fitted}
    early = replace(trade, position=replace(trade.position, exit_ns=trade.position.entry_ns - 1))

    with pytest.raises(DataError, match=rf"trades\.signal_id: .* {signal.signal_id} 2 times"):
        trades_table([trade, trade])
    with pytest.raises(DataError, match=r"signals\.signal_id: .* 2 times"):
        signals_table([signal, signal], tiny.run.instruments, capture)
    with pytest.raises(DataError, match=r"trades\.exit_ns: expected at least"):
        trades_table([early])
    with pytest.raises(DataError, match=r"accruals\.usd_micro: .* sum to its net"):
        accruals_table([replace(trade, net=trade.net + 1)])
