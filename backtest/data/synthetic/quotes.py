"""Makes one day of quotes: fair values and moves, rounded to ticks, with spread, depth and lateness, as rows.

A quote of grid time t is knowable up to ``lag_ms`` before it, so the rows of one UTC day belong to the grid times after
its 00:00, up to and with the next 00:00.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtest.data.synthetic.draws import IntArray, Streams, octets, uniforms
from backtest.data.synthetic.elementary import FloatArray
from backtest.data.synthetic.expiries import ACCRUAL_NS, NS_PER_DAY, NS_PER_HOUR
from backtest.data.synthetic.fair import Move, fair_prices
from backtest.data.synthetic.lots import round_to_lots, show_one_lot
from backtest.data.synthetic.paths import Path
from backtest.data.synthetic.spec import ByKind, SynthSpec
from backtest.data.synthetic.universe import FUTURE, OPTION, PERP, SPOT, SyntheticListing, Universe, dollar_listing

QuoteColumns = dict[str, NDArray[np.generic]]
"""``channel, t_ns, code, bid, ask, bid_size, ask_size, mark, index, rate, price``; NaN is null."""

Pin = tuple[str, int, int]
"""An instrument whose quotes are never late over ``from_step <= step < to_step``."""

LEVELS = 32
"""Displayed sizes take so many values, from a half to three halves of the average depth."""

DELIVERY_WINDOW_NS: Final = NS_PER_DAY // 48
"""Half an hour, over which Deribit and, since November 2024, Binance average their index before an expiry."""

RATE_NS: Final = 8 * NS_PER_HOUR
"""The span that the rate of what accrues is stated for."""

QUOTE, MARK, FUNDING, SETTLE, DELIVERY, FUNDING_8H = range(6)
VALUES = ("bid", "ask", "bid_size", "ask_size", "mark", "index", "rate", "price")


def by_kind(table: ByKind, kind: int) -> float:
    """Return the entry of ``table`` for a kind of instrument."""
    return {SPOT: table.spot, PERP: table.perp, FUTURE: table.future, OPTION: table.option}[kind]


def spread_ticks(spec: SynthSpec, listings: Sequence[SyntheticListing], reference: FloatArray) -> FloatArray:
    """Return spreads in whole ticks, at least one, of the shape of ``reference``, ``[..., N]``.

    ``reference`` holds prices, for an option that of its underlying.
    """
    table = spec.quotes.spread_bps
    bps = np.array([table.fx if x.underlying == "FX" else by_kind(table, x.kind) for x in listings])
    unit = np.where([x.in_coin for x in listings], 1.0, reference)
    result: FloatArray = np.maximum(1.0, np.rint(1e-4 * bps * unit / np.array([x.tick for x in listings])))
    return result


def average_size(spec: SynthSpec, listing: SyntheticListing) -> float:
    """Return the average displayed size in base units, the same on every day."""
    if listing.underlying == "FX":
        return spec.quotes.depth_usd.fx
    return by_kind(spec.quotes.depth_usd, listing.kind) / spec.underlyings[listing.underlying].spot_usd


def quote_day(
    spec: SynthSpec,
    path: Path,
    universe: Universe,
    codes: Mapping[str, int],
    day: int,
    moves: Sequence[Move],
    pins: Sequence[Pin],
    streams: Streams,
) -> list[QuoteColumns]:
    """Return the rows of one underlying on ``day`` by channel, ascending, each sorted by (t_ns, code).

    ``moves`` and ``pins`` are those of the underlying, of any day.  Stream: ``<stream>/<underlying>/quotes``,
    replicate = number of the day.
    """
    number = day - spec.first_day
    first = number * spec.steps_a_day
    steps = np.arange(first + 1, first + spec.steps_a_day + 1, dtype=np.int64)
    listings = universe.on(day)
    today = [move for move in moves if move.from_step <= steps[-1] and move.to_step > steps[0]]
    prices = fair_prices(path, listings, steps, spec.smile, today)
    bits = streams(f"{spec.stream}/{listings[0].underlying}/quotes", number)
    code = np.array([codes[listing.name] for listing in listings], dtype=np.int32)
    late = uniforms(bits, prices.moved.size).reshape(prices.moved.shape) < spec.quotes.late_share
    column = {listing.name: n for n, listing in enumerate(listings)}
    for name, since, until in pins:
        if since <= steps[-1] and until > steps[0] and name in column:
            late[(steps >= since) & (steps < until), column[name]] = False
    times = _known(spec, path.times_ns[steps], [listing.venue for listing in listings], uniforms(bits, 3 * len(steps)))
    bid, ask = _touch(spec, listings, prices.moved, path.spot[steps])
    sizes = _sizes(spec, listings, octets(bits, 2 * bid.size).reshape(2, *bid.shape))
    # Only a bid can be missing; an ask is at least one tick.
    sizes[0][np.isnan(bid)] = np.nan
    for move in today:
        if move.no_depth and move.name in column:
            sizes[:, (steps >= move.from_step) & (steps < move.to_step), column[move.name]] = np.nan
    show_one_lot(spec, listings, [(column[m.name], m) for m in today if m.name in column], steps, prices.moved, sizes)
    index = path.spot[steps], path.spot[steps] * path.fx[steps]
    parts = [_quotes(times, code, bid, ask, sizes, np.isfinite(prices.moved) & ~late)]
    parts.append(_marks(times, code, listings, prices.fair, index))
    parts += _funding(spec, path, listings, code, first)
    parts.append(_deliveries(path, listings, code, day))
    parts.append(_eight_hours(spec, path, listings, code, first))
    return parts


def dollar_day(
    spec: SynthSpec, fx: FloatArray, times_ns: IntArray, code: int, day: int, streams: Streams
) -> list[QuoteColumns]:
    """Return the rows of the dollar pair on ``day``, all quotes; ``fx`` and ``times_ns`` have shape (spec.points,).

    Stream: ``<stream>/FX/quotes``, replicate = number of the day.
    """
    number = day - spec.first_day
    first = number * spec.steps_a_day
    steps = np.arange(first + 1, first + spec.steps_a_day + 1, dtype=np.int64)
    listing = dollar_listing(spec)
    bits = streams(f"{spec.stream}/FX/quotes", number)
    times = _known(spec, times_ns[steps], ["binance"], uniforms(bits, 3 * len(steps)))
    price = fx[steps][:, None]
    bid, ask = _touch(spec, [listing], price, np.ones(len(steps)))
    sizes = _sizes(spec, [listing], octets(bits, 2 * bid.size).reshape(2, *bid.shape))
    return [_quotes(times, np.array([code], dtype=np.int32), bid, ask, sizes, np.isfinite(price))]


def _known(spec: SynthSpec, grid_ns: IntArray, venues: Sequence[str], draws: FloatArray) -> IntArray:
    """Return when the quotes of each grid time became knowable, ``[T, N]``: one snapshot a venue, in whole ms."""
    order = ("binance", "deribit", "hyperliquid")
    lag_ms = 1 + np.floor(draws.reshape(len(grid_ns), len(order)) * spec.quotes.lag_ms).astype(np.int64)
    # at least one ms before the grid time, so that every quote is knowable at it
    known: IntArray = grid_ns[:, None] - 1_000_000 * lag_ms
    return known[:, [order.index(venue) for venue in venues]]


def _touch(
    spec: SynthSpec, listings: Sequence[SyntheticListing], price: FloatArray, spot: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return bid and ask: a whole number of ticks apart, their mid within half a tick of ``price``.

    A bid that would not be positive is missing.  Ticks are one over an integer, so that a quote is the double nearest
    to its decimal.
    """
    per_unit = np.array([round(1.0 / listing.tick) for listing in listings], dtype=np.float64)
    of_option = [listing.kind == OPTION for listing in listings]
    spread = spread_ticks(spec, listings, np.where(of_option, spot[:, None], np.nan_to_num(price)))
    low = np.rint(price * per_unit - 0.5 * spread)
    bid = np.where(low > 0.0, low, np.nan) / per_unit
    # an ask is at least one tick, even if the bid is missing
    ask = np.maximum(low + spread, 1.0) / per_unit
    return bid, ask


