"""A row proves itself: its net again from its inputs and params alone, in rational numbers.  [S3.7, live L0.2]

Nothing here calls the engine: the formulas are written down again from the method.
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

from engine.constraints.codes import NAMES
from engine.ledger.format.canonical_json import tagged_hash
from engine.ledger.provenance import signal_record
from tests.engine.ledger.test_provenance import of
from tests.helpers.small_run import Tiny
from tests.oracles.lots_slow import whole_lots

DAY_US = 86_400 * 1_000_000
HOUR_US = DAY_US // 24
YEAR_US = 365 * DAY_US
BPS = 10_000
HALF_A_MICRO = Fraction(1, 2_000_000)
FLOATS = Fraction(1, 10**9)
"""How far sums of floats may be from the exact ones, bps: far less than the sixth place."""


class Row:
    """The record of a signal, its numbers by name."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        read = record["provenance"]
        self.constraint, self.result = read["constraint"], record["result"]
        self.at_us = read["as_of_us"]
        self.params = {name: Fraction(text) for name, text in read["params"].items()}
        self.values = {i["role"]: Fraction(i["value"]) for i in read["inputs"] if i["kind"] == "scalar"}
        self.quotes = {i["role"]: i for i in read["inputs"] if i["kind"] == "quote"}
        self.spot = self.values["reference_price"]
        self.life_us = self.params["life_s"] * 1_000_000

    def side(self, role: str, name: str) -> Fraction | None:
        text = self.quotes[role][name]
        return None if text is None else Fraction(text)

    def mid(self, role: str) -> Fraction:
        return (Fraction(self.quotes[role]["bid"]) + Fraction(self.quotes[role]["ask"])) / 2

    def usd(self, role: str) -> Fraction:
        return self.values.get(f"usd_{role}", Fraction(1))

    def money(self, role: str) -> Fraction:
        """What a unit of price is paid as: of a quanto, a unit of its money.  [venues V1]"""
        return self.params.get(f"money_{role}", self.usd(role))

    def quantity(self, role: str) -> Fraction:
        return self.values[f"quantity_{role}"]

    def lot(self, role: str) -> Fraction:
        """Base units of one lot; of a contract of dollars at its mid."""
        dollars = self.params.get(f"lot_{role}_usd")
        return self.params[f"lot_{role}"] if dollars is None else dollars / self.mid(role)

    def traded(self, role: str) -> Fraction:
        """Base units of a leg a unit of the package, as traded."""
        if f"lots_{role}" not in self.params:
            return abs(self.quantity(role))
        return self.params[f"lots_{role}"] * self.lot(role) * self.spot / self.size_usd()

    def weight(self, role: str) -> Fraction:
        return self.traded(role) * self.mid(role) * self.money(role) / self.spot

    def ends_at_expiry(self, role: str) -> bool:
        expiry = self.params.get(f"expiry_us_{role}")
        return expiry is not None and expiry - self.at_us <= self.life_us

    def planned_us(self) -> Fraction:
        ends = [self.params[f"expiry_us_{role}"] for role in self.quotes if f"expiry_us_{role}" in self.params]
        return min([self.life_us, *(end - self.at_us for end in ends)])

    def size_usd(self) -> Fraction:
        size = self.params["target_notional_usd"]
        for role in self.quotes:
            shown = self.side(role, "ask_size" if self.quantity(role) > 0 else "bid_size")
            if shown is not None:
                left = self.params["depth_share"] * shown - self.values.get(f"taken_{role}", Fraction(0))
                size = min(size, left * self.spot / abs(self.quantity(role)))
        return size if (found := self.search(size)) is None else found[0]

    def search(self, size: Fraction) -> tuple[Fraction, dict[str, int]] | None:
        """The largest size of whole lots not above ``size``, and the lots of each leg; None where there is none."""
        if not any(name.startswith("lots_") for name in self.params):
            return None
        weights = [abs(self.quantity(role)) for role in self.quotes]
        found = whole_lots(weights, [self.lot(role) for role in self.quotes], size / self.spot)
        if found is None:
            return None
        coarsest = max(self.lot(role) / weight for role, weight in zip(self.quotes, weights, strict=True))
        return found[0] * coarsest * self.spot, dict(zip(self.quotes, found[1], strict=True))

    def trading_bps(self) -> Fraction:
        """Fees, half-spreads, impact or fallback of all legs over the round trip, bps of S.  [S3.1-S3.3]"""
        total, size = Fraction(0), self.size_usd()
        for role in self.quotes:
            weight, sides = self.weight(role), 1 if self.ends_at_expiry(role) else 2
            bid, ask = Fraction(self.quotes[role]["bid"]), Fraction(self.quotes[role]["ask"])
            spread = BPS * (ask - bid) / self.mid(role)
            slip = self.params.get(f"fallback_{role}_bps")
            if f"fallback_tick_{role}" in self.params:
                slip = BPS * self.params[f"fallback_tick_{role}"] / self.mid(role)
            if slip is None:
                buys = self.quantity(role) > 0
                shown, price = (self.side(role, "ask_size"), ask) if buys else (self.side(role, "bid_size"), bid)
                assert shown is not None
                slip = spread * size * weight / (shown * price * self.money(role))
            total += weight * (BPS * (self.params[f"fee_{role}"] + self.params[f"exit_fee_{role}"]))
            total += weight * sides * (spread / 2 + slip)
        return total

    def financing_bps(self) -> Fraction:
        """Borrow of what spots pay with, and the opportunity cost of margin over the planned life, bps of S.  [S3.5]"""
        years, total = self.planned_us() / YEAR_US, Fraction(0)
        for role in self.quotes:
            margin = self.weight(role) * self.params[f"margin_share_{role}"]
            margin += self.traded(role) * self.params.get(f"margin_underlying_{role}", Fraction(0))
            total += margin * self.params["capital_rate"]
        borrowed = Fraction(0)
        for role in self.quotes:
            rate, hours = self.params.get(f"borrow_rate_{role}"), self.params.get(f"borrow_hours_{role}")
            if rate is not None and hours is not None:
                borrowed += self.weight(role) * rate * hours * HOUR_US / YEAR_US
        return BPS * (years * total + borrowed)

    def phi(self, role: str) -> Fraction:
        # What accrues has its rate for eight hours.
        hours = self.params.get(f"hours_accrued_{role}", Fraction(0))
        count = self.params.get(f"settlements_{role}", hours / 8)
        return count * self.values[f"rate_{role}"] if count else Fraction(0)

    def carry_bps(self) -> Fraction:
        """Expected funding, + is received; that of the four corners is in their gross.  [S3.5, S2.C6]"""
        if self.constraint == "four_corner":
            return Fraction(0)
        paid = [self.quantity(r) * self.mid(r) * self.money(r) / self.spot * self.phi(r) for r in self.quotes]
        if self.constraint == "calendar":  # roll-down at unchanged yields
            paid += [self.quantity(role) * rate * self.life_us / YEAR_US for role, _, rate in futures_of(self)]
        return -BPS * sum(paid, Fraction(0))

    def gross_bps(self) -> Fraction:
        return GROSS[self.constraint](self)

    def net_bps(self) -> Fraction:
        return self.gross_bps() + self.carry_bps() - self.trading_bps() - self.financing_bps()


