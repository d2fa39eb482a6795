"""Reads spot, linear and coin-margined perps of Binance, Bybit and OKX in bars of eight hours, one CSV.  [S8.2]

Labels are local clock time (Europe/London) and not the same for all venues: a source reads one venue, so that its
``label_shift_ns`` can be what was measured for that venue.  Without one the labels are used as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.bars import check_bars, left_out, traded
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import BAR_NS, check_options, csv_parts, matching, need, shown, text, texts
from backtest.data.adapters.instruments import InstrumentListing, inverse_perp, linear_perp, spot, table
from engine.errors import DataError, UsageError
from engine.records import Feed, IntArray
from engine.units import NS_PER_HOUR

_BAR: Final = BAR_NS["8h"]
_FUNDING: Final = 8 * NS_PER_HOUR
_COLUMNS: Final = ("time", "exchange", "pair", "contract", "close", "funding rate")
# Contract sizes of the coin-margined perps as the venues list them, USD.
_FACE_USD: Final = {"binance": {"BTC": 100.0}, "bybit": {}, "okx": {"BTC": 100.0}}
_FACE_ELSE: Final = {"binance": 10.0, "bybit": 1.0, "okx": 10.0}


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file with the rows of one venue.

    Options: ``venue`` = binance, bybit or okx; ``zone`` of the labels, Europe/London or UTC; ``channels`` among bars
    (known at label + 8 h) and funding (settled at the label).  Raises ``DataError`` for a file of another form or a
    time that the clock of the zone never shows.
    """
    check_options(spec, ("venue", "zone", "channels"))
    venue, channels = text(spec, "venue", _FACE_ELSE), texts(spec, "channels")
    if unknown := set(channels) - {"bars", "funding"}:
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected channels among bars and funding, was {', '.join(unknown)}"
        )
    zone = text(spec, "zone", ("Europe/London", "UTC"))
    for path in matching(root, spec):
        where = shown(root, path)
        frame = pd.concat(csv_parts(path, where))
        need(frame, _COLUMNS, where)
        frame = frame[cells.names(frame, "exchange", where) == venue]
        pairs = cells.names(frame, "pair", where)
        first: dict[str, int] = {}
        for at, pair in enumerate(pairs):
            first.setdefault(pair, at)
        listings = {
            pair: _listing(venue, pair, f"{where}, row {cells.row_of(frame, at)}, column pair")
            for pair, at in first.items()
        }
        names = np.array([listings[pair].name for pair in pairs], dtype=object)
        label_ns = _zoned_ns(frame["time"], zone, where)
        parts, none = [], 0
        if "bars" in channels:
            for name in listings.values():
                of_name = names == name.name
                place = f"{where} ({name.name})"
                check_bars(label_ns[of_name], _BAR, spec, path.name, place, labels=frame["time"][of_name])
            close = cells.numbers(frame, "close", where)
            keep = traded(frame["volume"] if "volume" in frame.columns else frame["close"], True, where)
            none = int((~keep).sum())
            parts.append(rows.bars(label_ns[keep] + _BAR, names[keep], close[keep]))
        if "funding" in channels:
            rate = cells.numbers(frame, "funding rate", where)
            paid = ~np.isnan(rate)
            parts.append(rows.settled(label_ns[paid], names[paid], rate[paid], _FUNDING))
        yield Chunk(where, table(listings.values()), rows.together(*parts), left_out(none))


def _zoned_ns(labels: pd.Series, zone: str, where: str) -> IntArray:
    """Return clock times of ``zone`` as ns UTC; a time that the clock never shows is an error.

    Of a time that the clock shows twice the first is meant: 01:00 on the last Sunday of October is 00:00 UTC, where
    the bars of eight hours open.
    """
    try:
        naive = pd.to_datetime(labels.astype(str), format="%Y-%m-%d %H:%M:%S")
        summer = np.ones(len(naive), dtype=bool)
        moments = naive.dt.tz_localize(ZoneInfo(zone), ambiguous=summer, nonexistent="raise")
    except (ValueError, OverflowError) as error:
        no_time = np.flatnonzero(pd.to_datetime(labels.astype(str), format="%Y-%m-%d %H:%M:%S", errors="coerce").isna())
        row = f", row {cells.row_of(labels, int(no_time[0]))}" if len(no_time) else ""
        found = f"was {str(labels.iloc[no_time[0]])!r}" if len(no_time) else f"was one that it skips: {error!s:.60}"
        raise DataError(
            f"{where}{row}, column time: expected clock times of {zone} like 2024-01-31 08:00:00, {found}; declare the "
            f"zone of the labels"
        ) from error
    return moments.dt.as_unit("ns").astype("int64").to_numpy().astype(np.int64)


def _listing(venue: str, pair: str, where: str) -> InstrumentListing:
    if "/" in pair:
        base, _, quote = pair.partition("/")
        return spot(venue, base, quote, Feed.BAR, bar=_BAR)
    if pair.endswith("USDCM"):
        base = pair.removesuffix("USDCM")
        face = _FACE_USD[venue].get(base, _FACE_ELSE[venue])
        return inverse_perp(venue, base, Feed.BAR, face_usd=face, funding_ns=_FUNDING, bar=_BAR)
    if pair.endswith("USDT"):
        return linear_perp(venue, pair.removesuffix("USDT"), "USDT", Feed.BAR, funding_ns=_FUNDING, bar=_BAR)
    raise DataError(f"{where}: expected a pair like BTC/USDT, BTCUSDT or BTCUSDCM, was {pair!r}")


ADAPTER: Final = Adapter(
    name="threevenue",
    title="Binance, Bybit and OKX spot, linear and inverse perps, 8 h bars, one CSV",
    verified=(
        "all_exchanges.csv, 29,556 rows, SHA-256 4e32097d617639a724bcd16867978582874824da0985436ccf1d10d6d0225ee5: "
        "github.com/AHA-HH/optimising-funding-rate-arbitrage at 110bc95"
    ),
    ordered=True,
    read=read,
)
