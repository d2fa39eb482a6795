"""Small data sets for the tests of this folder: valid and dull unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.schema import QUOTE_SCHEMA, VALUE_COLUMNS, Channel, instruments_from_frame
from backtest.data.format.writer import DatasetWriter
from engine.records import Feed, Instruments, Kind, Right
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND

DAY = 20_000
START = DAY * NS_PER_DAY


def instrument(name: str, kind: Kind = Kind.PERP, **changes: object) -> dict[str, object]:
    """One row of an instruments frame."""
    venue, _, symbol = name.partition(":")
    option = kind == Kind.OPTION
    row: dict[str, object] = {
        "name": name, "venue": venue, "symbol": symbol, "underlying": "BTC", "kind": int(kind), "base": "BTC",
        "quote": "USDT", "settle": "USDT", "contract_size": 1.0, "inverse": False, "expiry_ns": NEVER_NS,
        "strike": 50_000.0 if option else np.nan, "right": int(Right.CALL if option else Right.NONE), "tick": np.nan,
        "feed": int(Feed.BOOK), "bar_ns": 0, "funding_interval_ns": 8 * NS_PER_HOUR if kind == Kind.PERP else 0,
    }  # fmt: skip
    return row | changes


def instruments(*rows: dict[str, object]) -> Instruments:
    return instruments_from_frame(pd.DataFrame(list(rows)))


def table(rows: Sequence[dict[str, object]]) -> pa.Table:
    """Rows of a quote file from dictionaries: channel, t_ns, code and any values."""
    frame = pd.DataFrame(list(rows), columns=QUOTE_SCHEMA.names)
    frame = frame.astype(
        {"channel": "uint8", "t_ns": "int64", "code": "int32", **dict.fromkeys(VALUE_COLUMNS, "float64")}
    )
    return pa.Table.from_pandas(frame, schema=QUOTE_SCHEMA, preserve_index=False)


def quote(t_ns: int, code: int, bid: float | None, ask: float | None, **sizes: float) -> dict[str, object]:
    return {"channel": Channel.QUOTE, "t_ns": t_ns, "code": code, "bid": bid, "ask": ask, **sizes}


def store(
    folder: Path,
    listed: Instruments,
    rows: Sequence[dict[str, object]],
    *,
    grid_ns: int = 3600 * NS_PER_SECOND,
    grids: dict[str, list[int]] | None = None,
) -> Dataset:
    """Write the rows as a data set, each by its day and its instrument's underlying, and open it."""
    with DatasetWriter(folder, "small", grid_ns, synthetic=True, sources=[]) as writer:
        writer.set_instruments(listed)
        for name, times in (grids or {}).items():
            writer.set_grid(name, np.array(times, dtype=np.int64))
        keys = sorted({(listed.underlying[int(str(row["code"]))], int(str(row["t_ns"])) // NS_PER_DAY) for row in rows})
        for underlying, day in keys:
            own = [
                row for row in rows
                if (listed.underlying[int(str(row["code"]))], int(str(row["t_ns"])) // NS_PER_DAY) == (underlying, day)
            ]  # fmt: skip
            writer.write_day(underlying, day, table(own), "test", "none")
        return open_dataset(writer.finish())
