"""C1, C2, C5 and C6 once more, slowly: one grid time at a time, plain floats, straight from the panel by name.

Independent of the engine's scans, views and costs: everything is recomputed from bids, asks, sizes and rates.  Only
for markets whose quotes are all usable and have depth, with Deribit options in coin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.params import CurveFit, Params
from engine.records import CurveHistory, Kind, Panel, Right

HOUR = 3_600 * 10**9
YEAR = 365 * 24 * HOUR


@dataclass
class Leg:
    name: str
    quantity: float


class Row:
    """One grid time of a panel, by name."""

    def __init__(self, panel: Panel, params: Params, row: int) -> None:
        self.panel, self.params, self.row = panel, params, row
        self.t = int(panel.times_ns[row])
        self.table = panel.instruments
        self.at = {self.table.name[c]: n for n, c in enumerate(panel.code.tolist())}
        self.spot = self.usd_price(params.underlyings[panel.underlying].reference)

    def value(self, field: str, name: str) -> float:
        return float(getattr(self.panel, field)[self.row, self.at[name]])

    def mid(self, name: str) -> float:
        return (self.value("bid", name) + self.value("ask", name)) / 2

    def usd(self, name: str) -> float:
        quote = self.table.quote[self.table.code_of(name)]
        if quote in ("USD", "USDC"):
            return 1.0
        if quote == "USDT":
            return 1.0 / self.mid(self.params.dollars.usdc_usdt)
        return self.value("index", name)

    def money(self, name: str) -> float:
        """USDC per unit of price as it is paid: of a quanto, that of its settlement currency."""
        code = self.table.code_of(name)
        quote, settle = self.table.quote[code], self.table.settle[code]
        if {quote, settle} <= {"USD", "USDC", "USDT"} and quote != settle:
            return 1.0 / self.mid(self.params.dollars.usdc_usdt) if settle == "USDT" else 1.0
        return self.usd(name)

    def paid(self, name: str) -> float:
        return self.mid(name) * self.money(name)

    def usd_price(self, name: str) -> float:
        return self.mid(name) * self.usd(name)

    def phi(self, name: str, life: int) -> float:
        interval = int(self.table.funding_interval_ns[self.table.code_of(name)])
        if interval == 0:
            return 0.0
        due = [s for s in range(self.t // interval * interval, self.t + life + 1, interval) if s > self.t]
        return self.value("funding_rate", name) * len(due)

    def carry(self, legs: list[Leg], life: int) -> float:
        return -1e4 * sum(g.quantity * self.phi(g.name, life) * self.paid(g.name) / self.spot for g in legs)

    def cost(self, legs: list[Leg], life: int) -> float:
        """Everything, bps of S."""
        p = self.params
        size = p.target_notional_usd
        for g in legs:
            touch = self.value("ask_size" if g.quantity > 0 else "bid_size", g.name)
            size = min(size, p.depth_share * touch * self.spot / abs(g.quantity))
        total = 0.0
        for g in legs:
            code = self.table.code_of(g.name)
            kind, venue = Kind(int(self.table.kind[code])), self.table.venue[code]
            fee = next(f for f in p.fees if f.venue == venue and f.kind == kind)
            weight = abs(g.quantity) * self.paid(g.name) / self.spot
            spread = 1e4 * (self.value("ask", g.name) - self.value("bid", g.name)) / self.mid(g.name)
            side = "ask" if g.quantity > 0 else "bid"
            depth = self.value(side, g.name) * self.value(f"{side}_size", g.name) * self.money(g.name)
            fee_bps = fee.taker_bps
            if kind == Kind.OPTION:
                premium = self.mid(g.name)
                fee_bps = 1e4 * min(fee.taker_bps * 1e-4, (fee.cap or math.inf) * premium) / premium
            total += 2 * weight * (fee_bps + spread / 2 + spread * weight * size / depth)
            margin = {Kind.SPOT: 1.0, Kind.PERP: 0.2, Kind.FUTURE: 0.2, Kind.OPTION: 1.0}[kind] * weight
            if kind == Kind.OPTION and g.quantity < 0:
                margin += 0.15 * abs(g.quantity)
            total += 1e4 * margin * p.capital_rate * life / YEAR
            paid = self.table.base[code] if g.quantity < 0 else self.table.quote[code]
            if kind == Kind.SPOT and paid != "USDC":
                total += 1e4 * weight * p.borrow_rate[paid] * math.ceil(life / HOUR) * HOUR / YEAR
        return total


Found = tuple[list[Leg], float, float]
"""Legs, gross and net."""


def finish(row: Row, legs: list[Leg], gross: float, life: int, *, carry: bool = True, rolled: float = 0.0) -> Found:
    funding = row.carry(legs, life) if carry else 0.0
    return legs, gross, gross + funding + rolled - row.cost(legs, life)


def cash_carry(row: Row, fit: CurveFit, history: CurveHistory) -> Found | None:
    pair = row.params.underlyings["BTC"].cash_carry[0]
    life = row.params.rules["C1"].life_ns
    basis = row.usd_price(pair.perp) / row.usd_price(pair.spot) - 1
    options = []
    for side in (1.0, -1.0):
        legs = [Leg(pair.perp, -side), Leg(pair.spot, side)]
        options.append((1e4 * side * basis + row.carry(legs, life), -side, legs, 1e4 * side * basis))
    _, _, legs, gross = max(options, key=lambda o: (o[0], -o[1]))
    return finish(row, legs, gross, life) if gross > 0 else None


def triangle(row: Row, fit: CurveFit, history: CurveHistory) -> Found | None:
    pair = row.params.underlyings["BTC"].triangle[0]
    usdc, usdt, rate = row.mid(pair.perp_usdc), row.mid(pair.perp_usdt), row.mid(pair.fx)
    x = usdt / (usdc * rate) - 1
    if x == 0:
        return None
    s = 1.0 if x > 0 else -1.0
    legs = [Leg(pair.perp_usdt, -s), Leg(pair.perp_usdc, s), Leg(pair.fx, s * usdc)]
    return finish(row, legs, 1e4 * abs(x), row.params.rules["C2"].life_ns)


def interpolate(points: list[tuple[float, float]], target: float) -> float:
    return float(np.interp(target, [x for x, _ in points], [y for _, y in points]))


def calendar(row: Row, fit: CurveFit, history: CurveHistory) -> Found | None:
    curve = row.params.underlyings["BTC"].curve
    assert curve is not None
    interval = int(row.table.funding_interval_ns[row.table.code_of(curve.perp)])
    points = [(0.0, row.value("funding_mean", curve.perp) * YEAR / interval)]
    futures = []
    for name in row.at:
        code = row.table.code_of(name)
        if row.table.kind[code] == Kind.FUTURE:
            years = (int(row.table.expiry_ns[code]) - row.t) / YEAR
            futures.append((years * 365, (row.usd_price(name) / row.spot - 1) / years, name))
    futures.sort()
    points += [(d, y) for d, y, _ in futures]
    y = np.array([interpolate(points, d) for d in curve.tenor_days])
    loadings = np.array(fit.loadings)
    c = loadings @ (y - np.array(fit.mean))
    past = (history.curve[-60:] - np.array(fit.mean)) @ loadings[2]
    z = (c[2] - past.mean()) / past.std(ddof=1)
    near, belly, far = (
        min(futures, key=lambda f: abs(f[0] - d)) for d in (curve.wing_days[0], curve.belly_days, curve.wing_days[1])
    )
    legs3 = [near, belly, far]
    at = np.array([[np.interp(f[0], curve.tenor_days, loading) for f in legs3] for loading in loadings])
    base = np.array([np.interp(f[0], curve.tenor_days, fit.mean) for f in legs3])
    tau = np.array([f[0] / 365 for f in legs3])
    yields = np.array([f[1] for f in legs3])
    w = np.linalg.svd(at[:2] * tau)[2][2]  # the direction in which level and slope earn nothing
    four = np.append(w, -(w * (1 + tau * yields)).sum())
    four *= 2 / np.abs(four).sum() * -np.sign((w * tau * at[2]).sum())
    w = four[:3]
    fitted = base + c[0] * at[0] + c[1] * at[1] + past.mean() * at[2]
    side = 1.0 if z >= 0 else -1.0
    score = 1e4 * side * (c[2] - past.mean()) * abs(float((w * tau * at[2]).sum()))
    residual = -1e4 * side * float((w * tau * (yields - fitted)).sum())
    gross = min(score, residual)
    if gross <= 0:
        return None
    legs = [Leg(f[2], side * x) for f, x in ((belly, w[1]), (near, w[0]), (far, w[2]))]
    legs.append(Leg(curve.perp, side * four[3]))
    life = row.params.rules["C5"].life_ns
    return finish(row, legs, gross, life, rolled=-1e4 * side * float((w * yields).sum()) * life / YEAR)


def four_corner(row: Row, fit: CurveFit, history: CurveHistory) -> Found | None:
    registered = row.params.underlyings["BTC"].four_corner
    assert registered is not None
    life = row.params.rules["C6"].life_ns
    corners: list[tuple[float, list[Leg]]] = []
    for name in (registered.dex_perp, registered.cex_perp):
        corners.append((row.usd_price(name) * (1 + row.phi(name, life)), [Leg(name, 1.0)]))
    listed: dict[tuple[int, float], dict[int, str]] = {}
    for name in row.at:
        code = row.table.code_of(name)
        if row.table.kind[code] == Kind.OPTION:
            key = int(row.table.expiry_ns[code]), float(row.table.strike[code])
            listed.setdefault(key, {})[int(row.table.right[code])] = name
    nearest = min(e for e, _ in listed if e - row.t > registered.min_expiry_ns)
    _, strike = min((abs(k - row.spot), k) for e, k in listed if e == nearest)
    call, put = (listed[nearest, strike][r] for r in (Right.CALL, Right.PUT))
    forward = strike / (1 - (row.mid(call) - row.mid(put)))
    years = (nearest - row.t) / YEAR
    pairs = forward / strike  # a pair in coin is worth 1 - K/F coin
    corners.append((forward / (1 + row.params.capital_rate * years), [Leg(call, pairs), Leg(put, -pairs)]))
    corners.append((row.usd_price(registered.spot), [Leg(registered.spot, 1.0)]))
    dear, cheap = max(corners, key=lambda v: v[0]), min(corners, key=lambda v: v[0])
    legs = [Leg(g.name, -g.quantity) for g in dear[1]] + cheap[1]
    return finish(row, legs, 1e4 * (dear[0] - cheap[0]) / row.spot, life, carry=False)


SLOW = {"C1": cash_carry, "C2": triangle, "C5": calendar, "C6": four_corner}
