"""Reads a file that is one table, whatever it is stored in: CSV (plain or packed), Parquet, Feather.  [S8.2]"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from backtest import limits
from backtest.data.adapters.arrow_size import TableSize, feather_size, parquet_size
from backtest.data.adapters.files import check_header, csv_parts
from engine.errors import DataError


def whole_table(path: Path, where: str) -> pd.DataFrame:
    """Return a table of rows and named columns: CSV as :func:`csv_parts`, Parquet or Feather by the file's ending.

    Raises ``DataError`` naming ``where`` if the file is none, or is larger than `limits.TABLE_ROWS`, ``TABLE_CELLS`` or
    ``TABLE_BYTES``, which is known before it is unpacked.
    """
    if path.suffix in (".parquet", ".feather", ".arrow"):
        return _arrow_table(path, where).reset_index(drop=True)
    return pd.concat(_bounded(csv_parts(path, where), where))


def _bounded(parts: Iterator[pd.DataFrame], where: str) -> Iterator[pd.DataFrame]:
    rows = 0
    for part in parts:
        rows += len(part)
        _check_size(TableSize(rows, rows * part.shape[1], 0), where)
        yield part


def _arrow_table(path: Path, where: str) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            _check_size(parquet_size(path), where)
            # a text that is stored once and repeated stays one in memory
            names = [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]
            table = pq.read_table(path, read_dictionary=names, partitioning=None)
        else:
            _check_size(feather_size(path), where)
            table = feather.read_table(path)
        # a column that an index was stored in is a column here
        frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, struct.error) as error:
        raise DataError(
            f"{where}: expected a whole {path.suffix[1:]} file, was one that cannot be read: {error}; fetch it again"
        ) from error
    if frame.empty:
        raise DataError(f"{where}: expected rows, was empty; fetch the file again")
    check_header(frame, where)
    coded = [name for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    return frame.astype(dict.fromkeys(coded, object))


def _check_size(size: TableSize, where: str) -> None:
    for what, limit, value in (
        ("rows", limits.TABLE_ROWS, size.rows),
        ("cells", limits.TABLE_CELLS, size.cells),
        ("bytes when unpacked", limits.TABLE_BYTES, size.bytes),
    ):
        if value > limit:
            raise DataError(f"{where}: expected a table of at most {limit} {what}, was {value}: cut the file by time")
