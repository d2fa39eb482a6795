"""A quote file whose codes were exchanged has the bytes of one that was encoded whole."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.format import quote_file
from backtest.data.format.quote_file import LinearPart, in_file_order, quote_bytes_in_parts
from backtest.data.format.schema import QUOTE_SCHEMA, RECORDED_SCHEMA, Channel
from backtest.live.code_column import with_codes
from backtest.live.thrift_compact import read_struct, write_struct
from engine.records import BoolArray, IntArray


def table(rng: np.random.Generator, rows: int, instruments: int, recorded: bool = False) -> pa.Table:
    """SYNTHETIC rows by channel and time; values repeat and are absent now and then."""
    schema = RECORDED_SCHEMA if recorded else QUOTE_SCHEMA
    columns: dict[str, object] = {
        "channel": np.sort(rng.integers(0, len(Channel), rows)),
        "t_ns": np.sort(rng.integers(0, 10**9, rows)),
        "code": np.resize(rng.permutation(instruments), rows),
        "lag_ns": rng.integers(0, 9, rows),
        "refreshed": rng.random(rows) < 0.5,
    }
    values = {field.name: rng.choice([1.5, 2.25, np.nan, rng.random()], rows) for field in schema}
    given = [pa.array(columns.get(field.name, values[field.name]), field.type, from_pandas=True) for field in schema]
    return pa.table(given, schema)


def coded(whole: pa.Table, codes: IntArray) -> pa.Table:
    at = whole.schema.get_field_index("code")
    return whole.set_column(at, whole.schema.field("code"), pa.array(codes, pa.int32()))


def exchanged(rows: int, option: BoolArray, listed_before: IntArray, rng: np.random.Generator,
              recorded: bool = False) -> tuple[object, object]:  # fmt: skip
    """Return what exchanging and encoding give, once ``listed_before`` more instruments stand before each one."""
    before = table(rng, rows, len(option), recorded)
    place = np.arange(len(option)) + np.cumsum(listed_before)
    later = np.zeros(int(place.max()) + 1, dtype=bool)
    later[place] = option
    after = coded(before, place[before.column("code").to_numpy()])
    data, linear = quote_bytes_in_parts(before, option)
    codes = in_file_order(after, later).column("code").combine_chunks()
    return with_codes(data, codes, linear), quote_bytes_in_parts(after, later)


@settings(max_examples=50)
@given(st.integers(0, 400), st.integers(1, 40), st.booleans(), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 999))
def test_exchanged_codes_give_the_bytes_of_the_whole(
    rows: int, count: int, recorded: bool, options: float, seed: int
) -> None:
    """With several row groups a channel, with and without options, where nothing is listed and where 300 are."""
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quote_file, "ROW_GROUP", 30)
        found, wanted = exchanged(
            rows, rng.random(count) < options, rng.choice([0, 1, 300], count, p=[0.8, 0.1, 0.1]), rng, recorded
        )
    assert found == wanted


def test_a_chunk_of_several_pages_of_two_encodings_is_exchanged() -> None:
    """300,000 codes are too many for a dictionary page: the writer begins with one and goes on without."""
    rng = np.random.default_rng(0)
    count = 300_000
    found, wanted = exchanged(count, np.zeros(count, dtype=bool), rng.integers(0, 2, count), rng)
    assert found == wanted


def small() -> tuple[bytes, pa.Array]:
    whole = table(np.random.default_rng(1), 50, 3)
    return quote_file.quote_bytes(whole), whole.column("code").combine_chunks()


def test_another_writer_and_another_form_are_left_to_the_encoder() -> None:
    data, codes = small()
    whole = pq.read_table(pa.BufferReader(data))
    version = pa.__version__.encode()
    assert data.count(version) == 1
    assert with_codes(data.replace(version, b"9" * len(version)), codes, None) is None
    for options in ({"write_page_index": True}, {"compression": "none", "bloom_filter_options": {"code": True}}):
        sink = pa.BufferOutputStream()
        pq.write_table(whole, sink, **options)
        assert with_codes(sink.getvalue().to_pybytes(), codes, None) is None, options
    assert with_codes(b"PAR1 and no footer PAR1", codes, None) is None
    assert with_codes(data, codes, None) == (data, None)


def test_the_footer_is_read_as_pyarrow_reads_it_and_written_back() -> None:
    data, _ = small()
    size = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - size : -8]
    fields, end = read_struct(footer)
    assert (end, write_struct(fields)) == (size, footer)
    known = pq.read_metadata(pa.BufferReader(data))
    assert (fields[3][1], fields[6][1].decode()) == (known.num_rows, known.created_by)
    for at, group in enumerate(fields[4][1][1]):
        theirs = known.row_group(at)
        assert (group[2][1], group[3][1]) == (theirs.total_byte_size, theirs.num_rows)
        assert [chunk[3][1][9][1] for chunk in group[1][1][1]] == [
            theirs.column(column).data_page_offset for column in range(theirs.num_columns)
        ]


@pytest.mark.parametrize("data", [b"", b"\x15", b"\x18\x05", b"\x1b\x00", b"\x19\x11\x01\x00", b"\x15\xff"])
def test_a_struct_that_ends_early_or_has_another_type_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        read_struct(data)


@given(st.dictionaries(st.integers(1, 300), st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(lambda value: (6, value)),
    st.binary(max_size=200).map(lambda value: (8, value)),
    st.booleans().map(lambda value: (1 if value else 2, value)),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=40).map(lambda values: (9, (5, values))),
    st.integers(0, 255).map(lambda value: (3, value)),
    st.just((12, {1: (5, -1), 40: (8, b"x")})),
)))  # fmt: skip
def test_any_struct_comes_back(fields: dict[int, tuple[int, object]]) -> None:
    data = write_struct(fields)
    assert read_struct(data + b"more") == (fields, len(data))


def test_the_part_without_options_moves_with_its_codes() -> None:
    """By hand: the head of the new file is where pyarrow puts its first group of options."""
    rng = np.random.default_rng(5)
    option = np.array([False, True, False, True])
    found, _ = exchanged(200, option, np.array([300, 0, 0, 0]), rng)
    assert isinstance(found, tuple)
    data, linear = found
    assert isinstance(linear, LinearPart)
    known = pq.read_metadata(pa.BufferReader(data))
    starts = [known.row_group(at).column(0).dictionary_page_offset for at in range(known.num_row_groups)]
    assert linear.head in starts[1:]
