"""The readers of market data for the fuzzer: each adapter on a damaged file, as far as the build takes its chunks."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import openpyxl
import pyarrow as pa
from pyarrow import feather

from backtest.data.adapters.base import Adapter, SourceSpec
from backtest.data.adapters.registry import adapter
from backtest.data.build.chunk import part_of
from tests.fuzz import whole_data

Read = Callable[[bytes, Path], None]

SHAPES: Final = {"json": "values", "member": "table", "grid": "values", "columns": "values"}
"""Damage of what is packed; other shapes are damaged as they are."""


def data_readers(only: Adapter | None = None) -> tuple[tuple[str, str, tuple[bytes, ...], Read], ...]:
    """Return name, shape of damage, whole files and reading of each form of each adapter, or of one given."""
    return tuple(
        (f"data {name} {Path(file).suffix[1:]}{_more(options)}", SHAPES.get(shape, shape), bodies,
         _reading(only or adapter(name), file, shape, options))
        for name, file, shape, options, bodies in whole_data.FORMS
        if only is None or only.name == name
    )  # fmt: skip


def _more(options: dict[str, Any]) -> str:
    key = next((key for key in ("table", "stream", "answer") if key in options), "")
    return f" {options[key]}" if key else ""


def _reading(member: Adapter, file: str, shape: str, options: dict[str, Any]) -> Read:
    def read(data: bytes, place: Path) -> None:
        (place / file).write_bytes(packed(data, shape))
        if member.name == "binance_quarterly":
            (place / "fut_expirys.csv").write_bytes(whole_data.CONTRACTS)
        spec = SourceSpec(member.name, file, options, "a drive", "none")
        for chunk in member.read(place, spec):
            part_of(chunk, spec, member.ordered, None)

    return read


def packed(data: bytes, shape: str) -> bytes:
    """Return the bytes of the file that holds ``data``."""
    if shape == "recording":
        return gzip.compress(data, 1, mtime=0)
    if shape == "member":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(zipfile.ZipInfo("q.csv"), data)
        return out.getvalue()
    if shape == "grid":
        return _workbook(data)
    if shape == "columns":
        return _feather(data)
    return data


def _workbook(data: bytes) -> bytes:
    """A workbook of two equal sheets; what no workbook can hold is left as it is."""
    # not write-only: such a workbook writes a file at once, and complains when it is dropped half written
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    try:
        grid = json.loads(data)
        for name in ("options_raw", "futures_raw"):
            sheet = book.create_sheet(name)
            for row in grid:
                sheet.append([cell if isinstance(cell, str | int | float | None) else str(cell) for cell in row])
        out = io.BytesIO()
        book.save(out)
    except Exception:  # the damage made something that is no table
        return data
    return out.getvalue()


def _feather(data: bytes) -> bytes:
    """A Feather file of the columns; what Arrow cannot hold is left as it is."""
    try:
        columns = {
            name: pa.array(values, pa.timestamp("ms", tz="UTC")) if name == "date" else pa.array(values)
            for name, values in json.loads(data).items()
        }
        out = io.BytesIO()
        feather.write_feather(pa.table(columns), out)
    except Exception:  # the damage made something that is no table
        return data
    return out.getvalue()
