"""Reads spot, perp and the two nearest quarterly futures of Binance, one row an hour, CSV.  [S8.2]

``Timestamp`` is the opening time of the bars.  ``fut_expirys.csv`` beside the files holds the contracts.  The file's
``funding_rate`` is the 8-hour rate divided by 8 and filled forward; rates are read from the funding files instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.bars import check_bars
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import BAR_NS, check_options, csv_parts, flag, matching, need, shown, texts
from backtest.data.adapters.instruments import InstrumentListing, linear_perp, quarterly, spot, table
from backtest.data.adapters.times import epoch_ns, utc_ns
from engine.errors import DataError, MissingError, UsageError
from engine.records import Feed
from engine.units import NS_PER_HOUR

CONTRACTS: Final = "fut_expirys.csv"
_BAR: Final = BAR_NS["1h"]
_LEGS: Final = ("spot", "perp", "prompt", "next")


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file, its bars known at their close.

    Options: ``legs`` among spot, perp, prompt (the nearest quarterly) and next (the one after);
    ``drop_last``: true where the last row of each file holds unfinished bars, as in the known files.  Raises
    ``UsageError`` for other legs, ``MissingError`` without a table of contracts, ``DataError`` for a contract that is
    not in the table or a bar that closes after its contract's expiry.
    """
    check_options(spec, ("legs", "drop_last"))
    legs = texts(spec, "legs")
    if unknown := set(legs) - set(_LEGS):
        raise UsageError(f"source {spec.adapter}: expected legs among {', '.join(_LEGS)}, was {', '.join(unknown)}")
    for path in matching(root, spec):
        # A pattern such as *.csv matches the table of contracts too.
        if path.name == CONTRACTS:
            continue
        where = shown(root, path)
        frame = pd.concat(csv_parts(path, where))
        contracts = _contracts(path.with_name(CONTRACTS), shown(root, path.with_name(CONTRACTS)))
        need(frame, ["Timestamp", *(f"{leg}_close" for leg in legs)], where)
        frame = frame.iloc[:-1] if flag(spec, "drop_last") else frame
        open_ns = utc_ns(frame["Timestamp"], where)
        check_bars(open_ns, _BAR, spec, path.name, where, labels=frame["Timestamp"])
        close_ns = open_ns + _BAR
        listings, parts = [], []
        for leg in legs:
            price = cells.numbers(frame, f"{leg}_close", where)
            keep = ~np.isnan(price)
            owner = _owners(frame, leg, path, contracts, where)
            names = np.array([owner[key].name if key in owner else "" for key in _keys(frame, leg)], dtype=object)
            parts.append(rows.bars(close_ns[keep], names[keep], price[keep]))
            listings += list(owner.values())
        yield Chunk(where, table(listings), _alive(rows.in_time_order(*parts), listings, where))


def _keys(frame: pd.DataFrame, leg: str) -> pd.Series:
    return frame[f"{leg}_contract"] if leg in ("prompt", "next") else pd.Series([leg] * len(frame))


def _owners(
    frame: pd.DataFrame, leg: str, path: Path, contracts: dict[str, InstrumentListing], where: str
) -> dict[str, InstrumentListing]:
    # The rows name contracts of the futures only; the pair of spot and perp is in the file's name.
    pair = path.name.partition("_")[0]
    base, quote = pair.removesuffix("USDT"), "USDT"
    if pair == base:
        raise DataError(
            f"{where}: expected a name that begins with a pair of USDT, like BTCUSDT_1h.csv, was {path.name}"
        )
    if leg in ("prompt", "next"):
        need(frame, (f"{leg}_contract",), where)
        used = frame.loc[frame[f"{leg}_close"].notna(), f"{leg}_contract"]
        if missing := set(used.dropna()) - set(contracts) or ({"no name"} if used.isna().any() else set()):
            unknown = ", ".join(sorted(str(name) for name in missing))
            raise DataError(f"{where}, column {leg}_contract: expected contracts of {CONTRACTS}, was {unknown:.200}")
        strange = sorted(symbol for symbol in set(used) if _pair(contracts[symbol]) != pair)
        if strange:
            raise DataError(f"{where}, column {leg}_contract: expected contracts of {pair}, was {strange[0]:.200}")
        return {symbol: contracts[symbol] for symbol in sorted(set(used))}
    if leg == "spot":
        return {leg: spot("binance", base, quote, Feed.BAR, bar=_BAR)}
    return {leg: linear_perp("binance", base, quote, Feed.BAR, funding_ns=8 * NS_PER_HOUR, bar=_BAR)}


def _pair(listing: InstrumentListing) -> str:
    return f"{listing.base}{listing.quote}"


def _contracts(path: Path, where: str) -> dict[str, InstrumentListing]:
    if not path.is_file():
        raise MissingError(f"{where}: expected the table of contracts beside the bars, found none")
    frame = pd.concat(csv_parts(path, where))
    need(frame, ("symbol", "deliveryDate", "baseAsset", "quoteAsset"), where)
    expiry = epoch_ns(frame["deliveryDate"], "ms", where)
    return {
        symbol: quarterly("binance", symbol, base, quote, int(ns), Feed.BAR, bar=_BAR)
        for symbol, base, quote, ns in zip(
            *(cells.names(frame, name, where) for name in ("symbol", "baseAsset", "quoteAsset")), expiry, strict=True
        )
    }


def _alive(bars: pd.DataFrame, listings: list[InstrumentListing], where: str) -> pd.DataFrame:
    """Refuse bars after expiry, and the same contract in two legs at one time."""
    expiry = {listing.name: listing.expiry_ns for listing in listings}
    late = bars["t_ns"].to_numpy() > bars["name"].map(expiry).to_numpy()
    if late.any():
        name, close_ns = bars["name"][late].iloc[0], int(bars["t_ns"][late].iloc[0])
        raise DataError(
            f"{where}: expected bars of {name} closed by its expiry, {np.datetime64(expiry[name], 'ns')}, was one "
            f"closed at {np.datetime64(close_ns, 'ns')}: is the contract "
            f"another?"
        )
    if (twice := bars.duplicated(["t_ns", "name"])).any():
        name, close_ns = bars["name"][twice].iloc[0], int(bars["t_ns"][twice].iloc[0])
        raise DataError(
            f"{where}: expected a contract in one leg at a time, was {name} in two in the bar that closes at "
            f"{np.datetime64(close_ns, 'ns')}; read one leg of the two"
        )
    return bars


ADAPTER: Final = Adapter(
    name="binance_quarterly",
    title="Binance spot, perp and two quarterlies, one row an hour, CSV",
    verified=(
        "BTCUSDT_1h.csv, 15,722 rows, SHA-256 cd1fd9a8ac88b399f4fdbcdbe07d6363a472edb37e13c1fbb1d92edea9cc9a1a; "
        "ETHUSDT_1h.csv, 15,808 rows, SHA-256 7dcee90d9ea172f9afe1181fdf133b61479a5fafd14aeebfd46019927f8c9d27: "
        "github.com/gobbles404/perp-arb at 93cb9f2"
    ),
    ordered=True,
    read=read,
)
