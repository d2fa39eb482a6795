"""A prepared panel, quote by quote in plain Python: what `engine.market.view.prepare` must equal to the bit.

Slow, and written from the rules S1.4-S1.7 and S3.1-S3.4: one cell at a time, no array of another cell is touched.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.market.fees import rate_in_force
from engine.params import Params
from engine.records import Feed, Kind, Panel, Quality
from engine.units import BPS, NEVER_NS, NS_PER_DAY

NAN = float("nan")
OPTION_RULES = ("C3", "C4", "C6", "C7")
"""Written out: the oracle reads no registry."""


def own_quality(panel: Panel, params: Params, t: int, n: int) -> Quality:
    """The first reason against a quote by itself, in the order of `engine.market.quality`."""
    table, code = panel.instruments, int(panel.code[n])
    bid, ask, age = float(panel.bid[t, n]), float(panel.ask[t, n]), int(panel.age_ns[t, n])
    oldest = int(table.bar_ns[code]) or params.max_age_ns[Kind(table.kind[code])]
    if int(panel.times_ns[t]) >= int(table.expiry_ns[code]):
        return Quality.EXPIRED
    if age == NEVER_NS:
        return Quality.NEVER_QUOTED
    if age > oldest:
        return Quality.STALE
    if math.isnan(bid) or math.isnan(ask):
        return Quality.ONE_SIDED
    if bid <= 0.0 or ask <= 0.0:
        return Quality.NON_POSITIVE
    if ask < bid:
        return Quality.CROSSED
    return Quality.NO_SIZE if panel.bid_size[t, n] <= 0.0 or panel.ask_size[t, n] <= 0.0 else Quality.USABLE


def view_row(panel: Panel, params: Params, t: int) -> dict[str, list[Any]]:
    """Return quality, usd, money, mid, half_spread and charge of every instrument at one grid time, and S."""
    table, codes = panel.instruments, panel.code.tolist()
    every = range(len(codes))
    quality = [own_quality(panel, params, t, n) for n in every]
    mid = [0.5 * (float(panel.bid[t, n]) + float(panel.ask[t, n])) for n in every]
    options = any(table.kind[c] == Kind.OPTION for c in codes)
    pair = panel.column(table.code_of(params.dollars.usdc_usdt))
    dollar = 1.0 / mid[pair] if pair >= 0 and quality[pair] == Quality.USABLE else NAN

    def price_usd(n: int) -> float:
        by_quote = {"USD": 1.0, "USDC": 1.0, "USDT": dollar}.get(table.quote[codes[n]], NAN)
        return mid[n] * by_quote if quality[n] == Quality.USABLE else NAN

    corners = [
        n for n in every if table.kind[codes[n]] != Kind.OPTION and table.underlying[codes[n]] == panel.underlying
    ]
    known = sorted(p for p in map(price_usd, corners) if not math.isnan(p))
    if known:
        middle = 0.5 * (known[(len(known) - 1) // 2] + known[len(known) // 2])
        for n in corners:
            if abs(price_usd(n) - middle) > params.quarantine_mid * middle:
                quality[n] = Quality.FAR_FROM_MEDIAN
    market = params.underlyings[panel.underlying]
    at, spot = panel.column(table.code_of(market.reference)), NAN
    if at >= 0 and market.reference_is_index:
        spot = float(panel.index[t, at]) if panel.index[t, at] > 0.0 else NAN
    elif at >= 0:
        spot = price_usd(at)

    usd = []
    for n in every:
        quote, index = table.quote[codes[n]], float(panel.index[t, n])
        coin = (index if index > 0.0 else spot) if options and quote == panel.underlying else NAN
        usd.append({"USD": 1.0, "USDC": 1.0, "USDT": dollar}.get(quote, coin))
        if quality[n] == Quality.USABLE and math.isnan(usd[n]):
            quality[n] = Quality.NO_CONVERSION
    before = list(quality)
    for n in every:
        own = table.venue[codes[n]], int(table.expiry_ns[codes[n]])
        group = [
            m
            for m in every
            if (table.venue[codes[m]], int(table.expiry_ns[codes[m]])) == own
            and table.underlying[codes[m]] == panel.underlying == table.underlying[codes[n]]
        ]
        newest = min((int(panel.age_ns[t, m]) for m in group if before[m] == Quality.USABLE), default=0)
        if before[n] == Quality.USABLE and group and int(panel.age_ns[t, n]) - newest > params.max_skew_ns:
            quality[n] = Quality.SKEWED

    half = [0.5 * (float(panel.ask[t, n]) - float(panel.bid[t, n])) for n in every]
    for n in every:
        if quality[n] != Quality.USABLE:
            mid[n] = half[n] = NAN
        if table.feed[codes[n]] in (Feed.BAR, Feed.MARK):
            half[n] = NAN
    charge = [_charge(panel, params, t, n, mid[n], half[n], usd[n], spot) for n in every]
    dollars = {"USD": 1.0, "USDC": 1.0, "USDT": dollar}
    paid = [
        dollars.get(table.settle[c], u) if table.quote[c] in dollars else u for c, u in zip(codes, usd, strict=True)
    ]
    return {
        "quality": quality,
        "usd": usd,
        "money": paid,
        "mid": mid,
        "half_spread": half,
        "charge": charge,
        "spot_usd": [spot],
    }


def _charge(panel: Panel, params: Params, t: int, n: int, mid: float, half: float, usd: float, spot: float) -> float:
    """Fee, half-spread and slippage of one side; half of a life to the expiry where that is less."""
    if math.isnan(mid):
        return NAN
    table, code, now = panel.instruments, int(panel.code[n]), int(panel.times_ns[t])
    kind = Kind(table.kind[code])
    day = str(np.datetime64(int(panel.times_ns[0]) // NS_PER_DAY, "D"))
    rate = rate_in_force(params.fees, table, code, day)
    base = mid
    if kind is Kind.OPTION:
        index = float(panel.index[t, n])
        base = 1.0 if table.quote[code] == panel.underlying else (index if index > 0.0 else spot) / usd

    def fee(bps: float, cap: float | None) -> float:
        return min(bps / BPS * base, math.inf if cap is None else cap * mid)

    taker, delivery = fee(rate.taker_bps, rate.cap), fee(rate.delivery_bps, rate.delivery_cap)
    no_depth = math.isnan(panel.bid_size[t, n]) or math.isnan(panel.ask_size[t, n]) or math.isnan(half)
    side = params.fallback_bps[kind] / BPS * mid if no_depth else 0.0
    side += 0.0 if math.isnan(half) else half
    lives = {
        Kind.FUTURE: max(rule.life_ns for rule in params.rules.values()),
        Kind.OPTION: max(rule.life_ns for rule in params.rules.values() if rule.code in OPTION_RULES),
    }
    whole = side + taker
    if table.expiry_ns[code] != NEVER_NS and now >= int(table.expiry_ns[code]) - lives.get(kind, 0):
        return min(0.5 * (side + taker + delivery), whole)
    return whole
