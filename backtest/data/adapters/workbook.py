"""One sheet of an xlsx workbook as a table, with nothing but an XML parser that refuses document types.  [S8.2]

An xlsx file is a zip of XML.  Entities live in a document type, so refusing every document type leaves none to expand;
members are bounded in size before they are parsed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from xml.parsers import expat

import pandas as pd

from engine.errors import DataError

MOST_MEMBER_BYTES: Final = 64 * 2**20
MOST_CELLS: Final = 5_000_000

_COLUMN: Final = re.compile(r"([A-Z]{1,3})[0-9]+")
_RELATION: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships id"

SheetCell = str | float | bool | None


def read_sheet(path: Path, sheet: str, where: str) -> pd.DataFrame:
    """Return ``sheet`` as a table: the first row holds the column names, an empty cell is None.

    Raises ``DataError`` where the file is no workbook, lacks the sheet, holds a document type or an oversized member.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            strings = _shared_strings(archive, where)
            table = _sheet_rows(_member(archive, _sheet_member(archive, sheet, where), where), strings, where)
    except (zipfile.BadZipFile, expat.ExpatError) as error:
        raise DataError(f"{where}: expected an xlsx workbook: {error}") from error
    if not table:
        raise DataError(f"{where}, sheet {sheet}: expected a row of column names, was empty")
    header = {column: str(name) for column, name in table[0].items() if name is not None}
    if len(set(header.values())) != len(header):
        raise DataError(f"{where}, sheet {sheet}: expected each column name once")
    body = [[row.get(column) for column in header] for row in table[1:] if row]
    return pd.DataFrame(body, columns=list(header.values()), dtype=object)


def _member(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    try:
        with archive.open(name) as stream:
            data = stream.read(MOST_MEMBER_BYTES + 1)
    except KeyError as error:
        raise DataError(f"{where}: expected the member {name}, was not there") from error
    if len(data) > MOST_MEMBER_BYTES:
        raise DataError(f"{where}: expected at most {MOST_MEMBER_BYTES} bytes in {name}, was more")
    return data


def _parse(
    data: bytes,
    where: str,
    start: Callable[[str, Mapping[str, str]], None],
    end: Callable[[str], None] = lambda _: None,
    chars: Callable[[str], None] = lambda _: None,
) -> None:
    """Feed the elements of ``data`` to the handlers, by their local names."""

    def refuse(*_: object) -> None:
        raise DataError(f"{where}: expected XML without a document type, was one")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(" ")[2], attributes)
    parser.EndElementHandler = lambda name: end(name.rpartition(" ")[2])
    parser.CharacterDataHandler = chars
    parser.Parse(data, True)


def _sheet_member(archive: zipfile.ZipFile, sheet: str, where: str) -> str:
    sheets: dict[str, str] = {}
    targets: dict[str, str] = {}

    def on_sheet(name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            sheets[attributes.get("name", "")] = attributes.get(_RELATION, "")

    def on_target(name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    _parse(_member(archive, "xl/workbook.xml", where), where, on_sheet)
    _parse(_member(archive, "xl/_rels/workbook.xml.rels", where), where, on_target)
    target = targets.get(sheets.get(sheet, ""), "")
    if not target:
        raise DataError(f"{where}: expected the sheet {sheet}, sheets were {', '.join(sheets)}")
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _shared_strings(archive: zipfile.ZipFile, where: str) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    strings: list[str] = []
    inside = [False]

    def start(name: str, _: Mapping[str, str]) -> None:
        if name == "si":
            strings.append("")
        inside[0] = name == "t"

    def chars(text: str) -> None:
        if inside[0]:
            strings[-1] += text

    def end(_: str) -> None:
        inside[0] = False

    _parse(_member(archive, "xl/sharedStrings.xml", where), where, start, end, chars)
    return strings


def _sheet_rows(data: bytes, strings: list[str], where: str) -> list[dict[str, SheetCell]]:
    table: list[dict[str, SheetCell]] = []
    cells = 0
    reference, kind, text, inside = "", "n", "", False

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal cells, reference, kind, text, inside
        if name == "row":
            table.append({})
        elif name == "c":
            cells += 1
            if cells > MOST_CELLS:
                raise DataError(f"{where}: expected at most {MOST_CELLS} cells in a sheet, was more")
            reference, kind, text = attributes.get("r", ""), attributes.get("t", "n"), ""
        inside = name in ("v", "t")

    def chars(part: str) -> None:
        nonlocal text
        if inside:
            text += part

    def end(name: str) -> None:
        nonlocal inside
        inside = False
        if name == "c" and text:
            match = _COLUMN.fullmatch(reference)
            if match is None:
                raise DataError(f"{where}: expected a cell reference like B7, was {reference!r}")
            table[-1][match[1]] = _value(kind, text, strings, f"{where}, cell {reference}")

    _parse(data, where, start, end, chars)
    return table


def _value(kind: str, text: str, strings: list[str], where: str) -> SheetCell:
    try:
        if kind == "s":
            return strings[int(text)]
        if kind in ("str", "inlineStr"):
            return text
        if kind == "b":
            return text == "1"
        if kind == "e":
            return None
        return float(text)
    except (ValueError, IndexError) as error:
        raise DataError(f"{where}: expected a value of type {kind!r}, was {text!r}") from error
