"""The net of a signal again from its row alone, in rational numbers.  [S3.1-S3.5, S3.7, live L0.2, venues V1-V6]

The formulas are written down once more from the method, without the engine: a shared function would prove nothing.
`reports/verifier/parts/net.js` is the same in the browser, line by line; a change here is one there.  (decision 0575)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, cached_property
from typing import Any, Final

VERSIONS: Final = {
    "cash_carry": 1, "triangle": 1, "put_call": 1, "butterfly": 1, "calendar": 2, "four_corner": 1, "vertical": 1,
}  # fmt: skip
"""The `constraint_version` whose formulas these are; a row of another version states terms of other formulas."""
HOUR_US: Final = 3_600 * 1_000_000
YEAR_US: Final = 365 * 24 * HOUR_US
BPS: Final = 10_000
ZERO: Final = Fraction(0)


class SignalRow:
    """The content of a signal row, a `signal/1`, its numbers by name as fractions.

    A term that the row does not state raises ``LookupError``, a quotient by 0 ``ZeroDivisionError``, wherever the
    methods below need it.  Amounts are bps of the reference price unless their name says another unit.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        read = content["provenance"]
        self.constraint, self.result, self.version = read["constraint"], content["result"], read["constraint_version"]
        self.at_us: int = read["as_of_us"]
        self.params = {name: Fraction(text) for name, text in read["params"].items()}
        self.values = {i["role"]: Fraction(i["value"]) for i in read["inputs"] if i["kind"] == "scalar"}
        self.quotes = {i["role"]: i for i in read["inputs"] if i["kind"] == "quote"}
        # Once each: most of the time of a row is the common divisors of these.
        self.mid: Callable[[str], Fraction] = cache(self._mid)
        self.weight: Callable[[str], Fraction] = cache(self._weight)

    def states_terms(self) -> bool:
        """Return whether the row is of these formulas and states a fee of one of its legs."""
        # A constraint that this file does not know states its terms in a way of its own.
        return self.version == VERSIONS.get(self.constraint) and any(
            f"fee_{role}" in self.params for role in self.quotes
        )

    @cached_property
    def spot(self) -> Fraction:
        """The reference price, USD."""
        return self.values["reference_price"]

    @property
    def life_us(self) -> Fraction:
        return self.params["life_s"] * 1_000_000

    def side(self, role: str, name: str) -> Fraction | None:
        """Return ``name`` of the quote of a leg: bid, ask, bid_size or ask_size; None where it was not known."""
        text = self.quotes[role][name]
        return None if text is None else Fraction(text)

    def price(self, role: str, name: str) -> Fraction:
        """Return the bid or ask of a leg, in its price currency."""
        price = self.side(role, name)
        if price is None:
            raise LookupError(name)
        return price

    def _mid(self, role: str) -> Fraction:
        return (self.price(role, "bid") + self.price(role, "ask")) / 2

    def usd(self, role: str) -> Fraction:
        """Return USD per unit of the leg's price; a leg without a conversion is priced in USD."""
        return self.values.get(f"usd_{role}", Fraction(1))

    def money(self, role: str) -> Fraction:
        """Return what a unit of price is paid as: of a quanto, a unit of its money.  [venues V1]"""
        return self.params.get(f"money_{role}", self.usd(role))

    def in_coin(self, role: str) -> bool:
        """Return whether a premium is in coin: its conversion is then nearer the reference price than 1 USD."""
        return abs(self.usd(role) - self.spot) < abs(self.usd(role) - 1)

    def quantity(self, role: str) -> Fraction:
        """Return signed base units of a leg a unit of the package, before lots."""
        return self.values[f"quantity_{role}"]

    def lot(self, role: str) -> Fraction:
        """Return base units of one lot; of a contract of dollars at its mid."""
        dollars = self.params.get(f"lot_{role}_usd")
        return self.params[f"lot_{role}"] if dollars is None else dollars / self.mid(role)

    def wanted_usd(self) -> Fraction:
        """Return the size before lots: the target, or the registered share of the thinnest leg.  [S3.4]"""
        size = self.params["target_notional_usd"]
        for role in self.quotes:
            shown = self.side(role, "ask_size" if self.quantity(role) > 0 else "bid_size")
            if shown is not None:
                left = self.params["depth_share"] * shown - self.values.get(f"taken_{role}", ZERO)
                size = min(size, left * self.spot / abs(self.quantity(role)))
        return size

    @cached_property
    def size_usd(self) -> Fraction:
        """The size traded, USD: the lots of the coarsest leg, which has no rounding; without lots the wanted.

        The lots are read, not searched for again: a search over the sizes of a hostile row would not end.  [venues V4]
        """
        if not any(name.startswith("lots_") for name in self.params):
            return self.wanted_usd()
        coarsest = max(self.quotes, key=lambda role: self.lot(role) / abs(self.quantity(role)))
        return self.params[f"lots_{coarsest}"] * self.lot(coarsest) * self.spot / abs(self.quantity(coarsest))

    def traded(self, role: str) -> Fraction:
        """Return base units of a leg a unit of the package, as traded."""
        if f"lots_{role}" not in self.params:
            return abs(self.quantity(role))
        return self.params[f"lots_{role}"] * self.lot(role) * self.spot / self.size_usd

    def _weight(self, role: str) -> Fraction:
        """Return the leg's notional as a share of the package's."""
        return self.traded(role) * self.mid(role) * self.money(role) / self.spot

    def planned_us(self) -> Fraction:
        """Return the planned life, us: to the horizon or the first expiry."""
        ends = [self.params[f"expiry_us_{role}"] for role in self.quotes if f"expiry_us_{role}" in self.params]
        return min([self.life_us, *(end - self.at_us for end in ends)])

    def trading_bps(self) -> Fraction:
        """Return fees, half-spreads, and impact or fallback of all legs over the round trip.  [S3.1-S3.3]"""
        total = ZERO
        for role in self.quotes:
            weight = self.weight(role)
            expiry = self.params.get(f"expiry_us_{role}")
            sides = 1 if expiry is not None and expiry - self.at_us <= self.life_us else 2
            spread = BPS * (self.price(role, "ask") - self.price(role, "bid")) / self.mid(role)
            total += weight * BPS * (self.params[f"fee_{role}"] + self.params[f"exit_fee_{role}"])
            total += weight * sides * (spread / 2 + self._slip(role, spread, self.size_usd * weight))
        return total

    def _slip(self, role: str, spread: Fraction, notional_usd: Fraction) -> Fraction:
        """Return the fallback that was charged, else the impact: the spread times the share of the depth."""
        if f"fallback_tick_{role}" in self.params:
            return BPS * self.params[f"fallback_tick_{role}"] / self.mid(role)
        if f"fallback_{role}_bps" in self.params:
            return self.params[f"fallback_{role}_bps"]
        name = "ask" if self.quantity(role) > 0 else "bid"
        return spread * notional_usd / (self.price(role, f"{name}_size") * self.price(role, name) * self.money(role))

    def financing_bps(self) -> Fraction:
        """Return borrow of what spots pay with, and the opportunity cost of margin over the planned life."""
        margin = borrowed = ZERO
        for role in self.quotes:
            margin += self.weight(role) * self.params[f"margin_share_{role}"]
            margin += self.traded(role) * self.params.get(f"margin_underlying_{role}", ZERO)
            if f"borrow_rate_{role}" in self.params:
                hours = self.params[f"borrow_hours_{role}"]
                borrowed += self.weight(role) * self.params[f"borrow_rate_{role}"] * hours * HOUR_US
        return BPS * (self.planned_us() * margin * self.params["capital_rate"] + borrowed) / YEAR_US

    def funding(self, role: str) -> Fraction:
        """Return the funding of a leg over the life as a share of its notional: rate times settlements.  [S3.5, V3]"""
        # What accrues has its rate for eight hours.
        count = self.params.get(f"settlements_{role}", self.params.get(f"hours_accrued_{role}", ZERO) / 8)
        return count * self.values[f"rate_{role}"] if count else ZERO

    def carry_bps(self) -> Fraction:
        """Return expected funding, + is received; that of the four corners is in their gross.  [S3.5, S2.C6]"""
        if self.constraint == "four_corner":
            return ZERO
        paid = ZERO
        for role in self.quotes:
            paid += self.quantity(role) * self.mid(role) * self.money(role) / self.spot * self.funding(role)
        if self.constraint == "calendar":  # roll-down at unchanged yields
            for role, _, rate in _dated(self):
                paid += self.quantity(role) * rate * self.life_us / YEAR_US
        return -BPS * paid

    def gross_bps(self) -> Fraction:
        """Return the gap that the package earns when it closes.  [S2]"""
        return _GROSS[self.constraint](self)

    def net_bps(self) -> Fraction:
        return self.gross_bps() + self.carry_bps() - self.trading_bps() - self.financing_bps()