def cash_carry(row: Row) -> Fraction:
    ratio = row.mid("perp") * row.usd("perp") / (row.mid("spot") * row.usd("spot"))
    return BPS * row.quantity("spot") * (ratio - 1)


def triangle(row: Row) -> Fraction:
    return BPS * abs(row.mid("perp_usdt") / (row.mid("perp_usdc") * row.mid("fx")) - 1)


def in_coin(row: Row, role: str) -> bool:
    return row.usd(role) > 100  # a premium in coin is worth its coin, one in dollars a dollar


def put_call(row: Row) -> Fraction:
    strike, pair = row.params["strike_call"], row.mid("call") - row.mid("put")
    forward = row.mid("forward")
    if "forward_put" in row.quotes:
        implied, gap = row.params["strike_forward"], forward - row.mid("forward_put")
        forward = implied / (1 - gap) if in_coin(row, "forward") else implied + gap
    fair = 1 - strike / forward if in_coin(row, "call") else forward - strike
    gap = pair - fair if row.quantity("call") < 0 else fair - pair
    return BPS * gap * row.usd("call") / row.spot


def butterfly(row: Row) -> Fraction:
    value = sum((row.quantity(role) * row.mid(role) for role in row.quotes), Fraction(0))
    return -BPS * value * row.usd("belly") / row.spot


def vertical(row: Row) -> Fraction:
    excess = row.mid("short") - row.mid("long")
    strikes = row.params["strike_short"], row.params["strike_long"]
    if row.result["side"] == "negative":  # the upper bound: what may be owed at expiry is locked or paid
        width = abs(strikes[0] - strikes[1])
        excess -= width / row.mid("future") if "future" in row.quotes else width
    return BPS * excess * row.usd("short") / row.spot


def futures_of(row: Row) -> list[tuple[str, Fraction, Fraction]]:
    """The dated legs of the calendar: role, years to expiry, annualised basis."""
    dated = []
    for role in row.quotes:
        if role != "perp":
            years = (row.params[f"expiry_us_{role}"] - row.at_us) / YEAR_US
            dated.append((role, years, (row.mid(role) * row.usd(role) / row.spot - 1) / years))
    return dated


