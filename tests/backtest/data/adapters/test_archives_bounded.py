"""Files that would take the memory, and archives that are damaged, are refused in one paragraph after some blocks."""

from __future__ import annotations

import gzip
import resource
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from backtest import limits
from backtest.data.adapters import files
from backtest.data.adapters.archives import opened
from backtest.data.adapters.base import SourceSpec
from engine.errors import MOST_MESSAGE, DataError, UsageError

MEGABYTE = 2**20


def refused(read: Callable[[], object], word: str) -> None:
    """``read`` raises a ``DataError`` of one printable paragraph that begins with the file and holds ``word``."""
    with pytest.raises(DataError) as error:
        read()
    text = str(error.value)
    assert text.startswith("x.")
    assert word in text
    assert text.isprintable()
    assert len(text) < MOST_MESSAGE


def test_a_header_of_a_million_columns_is_refused(tmp_path: Path) -> None:
    """No parser sees it; memory stays where it was."""
    path = tmp_path / "x.csv"
    path.write_text(",".join(f"c{number}" for number in range(10**6)) + "\n1\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: list(files.csv_parts(path, "x.csv")), f"at most {limits.CSV_COLUMNS} columns")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_cell_of_many_megabytes_is_refused_with_its_row(tmp_path: Path, name: str) -> None:
    """The row is named, the cell is not printed."""
    path = tmp_path / name
    text = b"a,b\n1,2\n3," + b"9" * (8 * MEGABYTE) + b"\n"
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    refused(lambda: list(files.csv_parts(path, name)), "row 3: expected a row of at most 1048576 bytes")


def test_rows_up_to_the_limit_are_read_across_blocks(tmp_path: Path) -> None:
    """A long row that begins in one block and ends in another is counted once."""
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n" + b"1," + b"x" * (MEGABYTE - 3) + b"\n" + b"2,y\n" * 200_000)
    assert sum(map(len, files.csv_parts(path, "x.csv"))) == 200_001
    path.write_bytes(b"a,b\n" + b"1," + b"x" * (MEGABYTE - 1) + b"\n")
    refused(lambda: list(files.csv_parts(path, "x.csv")), "row 2")


def test_an_archive_that_grows_a_thousandfold_is_refused(tmp_path: Path) -> None:
    """80 MB of zeros in 80 kB, as CSV and read whole."""
    path = tmp_path / "x.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as stream:
        stream.write(b"a,b\n")
        for _ in range(80):
            stream.write(b"0,0\n" * (MEGABYTE // 4))
    assert limits.FILE_EXPANSION * path.stat().st_size < 80 * MEGABYTE
    refused(lambda: list(files.csv_parts(path, "x.csv.gz")), "grows at most 200 times")
    refused(lambda: files.read_json(path, "x.csv.gz"), "grows at most 200 times")


def damaged(folder: Path) -> dict[str, Path]:
    """Archives with one thing wrong each."""
    text = b"a,b\n" + b"".join(b"%d,%d\n" % (k, k * k) for k in range(5000))
    made = {
        name: folder / f"x.{name}" for name in ("deflate.gz", "cut.gz", "deflate.zip", "encrypted.zip", "method.zip")
    }
    packed = bytearray(gzip.compress(text))
    packed[200:260] = b"\xff" * 60
    made["deflate.gz"].write_bytes(packed)
    made["cut.gz"].write_bytes(gzip.compress(text)[:-30])
    for name in ("deflate.zip", "encrypted.zip", "method.zip"):
        with zipfile.ZipFile(made[name], "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.csv", text)
    body = bytearray(made["deflate.zip"].read_bytes())
    body[200:260] = b"\xff" * 60
    made["deflate.zip"].write_bytes(body)
    for name, offset, value in (("encrypted.zip", 6, 1), ("method.zip", 8, 99)):
        body = bytearray(made[name].read_bytes())
        central = body.index(b"PK\x01\x02")
        struct.pack_into("<H", body, offset, value)
        struct.pack_into("<H", body, central + offset + 2, value)
        made[name].write_bytes(body)
    return made


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("deflate.gz", "whole compressed file"),
        ("cut.gz", "whole compressed file"),
        ("deflate.zip", "whole compressed file"),
        ("encrypted.zip", "without a password"),
        ("method.zip", "stored or deflated"),
    ],
)
def test_a_damaged_archive_is_bad_data_for_every_reader(tmp_path: Path, name: str, word: str) -> None:
    """As CSV, read whole and line by line."""
    path = damaged(tmp_path)[name]
    refused(lambda: list(files.csv_parts(path, path.name)), word)
    refused(lambda: files.read_json(path, path.name), word)

    def lines() -> int:
        with opened(path, path.name) as stream:
            return sum(1 for _ in stream)

    refused(lines, word)


def test_the_damage_is_what_the_test_says() -> None:
    """The module zlib has an error of its own, which is no ``BadGzipFile``: it once ended as a defect of ours."""
    assert not issubclass(zlib.error, OSError)


@pytest.mark.parametrize("pattern", ["", "**x/*.csv", "a/**b", "\x00", "/", ".", "[", "a" * 5000, "***"])
def test_an_odd_pattern_is_usage_or_finds_nothing(tmp_path: Path, pattern: str) -> None:
    """Exit 2 with the pattern, or 3: never a defect of ours."""
    (tmp_path / "x.csv").write_text("a\n1\n")
    spec = SourceSpec("candles_csv", pattern, {}, "a test", "none")
    with pytest.raises((UsageError, files.MissingError)) as error:
        files.matching(tmp_path, spec)
    assert str(error.value).isprintable()
