"""Reads settled funding rates of one perp: CSV and JSON as collectors of public endpoints store them.  [S8.2]

Known forms: CSV ``timestamp, funding_rate, premium``; CSV ``Symbol, Date, Funding Rate``; a JSON list of objects with
``coin, funding_rate, time`` (ms).  A rate is per settlement interval.  Labels that are not UTC are put right by
``label_shift_ns`` of the source, whose ``reason`` explains it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import (
    check_options,
    csv_parts,
    epoch_ns,
    matching,
    need,
    read_member,
    shown,
    utc_ns,
)
from backtest.data.adapters.identity import check_columns, check_name
from backtest.data.adapters.instruments import DECLARED, DECLARED_MORE, InstrumentListing, declared, table
from backtest.data.adapters.schedule import settlements
from engine.errors import DataError
from engine.records import FloatArray, IntArray

_CSV_FORMS: Final = (("timestamp", "funding_rate"), ("Date", "Funding Rate"))


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file.

    Options: the instrument (``venue, kind, base, quote, feed, funding_h``, with feed bar also ``bar``), the same as in
    the source of its prices; ``since`` (may be left out), a time before which rows are passed over, for example of
    another schedule.  Raises ``DataError`` for rows or a file name of another instrument, and for
    a file of another form.
    """
    check_options(spec, (*DECLARED, "funding_h"), (*DECLARED_MORE, "since"))
    listing = declared(spec)
    for path in matching(root, spec):
        where = shown(root, path)
        check_name(path, listing, where)
        label_ns, rate = _json(path, where, listing.base) if path.suffix == ".json" else _csv(path, where, listing)
        yield Chunk(where, table([listing]), settlements(label_ns, rate, listing, spec, where))


def _csv(path: Path, where: str, listing: InstrumentListing) -> tuple[IntArray, FloatArray]:
    frame = pd.concat(csv_parts(path, where))
    form = next((form for form in _CSV_FORMS if set(form) <= set(frame.columns)), None)
    if form is None:
        raise DataError(
            f"{where}: expected timestamp and funding_rate, or Date and Funding Rate, was {[*frame.columns]}"
        )
    check_columns(frame, listing, where)
    return utc_ns(frame[form[0]], where), frame[form[1]].to_numpy(dtype=np.float64)


def _json(path: Path, where: str, base: str) -> tuple[IntArray, FloatArray]:
    try:
        frame = pd.DataFrame(json.loads(read_member(path, where)))
    except (ValueError, AttributeError) as error:
        raise DataError(f"{where}: expected a JSON list of objects: {error}") from error
    need(frame, ("coin", "funding_rate", "time"), where)
    if others := set(frame["coin"]) - {base}:
        raise DataError(f"{where}: expected rates of {base}, there were rows of {', '.join(sorted(others))}")
    return epoch_ns(frame["time"], "ms", where), frame["funding_rate"].to_numpy(dtype=np.float64)


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
