"""One sheet of an xlsx workbook: the values another library reads, and hostile files refused with exit code 4."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.utils import get_column_letter
from python_calamine import CalamineWorkbook

from backtest.data.adapters import workbook
from backtest.data.adapters.workbook import read_sheet
from engine.errors import DataError

PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
MEMBERS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPE}.worksheet+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{TYPE}.sharedStrings+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">'
    '<sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
    "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}"><si><t>name</t></si><si><t>x</t></si></sst>',
}
HEADER = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
ROW = '<row r="2"><c r="A2" t="inlineStr"><is><t>a</t></is></c><c r="B2"><v>1.5</v></c></row>'

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Return a function that writes a small workbook with the rows given; members can be replaced or dropped (None)."""

    def write(rows: str = HEADER + ROW, compression: int = zipfile.ZIP_DEFLATED, **changed: str | bytes | None) -> Path:
        sheet = f'<worksheet xmlns="{MAIN}"><dimension ref="A1:B2"/><sheetData>{rows}</sheetData></worksheet>'
        path = tmp_path / "x.xlsx"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in ({**MEMBERS, "xl/worksheets/sheet1.xml": sheet} | changed).items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return write


def rows_of(path: Path) -> list[list[object]]:
    return read_sheet(path, "s", "x").to_numpy().tolist()


def test_a_sheet_is_read_as_another_library_reads_it(tmp_path: Path) -> None:
    """Texts, numbers, truth values, holes and an empty row; calamine reads the same cells, with "" for a hole."""
    book = openpyxl.Workbook()
    book.active.title = "first"
    sheet = book.create_sheet("wanted & more")
    for row in (["name", "x", "y"], ["a<b", 1.5, None], [], ["é", None, True], ["a<b", -2e-7, False]):
        sheet.append(row)
    book.save(tmp_path / "x.xlsx")
    frame = read_sheet(tmp_path / "x.xlsx", "wanted & more", "x")
    theirs = CalamineWorkbook.from_path(str(tmp_path / "x.xlsx")).get_sheet_by_name("wanted & more").to_python()

    assert frame.to_numpy().tolist() == [["a<b", 1.5, None], ["é", None, True], ["a<b", -2e-7, False]]
    assert list(frame.columns) == theirs[0]
    assert frame.to_numpy().tolist() == [[None if v == "" else v for v in row] for row in theirs[1:] if any(row)]
    with pytest.raises(DataError, match="first, wanted & more"):
        read_sheet(tmp_path / "x.xlsx", "absent", "x")


def test_a_number_formatted_as_a_time_is_the_number_stored(tmp_path: Path) -> None:
    """0.94 years in a column that shows times is 0.94, not 22:33:36; a day is its serial number."""
    book = openpyxl.Workbook()
    book.active.append(["years"])
    book.active.append([0.94])
    book.active["A2"].number_format = "h:mm:ss"
    book.active["A3"] = pd.Timestamp("2026-01-15 08:00")
    book.save(tmp_path / "x.xlsx")
    assert read_sheet(tmp_path / "x.xlsx", "Sheet", "x")["years"].tolist() == [0.94, pytest.approx(46037 + 1 / 3)]


def test_of_a_formula_the_stored_value_is_read_and_an_error_is_a_hole(written: Written) -> None:
    """Nothing is evaluated: the value beside the formula is the value, a formula without one is a hole."""
    cells = '<c r="A2"><f>1/0</f><v>7</v></c><c r="B2" t="e"><v>#DIV/0!</v></c>'
    other = '<c r="A3"><f>1+1</f></c><c r="B3" t="str"><f>A1</f><v>name</v></c>'
    assert rows_of(written(f'{HEADER}<row r="2">{cells}</row><row r="3">{other}</row>')) == [
        [7.0, None],
        [None, "name"],
    ]


def test_no_cell_is_left_out_where_dimension_or_order_are_wrong(written: Written) -> None:
    """Rows beyond the stated dimension, rows out of order, cells out of order, rows and cells without a reference."""
    beyond = '<row r="9"><c r="B9"><v>9</v></c><c r="A9"><v>8</v></c></row>'
    before = '<row r="3"><c r="A3"><v>3</v></c></row>'
    bare = "<row><c><v>4</v></c><c><v>5</v></c></row>"
    assert rows_of(written(HEADER + ROW + beyond + before + bare)) == [["a", 1.5], [8.0, 9.0], [3.0, None], [4.0, 5.0]]