def _sizes(spec: SynthSpec, listings: Sequence[SyntheticListing], draws: NDArray[np.uint8]) -> FloatArray:
    """Return displayed sizes, ``[2, T, N]``: one of ``LEVELS`` of each listing, in base units to four decimals."""
    average = np.array([average_size(spec, listing) for listing in listings])
    level = np.arange(LEVELS) / (LEVELS - 1)
    sizes = np.round(average[:, None] * (0.5 + level), 4)
    round_to_lots(spec, listings, sizes)
    choice = LEVELS * np.arange(len(listings)) + draws % LEVELS
    return np.take(sizes, choice)


def _quotes(
    times: IntArray,
    code: NDArray[np.int32],
    bid: FloatArray,
    ask: FloatArray,
    sizes: FloatArray,
    kept: NDArray[np.bool_],
) -> QuoteColumns:
    cells = np.flatnonzero(kept)
    t_ns = times.ravel()[cells]
    order = np.argsort(t_ns, kind="stable")
    cells = cells[order]
    return {
        "channel": np.full(len(cells), QUOTE, dtype=np.uint8),
        "t_ns": t_ns[order],
        "code": np.take(np.broadcast_to(code, kept.shape), cells),
        "bid": np.take(bid, cells),
        "ask": np.take(ask, cells),
        "bid_size": np.take(sizes[0], cells),
        "ask_size": np.take(sizes[1], cells),
    }


