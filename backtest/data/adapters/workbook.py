"""Reads one sheet of an xlsx workbook as a table, by openpyxl, after the file is shown to be bounded.  [S8.2]

An xlsx file is a zip of XML.  Before openpyxl sees it, the size, the compression and the number of tags of every
member are bounded and document types are refused: entities are declared in a document type, so none is left to expand.
The sheet is streamed (``read_only``); the stored value of a formula is read (``data_only``), no formula is evaluated.
Decision 0350.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final
from xml.parsers import expat

import openpyxl
import pandas as pd
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import WorkSheetParser

from engine.errors import CmeError, DataError

MOST_MEMBER_BYTES: Final = 64 * 2**20
MOST_BYTES: Final = 4 * MOST_MEMBER_BYTES
MOST_CELLS: Final = 1_000_000
# A cell with a value is written with four "<"; openpyxl keeps the elements of a whole row in memory, so the count of
# tags bounds the memory of a row before it is parsed.
MOST_TAGS: Final = 4 * MOST_CELLS

# The two methods of the format (ECMA-376 part 2, annex B).  Python's bz2 and lzma readers can return far more than they
# are asked for, which the sizes in the directory do not bound.
_COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

SheetCell = str | float | bool | None


def read_sheet(path: Path, sheet: str, where: str) -> pd.DataFrame:
    """Return ``sheet`` of the workbook ``path`` as a table, columns of dtype object.

    The first row that holds a value names the columns; columns without a name and rows without a value are left out.
    The index plus 1 is the row of the sheet.  Values are texts, numbers (as float) and truth values; the number of a
    date is the number stored, whose epoch is the workbook's own.  An empty cell and an error cell (``#N/A``) are None.

    Raises ``DataError`` (4), which begins with ``where``, if the file is no workbook, lacks the sheet, holds a document
    type, is larger than the limits above, names a column twice or holds a number that is not finite.
    """
    try:
        # One open file for the check and the reading; openpyxl leaves a file open that it cannot read.
        with path.open("rb") as file, warnings.catch_warnings():
            _check_archive(file, where)
            # openpyxl warns of features it drops (styles, validations); none is a value.
            warnings.simplefilter("ignore")
            rows = list(_rows(file, sheet, where))
    except CmeError:
        raise
    except Exception as error:  # a hostile workbook makes zipfile and openpyxl raise nearly any error
        raise DataError(f"{where}: expected an xlsx workbook, was: {error!r}; save it again as .xlsx") from error
    if not rows:
        raise DataError(f"{where}, sheet {sheet}: expected a row of column names, was empty; save the workbook again")
    header = {column: str(name) for column, name in sorted(rows[0][1].items()) if name is not None}
    if twice := sorted(name for name, count in Counter(header.values()).items() if count > 1):
        raise DataError(f"{where}, row {rows[0][0]}: expected each column name once, was {twice[0]!r} twice")
    # a table has all cells of its rows and columns, of which the sheet may name a few only
    if len(header) * len(rows) > MOST_CELLS:
        raise DataError(
            f"{where}: expected a table of at most {MOST_CELLS} cells, was {len(rows)} rows of {len(header)} columns: "
            "cut the sheet"
        )
    body = [[row.get(column) for column in header] for _, row in rows[1:]]
    return pd.DataFrame(body, [number - 1 for number, _ in rows[1:]], columns=list(header.values()), dtype=object)


def _rows(file: IO[bytes], sheet: str, where: str) -> Iterator[tuple[int, dict[int, SheetCell]]]:
    """Yield number and cells of each row that holds a value, the cells by column number."""
    book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    try:
        if sheet not in book.sheetnames:
            raise DataError(f"{where}: expected the sheet {sheet}, sheets were {', '.join(book.sheetnames)}")
        worksheet = book[sheet]
        cells = 0
        # openpyxl's parser by itself, without its `iter_rows`: that leaves out cells beyond the stated dimension, rows
        # and cells out of order, fills gaps without limit, and turns 0.94 formatted as a time into 22:33.
        with worksheet._get_source() as stream:
            for number, row in WorkSheetParser(stream, worksheet._shared_strings, data_only=True).parse():
                cells += len(row)
                if cells > MOST_CELLS:
                    raise DataError(f"{where}: expected at most {MOST_CELLS} cells in a sheet, was more")
                values = {cell["column"]: _value(cell, where) for cell in row}
                if any(value is not None for value in values.values()):
                    yield number, values
    finally:
        book.close()


def _value(cell: Mapping[str, Any], where: str) -> SheetCell:
    value = cell["value"]
    if value is None or cell["data_type"] == "e":
        return None
    if isinstance(value, str | bool):
        return value
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(
            f"{where}, row {cell['row']}, column {get_column_letter(cell['column'])}: expected text, a finite number "
            f"or true or false, was {value!r}; repair the cell"
        )
    return float(value)


def _check_archive(file: IO[bytes], where: str) -> None:
    """Raise ``DataError`` unless every member is bounded and without a document type.

    The bounds hold while openpyxl reads: a zip reader returns at most the bytes that the directory states.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > MOST_BYTES:
            raise DataError(f"{where}: expected at most {MOST_BYTES} bytes in a workbook, was more")
        for member in members:
            if member.file_size > MOST_MEMBER_BYTES:
                raise DataError(f"{where}: expected at most {MOST_MEMBER_BYTES} bytes in {member.filename}, was more")
            if member.compress_type not in _COMPRESSIONS:
                raise DataError(f"{where}: expected {member.filename} stored or deflated, was another compression")
            _check_member(archive.read(member), f"{where}, {member.filename}")


def _check_member(data: bytes, where: str) -> None:
    # Expat takes no encoding in which "<" is another byte, so the count bounds the elements whatever the encoding.
    if data.count(b"<") > MOST_TAGS:
        raise DataError(f"{where}: expected at most {MOST_TAGS} tags, was more")

    def refuse(*_: object) -> None:
        raise DataError(f"{where}: expected XML without a document type, was one")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        # A picture is no XML.  openpyxl parses with expat too, so it stops at this byte if it reads the member at all.
        return