def readings(row: Row) -> tuple[Fraction, Fraction]:
    """The distance of the score carried through the weights, and what the listed futures show, bps of S."""
    toward = residual = Fraction(0)
    for role, years, rate in futures_of(row):
        toward += row.quantity(role) * years * row.values[f"curvature_{role}"]
        residual -= BPS * row.quantity(role) * years * (rate - row.values[f"fitted_{role}"])
    distance = row.values["score"] - row.values["score_mean"]
    assert toward * distance < 0  # the package gains when the score returns
    return BPS * abs(distance * toward), residual


def calendar(row: Row) -> Fraction:
    return min(readings(row))


def four_corner(row: Row) -> Fraction:
    values = []
    for role in row.quotes:
        if role == "put":
            continue
        if role != "call":
            values.append(row.mid(role) * row.usd(role) * (1 + row.phi(role)))
            continue
        strike, gap = row.params["strike_call"], row.mid("call") - row.mid("put")
        growth = 1 + row.params["capital_rate"] * (row.params["expiry_us_call"] - row.at_us) / YEAR_US
        forward = strike / (1 - gap) if in_coin(row, "call") else strike + gap * growth
        values.append(forward / growth * (1 if in_coin(row, "call") else row.usd("call")))
    dear, cheap = max(values), min(values)
    return BPS * (dear - cheap) / row.spot


GROSS = {
    "cash_carry": cash_carry, "triangle": triangle, "put_call": put_call, "butterfly": butterfly, "calendar": calendar,
    "four_corner": four_corner, "vertical": vertical,
}  # fmt: skip


@pytest.fixture(scope="module")
def records(tiny: Tiny) -> list[dict[str, Any]]:
    """The records of every signal of the tiny run, those of its history too, through their JSON text."""
    run = tiny.run
    trades = [trade.position.signal for trade in (*run.history, *run.trades)]
    made = [signal_record(signal, of(signal, run.instruments, tiny.registration.params)) for signal in trades]
    return list(json.loads(json.dumps(made)))


def test_every_constraint_is_among_the_rows(records: list[dict[str, Any]]) -> None:
    assert {record["provenance"]["constraint"] for record in records} == set(NAMES.values())


@pytest.mark.parametrize("constraint", sorted(GROSS))
def test_the_net_follows_from_the_row_alone(records: list[dict[str, Any]], constraint: str) -> None:
    """Gross, cost, net and size of each row to the sixth place, which is rounded half-even once."""
    rows = [Row(record) for record in records if record["provenance"]["constraint"] == constraint]
    assert rows
    for row in rows:
        cost = row.trading_bps() + row.financing_bps()
        for name, again in (("gross_bps", row.gross_bps()), ("cost_bps", cost), ("net_bps", row.net_bps())):
            assert abs(Fraction(row.result[name]) - again) <= HALF_A_MICRO + FLOATS, (name, row.result)
        hours = {value for name, value in row.params.items() if name.startswith("borrow_hours_")}
        assert hours <= {math.ceil(row.planned_us() / HOUR_US)}
        assert abs(Fraction(row.result["size_usd"]) - row.size_usd()) <= HALF_A_MICRO + FLOATS * 25_000
        found = row.search(row.size_usd())
        assert found is not None  # the demonstration registers lots
        assert found[1] == {role: row.params[f"lots_{role}"] for role in row.quotes}


def test_another_term_gives_another_net(records: list[dict[str, Any]]) -> None:
    """The comparison can fail: each param and input that is used moves the net or the size of some row."""
    moved = set()
    for record in records:
        row = Row(record)
        before = (row.net_bps(), row.size_usd())
        for table in (row.params, row.values):
            for name, value in list(table.items()):
                table[name] = value * Fraction(101, 100) + Fraction(1, 1000)
                if (row.net_bps(), row.size_usd()) != before:
                    moved.add(name.split("_")[0])
                table[name] = value
    used = "fee exit fallback lot lots margin settlements borrow strike expiry capital quantity usd money rate score"
    used += " target depth"
    assert {*used.split(), "curvature"} <= moved, {*used.split(), "curvature"} - moved


def test_both_readings_of_the_calendar_follow_from_the_row(records: list[dict[str, Any]]) -> None:
    """Each is recorded, and a fitted rate moves the second alone, also where the first is the smaller."""
    rows = [Row(record) for record in records if record["provenance"]["constraint"] == "calendar"]
    assert rows
    for row in rows:
        score, residual = readings(row)
        assert abs(score - row.values["score_bps"]) <= FLOATS
        assert abs(residual - row.values["residual_bps"]) <= FLOATS
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