def _marks(
    times: IntArray,
    code: NDArray[np.int32],
    listings: Sequence[SyntheticListing],
    fair: FloatArray,
    index: tuple[FloatArray, FloatArray],
) -> QuoteColumns:
    """Return marks of perps and dated futures: the fair price, whatever the quotes do, and the venue's index.

    ``index`` is the underlying's price in USD and in USDT: a venue's index is in the dollar of the price.
    """
    in_usdt = np.array([listing.quote == "USDT" for listing in listings])
    marked = [n for n, listing in enumerate(listings) if listing.kind in (PERP, FUTURE)]
    row, which = np.nonzero(np.isfinite(fair[:, marked]))
    column = np.array(marked)[which]
    t_ns = times[row, column]
    order = np.argsort(t_ns, kind="stable")
    row, column = row[order], column[order]
    return {
        "channel": np.full(len(row), MARK, dtype=np.uint8),
        "t_ns": t_ns[order],
        "code": code[column],
        "mark": np.round(fair[row, column], 2),
        # venues publish their index to the cent
        "index": np.round(np.where(in_usdt[column], index[1][row], index[0][row]), 2),
    }


def _funding(
    spec: SynthSpec, path: Path, listings: Sequence[SyntheticListing], code: NDArray[np.int32], first: int
) -> list[QuoteColumns]:
    """Return the rates published at the start of each interval of the day, and those settled at its end."""
    rates = {"binance": path.rate_binance, "hyperliquid": path.rate_hyperliquid, "deribit": path.rate_inverse}
    published, settled = [], []
    for n, listing in enumerate(listings):
        accrues = listing.funding_interval_ns == ACCRUAL_NS
        if accrues:
            settled += _accrued(spec, path, int(code[n]), first)
        if listing.funding_interval_ns:
            every = (RATE_NS if accrues else listing.funding_interval_ns) // spec.grid_ns
            rate = rates[listing.venue]
            for step in range(first, first + spec.steps_a_day, every):
                t_ns = int(path.times_ns[step])
                published.append((t_ns, int(code[n]), float(rate[step])))
                # nothing was in force before the first grid time
                if step and not accrues:
                    settled.append((t_ns, int(code[n]), float(rate[step - 1])))
    return [_listed(FUNDING, "rate", published), _listed(SETTLE, "rate", settled)]


def _accrued(spec: SynthSpec, path: Path, code: int, first: int) -> list[tuple[int, int, float]]:
    """Return the share of the rate that accrued in each minute of the day that begins at step ``first``."""
    begin_ns, minutes = int(path.times_ns[first]), NS_PER_DAY // ACCRUAL_NS
    since_ns = begin_ns + ACCRUAL_NS * np.arange(-1, minutes - 1)
    # nothing was in force before the first grid time
    since_ns = since_ns[since_ns >= path.times_ns[0]]
    share = path.rate_inverse[(since_ns - path.times_ns[0]) // spec.grid_ns] * (ACCRUAL_NS / RATE_NS)
    return [(t_ns + ACCRUAL_NS, code, rate) for t_ns, rate in zip(since_ns.tolist(), share.tolist(), strict=True)]


def _eight_hours(
    spec: SynthSpec, path: Path, listings: Sequence[SyntheticListing], code: NDArray[np.int32], first: int
) -> QuoteColumns:
    """Return what eight hours cost where funding accrues, as the venue says at the start of each eight hours."""
    said = [
        (int(path.times_ns[step]), int(code[n]), float(path.rate_inverse[step]))
        for n, listing in enumerate(listings)
        if listing.funding_interval_ns == ACCRUAL_NS
        for step in range(first, first + spec.steps_a_day, RATE_NS // spec.grid_ns)
    ]
    return _listed(FUNDING_8H, "rate", said)


def _deliveries(path: Path, listings: Sequence[SyntheticListing], code: NDArray[np.int32], day: int) -> QuoteColumns:
    """Return the settlement price of what expires on ``day``: the mean of the index over the venue's window.

    On a grid coarser than the window it is the last index before.
    """
    rows = []
    for n, listing in enumerate(listings):
        if day * NS_PER_DAY <= listing.expiry_ns < (day + 1) * NS_PER_DAY:
            since_ns = listing.expiry_ns - DELIVERY_WINDOW_NS
            first, last = np.searchsorted(path.times_ns, (since_ns, listing.expiry_ns), side="right").tolist()
            first = min(first, last - 1)
            mean = math.fsum(path.spot[first:last].tolist()) / (last - first)
            rows.append((listing.expiry_ns, int(code[n]), round(mean, 2)))
    return _listed(DELIVERY, "price", rows)


def _listed(channel: int, value: str, rows: list[tuple[int, int, float]]) -> QuoteColumns:
    rows = sorted(rows)
    return {
        "channel": np.full(len(rows), channel, dtype=np.uint8),
        "t_ns": np.array([row[0] for row in rows], dtype=np.int64),
        "code": np.array([row[1] for row in rows], dtype=np.int32),
        value: np.array([row[2] for row in rows], dtype=np.float64),
    }


def joined(parts: Sequence[QuoteColumns]) -> QuoteColumns:
    """Return the parts one below the other, in channel order, NaN where a channel has no such value."""
    joined: QuoteColumns = {
        name: np.concatenate([part[name] for part in parts]) for name in ("channel", "t_ns", "code")
    }
    for name in VALUES:
        pieces = [part[name] if name in part else np.full(len(part["code"]), np.nan) for part in parts]
        joined[name] = np.concatenate(pieces)
    return joined
