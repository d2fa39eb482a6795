"""Reads candles, marks and funding rates as ccxt-style download tools store them: one feather file a pair.  [S8.2]

``date`` is the *opening* time of a bar.  The file name holds the rest: ``BTC_USDT-1h-spot``, ``BTC_USDT-5m`` (spot),
``BTC_USDT_USDT-1h-futures``, ``...-mark``, ``...-funding_rate`` (the rate is in ``funding_rate``, until 2026.8 in
``open``), ``BTC_USDT_USDT-251226-1h-futures`` (a dated future).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backtest.data.adapters import cells, rows
from backtest.data.adapters.bars import breaks, check_bars, left_out, traded
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import (
    bar_ns,
    check_fit,
    check_options,
    flag,
    matching,
    need,
    shown,
    text,
    texts,
    whole,
)
from backtest.data.adapters.instruments import (
    InstrumentListing,
    compact_expiry_ns,
    dated_future,
    linear_perp,
    spot,
    table,
)
from backtest.data.adapters.schedule import settlements
from backtest.data.adapters.tables import whole_table
from backtest.data.adapters.times import utc_ns
from engine.errors import DataError, MissingError
from engine.records import Feed, Kind
from engine.units import NS_PER_HOUR

_NAME: Final = re.compile(
    r"(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z]+)(?:_(?P<settle>[A-Z0-9]+)(?:-(?P<expiry>\d{6}))?)?-(?P<bar>\d+[mhd])"
    r"(?:-(?P<channel>spot|futures|mark|funding_rate))?\.feather",
    re.ASCII,
)
_OF_RATES: Final = ("since", "funding_changes")  # options of the channel funding_rate


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file.

    Options: ``venue``; ``channels`` among spot, futures, mark, funding_rate: other files of the glob are passed over;
    ``bar``, the length of the instrument's bars (a file of bars of another length is an error); ``funding_h`` hours
    between settlements; ``perp_quote``, the currency of a perp's price where the file says its collateral (USD at
    Hyperliquid), else "" ; ``drop_zero_volume``: true drops bars in which nothing traded; ``since``
    (may be left out), a time before which settlements are left out: Hyperliquid settled every 8 hours to 2023-06-08.
    Raises ``DataError`` for a file of another name or form, ``MissingError`` if no file has a wanted channel,
    ``UsageError`` if ``since`` or ``funding_changes`` is given without the channel funding_rate.
    """
    check_options(spec, ("venue", "channels", "bar", "funding_h", "perp_quote", "drop_zero_volume"), _OF_RATES)
    channels, seen = texts(spec, "channels"), 0
    for key in _OF_RATES:
        check_fit(spec, "funding_rate" in channels, key, "the channel funding_rate")
    for path in matching(root, spec):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise DataError(
                f"{shown(root, path)}: expected a name like BTC_USDT_USDT-1h-futures.feather, was another; rename it"
            )
        channel = match["channel"] or "spot"
        if channel in channels:
            seen += 1
            yield _chunk(path, shown(root, path), match, channel, spec)
    if not seen:
        raise MissingError(f"source {spec.adapter} ({spec.path}): expected files of {', '.join(channels)}, found none")


def _chunk(path: Path, where: str, match: re.Match[str], channel: str, spec: SourceSpec) -> Chunk:
    listing = _listing(match, spec, where)
    frame = whole_table(path, where)
    need(frame, ("date",), where)
    if channel == "funding_rate":
        if listing.kind != Kind.PERP:
            raise DataError(f"{where}: expected funding rates of a perp, was a file of {listing.name}")
        # the column has had its own name since 2026.9, and was ``open`` of a candle before
        rate = cells.numbers(frame, "funding_rate" if "funding_rate" in frame.columns else "open", where, empty=False)
        return Chunk(where, table([listing]), settlements(utc_ns(frame["date"], where), rate, listing, spec, where))
    need(frame, ("open", "close", "volume"), where)
    open_ns = utc_ns(frame["date"], where)
    check_bars(open_ns, listing.bar_ns, spec, path.name, where)
    close = cells.numbers(frame, "close", where)
    if channel == "mark":
        return Chunk(where, table([listing]), rows.marks(open_ns + listing.bar_ns, listing.name, close))
    keep = traded(frame["volume"], flag(spec, "drop_zero_volume"), where)
    bars = rows.bars(open_ns[keep] + listing.bar_ns, listing.name, close[keep])
    first = cells.numbers(frame, "open", where)
    far = breaks(open_ns[keep], first[keep], close[keep], listing.bar_ns, listing.name)
    return Chunk(where, table([listing]), bars, left_out(int((~keep).sum())), far)


def _listing(match: re.Match[str], spec: SourceSpec, where: str) -> InstrumentListing:
    venue, bar, settle = text(spec, "venue"), bar_ns(spec), match["settle"]
    if settle is None:
        return spot(venue, match["base"], match["quote"], Feed.BAR, bar=bar)
    if settle == match["base"]:
        raise DataError(f"{where}: expected a contract that settles in dollars, was one in {settle}; drop the file")
    quote = text(spec, "perp_quote") or match["quote"]
    if match["expiry"] is not None:
        expiry_ns = compact_expiry_ns(match["expiry"], where)
        return dated_future(venue, match["base"], quote, expiry_ns, Feed.BAR, bar=bar)
    funding = whole(spec, "funding_h") * NS_PER_HOUR
    return linear_perp(venue, match["base"], quote, Feed.BAR, funding_ns=funding, bar=bar)


ADAPTER: Final = Adapter(
    name="candles_feather",
    title="Candles, marks and funding of one venue, ccxt-style feather files",
    verified=(
        "Binance BTC_USDT-1h-spot.feather, 73,264 rows, SHA-256 "
        "16394556df1d3eb56cfec65fe90175e52ff33b2657fd9fb5fb652fb1034fdd25: "
        "github.com/Roshan7869/algotrading at db07ceb; "
        "Hyperliquid BTC_USDC_USDC-1h-funding_rate.feather, 18,778 rows, SHA-256 "
        "fd8d1ae67115cac294652fdfc4f4e7c95b63ba416691b5cd08c80893502dbddf: "
        "github.com/hippocritical/freqtrade_hyperliquid_download-data at 1ca28f4"
    ),
    ordered=True,
    read=read,
)
