"""Reads a file that is one table, whatever it is stored in: CSV (plain or packed), Parquet, Feather.  [S8.2]"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from backtest.data.adapters.files import check_header, csv_parts
from engine.errors import DataError

MOST_ROWS: Final = 50_000_000
"""Most rows of a table that is read at once."""


def whole_table(path: Path, where: str) -> pd.DataFrame:
    """Return a table of rows and named columns: CSV as :func:`csv_parts`, Parquet or Feather by the file's ending.

    Raises ``DataError`` naming ``where`` if the file is none or has more than ``MOST_ROWS`` rows.
    """
    if path.suffix in (".parquet", ".feather"):
        return _arrow_table(path, where).reset_index(drop=True)
    return pd.concat(csv_parts(path, where))


def _arrow_table(path: Path, where: str) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                if file.metadata.num_rows > MOST_ROWS:
                    raise DataError(f"{where}: expected at most {MOST_ROWS} rows, was {file.metadata.num_rows}")
                table = file.read()
        else:
            table = feather.read_table(path)
        # a column that an index was stored in is a column here
        frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise DataError(f"{where}: expected a whole {path.suffix[1:]} file: {str(error)!r}") from error
    if frame.empty:
        raise DataError(f"{where}: expected rows, was empty")
    check_header(frame, where)
    return frame
