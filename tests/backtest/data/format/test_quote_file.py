"""Twin of quote_file.py: what is no option lies first in a file, is read alone, and is hashed before it is parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtest.data.checks.check import check
from backtest.data.format import quote_file
from backtest.data.format.dataset import Dataset, open_dataset, quote_path
from backtest.data.format.quote_file import LINEAR_FILE, LinearPart, parts_from_table
from backtest.data.format.schema import Channel
from backtest.data.panels.reader import panels
from backtest.data.panels.rows import load_day
from engine.errors import DataError, GateError, MissingError
from engine.records import Kind, Panel
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import DAY, START, instrument, instruments, quote, store

LISTED = instruments(
    instrument("binance:A"),
    instrument("binance:FX", Kind.SPOT, underlying="FX"),
    instrument("deribit:C", Kind.OPTION, expiry_ns=START + 9 * NS_PER_DAY),
    instrument("deribit:D", Kind.FUTURE, expiry_ns=START + 9 * NS_PER_DAY),
)
A, FX, CALL, DATED = range(4)
FILE = quote_path("BTC", DAY)
VALUES = ("age_ns", "bid", "ask", "bid_size", "ask_size", "mark", "index", "funding_rate", "funding_paid")


def market(folder: Path, codes: Sequence[int] = (A, FX, CALL, DATED)) -> Dataset:
    """Two days of quotes, marks and funding that change from row to row, instruments mixed at every moment."""
    rows = []
    for k in range(200):
        t_ns = START + k * NS_PER_HOUR // 5
        rows += [quote(t_ns + code, code, 10.0 + k + code, 11.0 + k + code) for code in codes if (k + code) % 3]
        rows += [{"channel": Channel.MARK, "t_ns": t_ns, "code": code, "mark": 1.0 + k, "index": 2.0 + k}
                 for code in codes if code != FX]  # fmt: skip
    if A in codes:
        rows += [{"channel": Channel.SETTLE, "t_ns": START + 8 * n * NS_PER_HOUR, "code": A, "rate": 1e-4 * n}
                 for n in (1, 2)]  # fmt: skip
    return store(folder, LISTED, rows)


def read(dataset: Dataset, codes: list[int] | None = None) -> list[Panel]:
    return list(panels(dataset, "BTC", START, START + 2 * NS_PER_DAY, codes=codes))


def columns(panel: Panel, code: int) -> list[np.ndarray]:
    return [getattr(panel, name)[:, panel.column(code)] for name in VALUES]


def in_one_order(folder: Path) -> Dataset:
    """The same market as another program may store it: sorted by channel and time alone, no part listed."""
    dataset = market(folder)
    table = pq.read_table(dataset.path / FILE)
    order = np.lexsort([table.column(name).to_numpy() for name in ("code", "t_ns", "channel")])
    (dataset.path / FILE).write_bytes(quote_file.quote_bytes(table.take(pa.array(order))))
    entry = dataset.files[FILE]
    data = (dataset.path / FILE).read_bytes()
    changed = replace(entry, sha256=quote_file.sha256(data).hexdigest(), size=len(data))
    return replace(dataset, files={**dataset.files, FILE: changed}, linear_parts={})


def test_what_is_no_option_lies_in_the_first_row_groups(tmp_path: Path) -> None:
    """Of each channel a group without and a group with options; the part ends between them."""
    dataset = market(tmp_path / "set")
    file = pq.ParquetFile(dataset.path / FILE)
    groups = [file.read_row_group(number) for number in range(file.num_row_groups)]

    found = [(set(g.column("channel").to_pylist()), set(g.column("code").to_pylist())) for g in groups]
    assert found == [({0}, {A, DATED}), ({1}, {A, DATED}), ({3}, {A}), ({0}, {CALL}), ({1}, {CALL})]
    part = dataset.linear_parts[FILE]
    first_of_options = file.metadata.row_group(3).column(0)
    assert part.head == min(first_of_options.dictionary_page_offset, first_of_options.data_page_offset)
    assert set(dataset.linear_parts) == {quote_path("BTC", day) for day in (DAY, DAY + 1)}


def test_linear_instruments_are_read_without_the_bytes_of_options(tmp_path: Path) -> None:
    """Bytes of options may be anything; those of the part may not, nor may the footer."""
    dataset = market(tmp_path / "set")
    path, part = dataset.path / FILE, dataset.linear_parts[FILE]
    whole, expected = path.read_bytes(), read(dataset, [A, FX, DATED])
    path.write_bytes(whole[: part.head] + bytes(len(whole) - part.head - part.tail) + whole[-part.tail :])

    for old, new in zip(expected, read(dataset, [A, FX, DATED]), strict=True):
        for code in (A, FX, DATED):
            for left, right in zip(columns(old, code), columns(new, code), strict=True):
                np.testing.assert_array_equal(left, right)
    with pytest.raises(GateError, match="SHA-256"):
        read(dataset)
    for at in (part.head - 1, len(whole) - part.tail):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(GateError, match=LINEAR_FILE):
            read(dataset, [A])
    path.write_bytes(whole[:-1])
    with pytest.raises(GateError, match=f"{len(whole) - 1} bytes"):
        read(dataset, [A])
    path.unlink()
    with pytest.raises(MissingError, match="which the manifest lists"):
        read(dataset, [A])


def test_panels_do_not_depend_on_the_layout_of_a_file(tmp_path: Path) -> None:
    """Sorted by time alone and in two parts: all instruments, and the linear ones, have the same values."""
    parts, one = market(tmp_path / "parts"), in_one_order(tmp_path / "one")
    for codes in (None, [A, DATED, FX], [CALL], [A, CALL]):
        for left, right in zip(read(parts, codes), read(one, codes), strict=True):
            assert left.code.tolist() == right.code.tolist()
            for code in left.code.tolist():
                for a, b in zip(columns(left, code), columns(right, code), strict=True):
                    np.testing.assert_array_equal(a, b)
    assert len(read(parts)[0].code) == 4
    assert not np.isnan(read(parts)[0].bid[-1]).any()


def test_a_file_of_one_kind_is_one_part(tmp_path: Path) -> None:
    """Without options nothing is listed; of options alone the part is empty, and no row is read."""
    assert market(tmp_path / "linear", (A, FX)).linear_parts == {}
    assert LINEAR_FILE not in market(tmp_path / "linear again", (A, DATED)).files
    options = market(tmp_path / "options", (CALL,))
    assert load_day(options, "BTC", DAY, np.array([True, True, False, True])) == ()
    assert sum(len(rows) for part in load_day(options, "BTC", DAY, None) for rows in part.values()) > 100


def test_a_list_that_contradicts_a_file_is_refused(tmp_path: Path) -> None:
    """Options in the part, or something else after it; a part longer than its file; a file that is not there."""
    dataset = market(tmp_path / "set")
    part, size = dataset.linear_parts[FILE], dataset.files[FILE].size
    file = pq.ParquetFile(dataset.path / FILE)
    for head in (4, file.metadata.row_group(1).column(0).data_page_offset, size - part.tail):
        with pytest.raises(DataError, match="expected options in the row groups from byte"):
            read(replace(dataset, linear_parts={FILE: replace(part, head=head)}))
    for path, other in ((FILE, replace(part, head=size)), ("quotes/BTC/1999-01-01.parquet", part)):
        table = quote_file.parts_to_table({path: other})
        with pytest.raises(DataError, match="expected each file of the manifest once, with a part inside"):
            parts_from_table(table, dataset.files, "f")
    with pytest.raises(DataError, match="expected the columns path, head, tail, sha256"):
        parts_from_table(table.drop(["head"]), dataset.files, "f")


def test_a_check_accepts_both_layouts_and_finds_a_wrong_hash(tmp_path: Path) -> None:
    """`cme data check` of a set in parts is clean; a part whose listed hash is another is a problem of its file."""
    dataset = market(tmp_path / "set")
    assert check(dataset, lags=False).problems == ()
    assert check(in_one_order(tmp_path / "one"), lags=False).problems == ()
    wrong = replace(dataset.linear_parts[FILE], sha256="0" * 64)
    (problem,) = check(replace(dataset, linear_parts={FILE: wrong}), lags=False).problems
    assert (problem.exit_code, problem.path) == (21, FILE)


def test_parts_come_back_as_they_were_written(tmp_path: Path) -> None:
    """The list of an opened data set has heads, tails and hashes as the writer found them."""
    dataset = market(tmp_path / "set")
    again = open_dataset(dataset.path).linear_parts
    assert again == dataset.linear_parts
    data = (dataset.path / FILE).read_bytes()
    part = again[FILE]
    assert part == LinearPart(
        part.head, part.tail, quote_file.sha256(data[: part.head] + data[-part.tail :]).hexdigest()
    )