def _cash_carry(row: SignalRow) -> Fraction:
    ratio = row.mid("perp") * row.usd("perp") / (row.mid("spot") * row.usd("spot"))
    return BPS * row.quantity("spot") * (ratio - 1)


def _triangle(row: SignalRow) -> Fraction:
    return BPS * abs(row.mid("perp_usdt") / (row.mid("perp_usdc") * row.mid("fx")) - 1)


def _put_call(row: SignalRow) -> Fraction:
    strike, pair = row.params["strike_call"], row.mid("call") - row.mid("put")
    forward = row.mid("forward")
    if "forward_put" in row.quotes:
        gap = forward - row.mid("forward_put")
        implied = row.params["strike_forward"]
        forward = implied / (1 - gap) if row.in_coin("forward") else implied + gap
    fair = 1 - strike / forward if row.in_coin("call") else forward - strike
    gap = pair - fair if row.quantity("call") < 0 else fair - pair
    return BPS * gap * row.usd("call") / row.spot


def _butterfly(row: SignalRow) -> Fraction:
    value = ZERO
    for role in row.quotes:
        value += row.quantity(role) * row.mid(role)
    return -BPS * value * row.usd("belly") / row.spot


def _vertical(row: SignalRow) -> Fraction:
    excess = row.mid("short") - row.mid("long")
    if row.result["side"] == "negative":  # the upper bound: what may be owed at expiry is locked or paid
        width = abs(row.params["strike_short"] - row.params["strike_long"])
        excess -= width / row.mid("future") if "future" in row.quotes else width
    return BPS * excess * row.usd("short") / row.spot


