"""Codes of a day's rows under another table of instruments, and tables of instruments put together by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backtest.data.format.schema import (
    INSTRUMENT_SCHEMA,
    QUOTE_SCHEMA,
    instruments_from_table,
    instruments_to_table,
)
from engine.records import Instruments

Listing = Mapping[str, Any]
"""All fields of one instrument by their names; NaN is written as None, so that equal listings are equal."""


def listings(instruments: Instruments) -> dict[str, Listing]:
    """Return name -> fields of each instrument."""
    rows = instruments_to_table(instruments).to_pylist()
    return {row["name"]: {key: None if value != value else value for key, value in row.items()} for row in rows}


def instruments_of(rows: Iterable[Listing]) -> Instruments:
    """Return the instruments of some listings, sorted by name; the inverse of `listings`."""
    ordered = sorted(rows, key=lambda row: str(row["name"]))
    # of the fields only numbers may be absent, and they are NaN there
    whole = [{key: math.nan if value is None else value for key, value in row.items()} for row in ordered]
    return instruments_from_table(pa.Table.from_pylist(whole, INSTRUMENT_SCHEMA), "listed instruments")


def recoded(table: pa.Table, before: Instruments, after: Instruments) -> pa.Table:
    """Return ``table`` with the codes of ``after``; a row of an instrument that it lacks is left out.

    Both tables are sorted by name, so the order of rows stays.
    """
    place = {name: code for code, name in enumerate(after.name)}
    codes = np.array([place.get(name, -1) for name in before.name], dtype=np.int32)
    code = codes[table.column("code").to_numpy()]
    at = table.schema.get_field_index("code")
    table = table.set_column(at, QUOTE_SCHEMA.field("code"), pa.array(code, pa.int32()))
    return table if (code >= 0).all() else table.filter(pc.greater_equal(table.column("code"), 0))
