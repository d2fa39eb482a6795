"""Reads settled funding rates of one perp: CSV, Parquet, Feather and JSON of collectors and of the venues.  [S8.2]

One time column (ISO 8601 text, or whole stamps in s, ms, us or ns) and one rate column, under the names that venues and
collectors use, among them ``fundingTime, fundingRate`` (Binance, OKX), ``time, fundingRate`` (Hyperliquid),
``fundingRateTimestamp, fundingRate`` (Bybit) and ``ts, rate``.  A JSON file is the list, or the venue's answer that
holds it.  A rate is per settlement interval; Deribit's ``interest_1h`` is what accrued in the hour before its stamp,
``interest_8h`` what eight hours cost.  Labels that are not UTC are put right by ``label_shift_ns`` of the
source, whose ``reason`` explains it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, matching, need, read_json, shown
from backtest.data.adapters.identity import check_columns, check_name
from backtest.data.adapters.instruments import DECLARED, DECLARED_MORE, InstrumentListing, declared, table
from backtest.data.adapters.schedule import settlements, since_ns
from backtest.data.adapters.tables import whole_table
from backtest.data.adapters.times import label_ns
from engine.errors import DataError
from engine.records import ACCRUAL_NS, FloatArray, IntArray
from engine.units import NS_PER_HOUR

_TIMES: Final = (
    "timestamp", "Date", "date", "time", "ts", "fundingTime", "funding_time", "fundingRateTimestamp", "calc_time",
)  # fmt: skip
_RATES: Final = (
    "funding_rate", "Funding Rate", "fundingRate", "rate", "last_funding_rate", "lastFundingRate", "realizedRate",
)  # fmt: skip


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file.

    Options: the instrument (``venue, kind, base, quote, feed, funding_h``, with feed bar also ``bar``), the same as in
    the source of its prices; ``since`` (may be left out), a time before which rows are passed over, for example of
    another schedule; ``funding_changes`` (may be left out), the times after which the venue settled at other intervals
    (``"2025-08-10T08:00:00 4"``).  Raises ``DataError`` for rows or a file name of another instrument, and for
    a file of another form.
    """
    check_options(spec, (*DECLARED, "funding_h"), (*DECLARED_MORE, "since", "funding_changes"))
    listing = declared(spec)
    for path in matching(root, spec):
        where = shown(root, path)
        check_name(path, listing, where)
        frame = _json_table(path, where) if path.suffix == ".json" else whole_table(path, where)
        check_columns(frame, listing, where)
        if "interest_1h" in frame.columns:
            yield Chunk(where, table([listing]), _interest(frame, listing, spec, where))
            continue
        t_ns, rate = _rates(frame, where)
        yield Chunk(where, table([listing]), settlements(t_ns, rate, listing, spec, where))


def _interest(frame: pd.DataFrame, listing: InstrumentListing, spec: SourceSpec, where: str) -> pd.DataFrame:
    """Return the rows of Deribit's ``get_funding_rate_history``: the interest of each hour, and of eight hours.

    A row is stamped at the end of its hour.  Raises ``DataError`` for another venue, for hours that do not ascend or
    are not whole.
    """
    if listing.funding_interval_ns != ACCRUAL_NS:
        raise DataError(
            f"{where}: expected interest_1h of an instrument whose funding accrues, was {listing.name}: declare venue, "
            "kind, base and quote of Deribit's perp"
        )
    need(frame, ("timestamp", "interest_1h", "interest_8h"), where)
    t_ns = label_ns(frame["timestamp"], where)
    hour, eight = (cells.numbers(frame, name, where, empty=False) for name in ("interest_1h", "interest_8h"))
    if len(t_ns) > 1 and (np.diff(t_ns) < 0).all():
        t_ns, hour, eight = t_ns[::-1], hour[::-1], eight[::-1]
    keep = t_ns >= since_ns(spec)
    t_ns, hour, eight = t_ns[keep], hour[keep], eight[keep]
    wrong = np.flatnonzero(np.append(t_ns % NS_PER_HOUR != 0, np.diff(t_ns) <= 0))
    if len(wrong):
        raise DataError(
            f"{where}: expected whole hours in order, was {np.datetime64(int(t_ns[wrong[0] % len(t_ns)]), 'ns')}"
        )
    return rows.together(rows.accrued(t_ns, listing.name, hour), rows.eight_hours(t_ns, listing.name, eight))


def _rates(frame: pd.DataFrame, where: str) -> tuple[IntArray, FloatArray]:
    """Return times and rates, shape (n,) each, in ascending order."""
    times, rates = ([name for name in known if name in frame.columns] for known in (_TIMES, _RATES))
    # OKX tells beside the rate that was last published the one that was settled
    if "realizedRate" in rates:
        rates = ["realizedRate"]
    # two names of one kind may be the settlement and the fetch; choosing one would be a guess
    if len(times) != 1 or len(rates) != 1:
        columns = ", ".join(str(name) for name in frame.columns)
        raise DataError(
            f"{where}: expected one time column of {', '.join(_TIMES)} and one rate column of {', '.join(_RATES)}, "
            f"was {columns:.200}"
        )
    t_ns, rate = label_ns(frame[times[0]], where), cells.numbers(frame, rates[0], where, empty=False)
    # OKX and Bybit answer with the newest settlement first
    if len(t_ns) > 1 and (np.diff(t_ns) < 0).all():
        return t_ns[::-1], rate[::-1]
    return t_ns, rate


def _json_table(path: Path, where: str) -> pd.DataFrame:
    """Return the rows of a JSON list of objects, or of the list in a venue's answer (``data``, ``result.list``)."""
    value = read_json(path, where)
    if isinstance(value, dict) and value.get("testnet"):
        raise DataError(f"{where}: expected an answer of the venue, was one of its test network (testnet: true)")
    for key in ("result", "list", "data"):
        if isinstance(value, dict) and key in value:
            value = value[key]
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        raise DataError(f"{where}: expected a JSON list of objects, was {str(value)[:100]!r}")
    for number, row in enumerate(value, 1):
        if lacking := [key for key in value[0] if key not in row]:
            raise DataError(f"{where}, row {number}, field {lacking[0]!r:.200}: expected a value, was missing")
    return pd.DataFrame(value, dtype=object)


ADAPTER: Final = Adapter(
    name="funding_history",
    title="Settled funding rates of one perp, CSV or JSON",
    verified=(
        "hyperliquid_BTC_funding.csv, 4,321 rows, SHA-256 "
        "33021133992623b8557817d08a047021c2f6109798d88944056abbcec93587a2: "
        "github.com/mozanaydin/tradebot-backtest-lab at 647448c; "
        "hl_BTC_funding_rates.json, 12,192 rows, SHA-256 "
        "21a61dad438b758a27c10af60d6a6321d2baf79626314e6cf81583c4b721610d: "
        "github.com/yuchengzhang966/funding-rate-efficient-frontier at 9669d3d; "
        "14 files of github.com/supervik/historical-funding-rates-fetcher at 66a085b"
    ),
    ordered=True,
    read=read,
)