def _dated(row: SignalRow) -> list[tuple[str, Fraction, Fraction]]:
    """Return the dated legs of the calendar: role, years to expiry, annualised basis."""
    dated = []
    for role in row.quotes:
        if role != "perp":
            years = (row.params[f"expiry_us_{role}"] - row.at_us) / YEAR_US
            dated.append((role, years, (row.mid(role) * row.usd(role) / row.spot - 1) / years))
    return dated


def readings(row: SignalRow) -> tuple[Fraction, Fraction]:
    """Return what a calendar gains when its score returns to the mean, and what the listed futures show.  [S2.C5]"""
    toward = residual = ZERO
    for role, years, rate in _dated(row):
        toward += row.quantity(role) * years * row.values[f"curvature_{role}"]
        residual -= BPS * row.quantity(role) * years * (rate - row.values[f"fitted_{role}"])
    return -BPS * (row.values["score"] - row.values["score_mean"]) * toward, residual


def _calendar(row: SignalRow) -> Fraction:
    return min(readings(row))


def _four_corner(row: SignalRow) -> Fraction:
    values = []
    for role in row.quotes:
        if role == "put":
            continue
        if role != "call":
            values.append(row.mid(role) * row.usd(role) * (1 + row.funding(role)))
            continue
        strike, gap = row.params["strike_call"], row.mid("call") - row.mid("put")
        growth = 1 + row.params["capital_rate"] * (row.params["expiry_us_call"] - row.at_us) / YEAR_US
        forward = strike / (1 - gap) if row.in_coin("call") else strike + gap * growth
        values.append(forward / growth * (1 if row.in_coin("call") else row.usd("call")))
    if not values:
        raise LookupError("corners")
    return BPS * (max(values) - min(values)) / row.spot


_GROSS: Final = {
    "cash_carry": _cash_carry, "triangle": _triangle, "put_call": _put_call, "butterfly": _butterfly,
    "calendar": _calendar, "four_corner": _four_corner, "vertical": _vertical,
}  # fmt: skip