@pytest.mark.parametrize("member", [*MEMBERS, "xl/worksheets/sheet1.xml", "xl/media/image1.png"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_in_any_member_is_refused(written: Written, member: str, encoding: str) -> None:
    """No document type, no entity: neither a billion laughs nor a file of this machine, in whatever encoding."""
    bomb = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
    )
    with pytest.raises(DataError, match=r"^x, .*expected XML without a document type"):
        read_sheet(written(**{member: bomb.encode(encoding)}), "s", "x")


@pytest.mark.parametrize(
    ("limit", "most", "message"),
    [
        ("MOST_MEMBER_BYTES", 100, r"at most 100 bytes in \[Content"),
        ("MOST_BYTES", 1_000, "at most 1000 bytes in a workbook"),
        ("MOST_CELLS", 3, "at most 3 cells"),
        ("MOST_TAGS", 15, "at most 15 tags"),
    ],
)
def test_a_workbook_larger_than_a_limit_is_refused(
    written: Written, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, message: str
) -> None:
    """The same workbook is read with the limits as they are."""
    path = written()
    assert rows_of(path) == [["a", 1.5]]
    monkeypatch.setattr(workbook, limit, most)
    with pytest.raises(DataError, match=message):
        rows_of(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "row of column names"),
        (HEADER.replace("<v>1</v>", "<v>0</v>"), "each column name once"),
        (HEADER + ROW.replace("1.5", "1e999"), "row 2, column B: expected text, a finite number"),
        (HEADER + ROW.replace("1.5", "NaN"), "expected an xlsx workbook"),
        (HEADER + ROW.replace("1.5", "9" * 5000), "expected an xlsx workbook"),
        (HEADER + ROW.replace("B2", "7B"), "expected an xlsx workbook"),
        (HEADER + ROW.replace('r="2"', 'r="two"'), "expected an xlsx workbook"),
        (HEADER.replace("<v>1</v>", "<v>77</v>"), "expected an xlsx workbook"),
        ("<row>", "expected an xlsx workbook"),
        ("<row>&a;</row>", "expected an xlsx workbook"),
    ],
)
def test_cells_that_say_nothing_readable_are_refused(written: Written, rows: str, message: str) -> None:
    """Every message begins with the place; no error of the library or of Python comes through."""
    with pytest.raises(DataError, match=f"^x.*{message}"):
        rows_of(written(rows))


def test_a_sheet_of_many_columns_and_many_rows_is_refused(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 named columns and 100 rows of one cell: 200 cells in the sheet, 10,000 in the table."""
    monkeypatch.setattr(workbook, "MOST_CELLS", 1_000)
    head = "".join(f'<c r="{get_column_letter(n)}1" t="inlineStr"><is><t>c{n}</t></is></c>' for n in range(1, 101))
    body = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(2, 101))
    with pytest.raises(DataError, match="table of at most 1000 cells, was 100 rows of 100 columns"):
        rows_of(written(f'<row r="1">{head}</row>{body}'))


def test_a_row_has_the_number_of_the_sheet(written: Written) -> None:
    """An empty row is left out and counted."""
    late = ROW.replace('r="2"', 'r="7"').replace("A2", "A7").replace("B2", "B7")
    assert (read_sheet(written(HEADER + ROW + late), "s", "x").index + 1).tolist() == [2, 7]


def test_a_member_that_is_missing_or_packed_otherwise_is_refused(written: Written, tmp_path: Path) -> None:
    """bz2 and lzma are no compression of a workbook, and their readers return more than they are asked for."""
    for member in ("[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml"):
        with pytest.raises(DataError, match=r"^x: expected"):
            rows_of(written(**{member: None}))
    for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with pytest.raises(DataError, match="stored or deflated"):
            rows_of(written(compression=compression))
    (tmp_path / "y.xlsx").write_bytes(b"PK no zip")
    with pytest.raises(DataError, match=r"^x: expected an xlsx workbook"):
        rows_of(tmp_path / "y.xlsx")


def test_a_damaged_workbook_is_read_or_refused(written: Written, tmp_path: Path) -> None:
    """Bytes changed in its XML and in the file itself: a table or exit code 4, never another error."""
    rng = np.random.default_rng(11)
    path = written()
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    packed, refused = path.read_bytes(), 0
    for trial in range(300):
        if trial % 2:
            name = sorted(members)[trial // 2 % len(members)]
            path = written(**{**members, name: changed(members[name], rng)})
        else:
            path.write_bytes(changed(packed, rng))
        try:
            read_sheet(path, "s", "x")
        except DataError as error:
            refused += error.exit_code == 4
    assert 100 < refused < 300


def changed(data: bytes, rng: np.random.Generator) -> bytes:
    array = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, len(array), size=rng.integers(1, 4))
    array[places] = rng.integers(0, 256, size=len(places))
    return array.tobytes()


@pytest.mark.real
@pytest.mark.parametrize("sheet", ["options_raw", "futures_raw", "options_with_time"])
def test_stored_workbooks_hold_what_calamine_reads(real_data: Path, sheet: str) -> None:
    """Every cell of the sheets of two days, times aside: calamine turns numbers formatted as times into times."""
    for day in ("20260114", "20260118"):
        path = real_data / f"deribit-btc-daily-xlsx/BTC_{day}.xlsx"
        ours = read_sheet(path, sheet, "x")
        header, *rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_name(sheet).to_python()
        theirs = pd.DataFrame(rows, columns=header, dtype=object)[list(ours.columns)].iloc[: len(ours)]
        assert len(ours) > 5
        for column in ours:
            pairs = list(zip(ours[column], theirs[column], strict=True))
            if any(isinstance(their, str | float | bool) and their != "" for _, their in pairs):
                assert all(our == (None if their == "" else their) for our, their in pairs), column
