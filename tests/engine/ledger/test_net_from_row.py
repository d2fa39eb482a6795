"""A row proves itself: its net again from its inputs and params alone, in rational numbers.  [S3.7, live L0.2]

`backtest.audit.net_of_row` writes the formulas down again; what it is compared with is the engine's own result in
float64, and the search of whole lots of `tests/oracles/lots_slow.py`.  By hand: tests/backtest/audit/test_count_net.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from statistics import mean, stdev
from typing import Any

import pytest

from backtest.audit.count_net import TOLERANCE_BPS
from backtest.audit.net_of_row import HOUR_US, SignalRow, readings
from engine.constraints.codes import NAMES
from engine.ledger.format.canonical_json import tagged_hash
from engine.ledger.provenance import signal_record
from tests.engine.ledger.test_provenance import of
from tests.helpers.small_run import Tiny
from tests.oracles.lots_slow import whole_lots

DAY_US = 86_400 * 1_000_000
HALF_A_MICRO = Fraction(1, 2_000_000)
FLOATS = Fraction(1, 10**9)
"""How far sums of floats may be from the exact ones, bps: far less than the sixth place."""


def searched(row: SignalRow) -> tuple[Fraction, dict[str, int]] | None:
    """The largest size of whole lots not above the wanted, USD, and the lots of each leg; None where there is none."""
    weights = [abs(row.quantity(role)) for role in row.quotes]
    lots = [row.lot(role) for role in row.quotes]
    found = whole_lots(weights, lots, row.wanted_usd() / row.spot)
    if found is None:
        return None
    coarsest = max(lot / weight for lot, weight in zip(lots, weights, strict=True))
    return found[0] * coarsest * row.spot, dict(zip(row.quotes, found[1], strict=True))


@pytest.fixture(scope="module")
def records(tiny: Tiny) -> list[dict[str, Any]]:
    """The records of every signal of the tiny run, those of its history too, through their JSON text."""
    run = tiny.run
    trades = [trade.position.signal for trade in (*run.history, *run.trades)]
    made = [signal_record(signal, of(signal, run.instruments, tiny.registration.params)) for signal in trades]
    return list(json.loads(json.dumps(made)))


def test_every_constraint_is_among_the_rows(records: list[dict[str, Any]]) -> None:
    assert {record["provenance"]["constraint"] for record in records} == set(NAMES.values())


@pytest.mark.parametrize("constraint", sorted(NAMES.values()))
def test_the_net_follows_from_the_row_alone(records: list[dict[str, Any]], constraint: str) -> None:
    """Gross, cost, net and size of each row to the sixth place, which is rounded half-even once."""
    rows = [SignalRow(record) for record in records if record["provenance"]["constraint"] == constraint]
    assert rows
    for row in rows:
        cost = row.trading_bps() + row.financing_bps()
        for name, again in (("gross_bps", row.gross_bps()), ("cost_bps", cost), ("net_bps", row.net_bps())):
            assert abs(Fraction(row.result[name]) - again) <= TOLERANCE_BPS, (name, row.result)
        hours = {value for name, value in row.params.items() if name.startswith("borrow_hours_")}
        assert hours <= {math.ceil(row.planned_us() / HOUR_US)}
        assert abs(Fraction(row.result["size_usd"]) - row.size_usd) <= HALF_A_MICRO + FLOATS * 25_000
        found = searched(row)
        assert found is not None  # the demonstration registers lots
        assert found[0] == row.size_usd
        assert found[1] == {role: row.params[f"lots_{role}"] for role in row.quotes}


def moving(record: Mapping[str, Any]) -> tuple[Fraction, Fraction]:
    """What a term may move: the net, and the size before lots."""
    row = SignalRow(record)
    return row.net_bps(), row.wanted_usd()


def test_another_term_gives_another_net(records: list[dict[str, Any]]) -> None:
    """The comparison can fail: each param and input that is used moves the net or the size of some row."""
    moved = set()
    for record in records:
        before = moving(record)
        read = record["provenance"]
        numbers = [(read["params"], name, name) for name in read["params"]]
        numbers += [(item, "value", item["role"]) for item in read["inputs"] if item["kind"] == "scalar"]
        for table, key, name in numbers:
            text = table[key]
            table[key] = str(Decimal(text) * Decimal("1.01") + Decimal("0.001"))
            if moving(record) != before:
                moved.add(name.split("_")[0])
            table[key] = text
    used = "fee exit fallback lot lots margin settlements borrow strike expiry capital quantity usd money rate score"
    used += " target depth"
    assert {*used.split(), "curvature"} <= moved, {*used.split(), "curvature"} - moved


def test_both_readings_of_the_calendar_follow_from_the_row(records: list[dict[str, Any]]) -> None:
    """Each is recorded, and a fitted rate moves the second alone, also where the first is the smaller."""
    rows = [SignalRow(record) for record in records if record["provenance"]["constraint"] == "calendar"]
    assert rows
    for row in rows:
        score, residual = readings(row)
        assert abs(score - row.values["score_bps"]) <= FLOATS
        assert abs(residual - row.values["residual_bps"]) <= FLOATS
        assert score > 0  # the package gains when the score returns
        row.values["fitted_belly"] += Fraction(1, 100)
        assert readings(row)[0] == score
        assert readings(row)[1] != residual


def test_the_series_of_the_calendar_is_what_its_z_was_read_from(tiny: Tiny) -> None:
    """Each series hashes one tenor of the days before; with the fold's fit they give z; the threshold is the fold's."""
    fits = {fit.fold: fit for fit in tiny.run.fitted}
    signals = [trade.position.signal for trade in tiny.run.trades if trade.position.signal.constraint == "C5"]
    assert signals
    for signal in signals:
        read = of(signal, tiny.run.instruments, tiny.registration.params)
        series = {item["role"]: item for item in read["inputs"] if item["kind"] == "series"}
        curve, fit = tiny.registration.params.underlyings[signal.underlying].curve, fits[signal.fold].curve["BTC"]
        assert curve is not None
        roles = [f"curve_{tenor:g}d" for tenor in curve.tenor_days]
        assert sorted(series) == sorted(roles)
        today_us = read["as_of_us"] // DAY_US * DAY_US
        for role, item in series.items():
            values = signal.series[role]
            assert today_us - curve.z_window_days * DAY_US <= item["from_us"] <= item["to_us"] < today_us
            assert (item["count"], item["from_us"], item["to_us"]) == (len(values), values[0][0], values[-1][0])
            text = "".join(f"{t_us},{plain(value)}\n" for t_us, value in values)
            assert item["series_hash"] == tagged_hash("series", text.encode())
        days = zip(*([value for _, value in signal.series[role]] for role in roles), strict=True)
        scores = [sum(v * (y - m) for v, y, m in zip(fit.loadings[2], day, fit.mean, strict=True)) for day in days]
        z = (signal.detail["score"] - mean(scores)) / stdev(scores)
        assert abs(z - signal.detail["z"]) < 1e-6
        assert float(read["params"]["z_threshold"]) == fit.z_threshold <= abs(signal.detail["z"])


def plain(value: float) -> str:
    """The shortest text of a double without exponent, at most 18 places."""
    text = format(round(Decimal(repr(value)), 18), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
