"""Rows of quote files: what another program may have written wrongly is refused by file, channel and field."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtest.data.format.quote_file import quote_bytes
from backtest.data.format.schema import QUOTE_SCHEMA, Channel
from backtest.data.panels.asof import Quotes
from backtest.data.panels.rows import DayBounds, Rows, read_parts
from engine.errors import DataError
from engine.units import NS_PER_DAY

DAY = 20_000
BOUNDS = DayBounds(DAY, np.zeros(2, dtype=np.bool_))


def stored(t_ns: list[int], code: list[int], schema: pa.Schema = QUOTE_SCHEMA) -> bytes:
    """The bytes of a quote file with mark rows, written without any check."""
    rows = [
        {"channel": int(Channel.MARK), "t_ns": DAY * NS_PER_DAY + t, "code": c, "mark": 1.0 + t}
        for t, c in zip(t_ns, code, strict=True)
    ]
    table = pa.Table.from_pylist(rows, QUOTE_SCHEMA)
    if schema is QUOTE_SCHEMA:
        return quote_bytes(table)
    sink = pa.BufferOutputStream()
    pq.write_table(table.select(schema.names).cast(schema), sink)
    return sink.getvalue().to_pybytes()


def test_rows_are_read_as_stored() -> None:
    """Times, codes and values of the channel; a code that is not wanted is left out."""
    (part,) = read_parts(stored([1, 5, 5], [1, 0, 1]), "f", np.array([False, True]), BOUNDS)
    rows = part[Channel.MARK]
    assert rows.t_ns.tolist() == [DAY * NS_PER_DAY + 1, DAY * NS_PER_DAY + 5]
    assert rows.code.tolist() == [1, 1]
    assert rows.value["mark"].tolist() == [2.0, 6.0]


@pytest.mark.parametrize(
    ("t_ns", "code", "message"),
    [
        ([5, 1], [0, 0], "expected rows in the order of time"),
        ([-1, 1], [0, 0], "expected t_ns inside UTC day 20000"),
        ([1, NS_PER_DAY], [0, 0], "expected t_ns inside UTC day 20000"),
        ([1, 2], [0, 2], "expected codes under 2, was 0 to 2"),
        ([1, 2], [-1, 0], "expected codes under 2, was -1 to 0"),
    ],
)
def test_rows_that_a_join_would_take_for_others_are_refused(t_ns: list[int], code: list[int], message: str) -> None:
    """Order, day and codes, with the file and the channel."""
    with pytest.raises(DataError, match=f"^f, channel MARK: {message}"):
        read_parts(stored(t_ns, code), "f", None, BOUNDS)


def test_order_is_checked_across_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later group of one channel that begins before the end of the earlier one."""
    monkeypatch.setattr("backtest.data.format.quote_file.ROW_GROUP", 2)
    assert len(read_parts(stored([1, 2, 2, 3], [0, 0, 1, 1]), "f", None, BOUNDS)) == 2
    with pytest.raises(DataError, match="in the order of time"):
        read_parts(stored([2, 3, 1, 2], [0, 0, 1, 1]), "f", None, BOUNDS)


def test_other_columns_or_types_are_refused() -> None:
    """A column too few, a time of 32 bits: the schema is named."""
    fewer = pa.schema([field for field in QUOTE_SCHEMA if field.name != "rate"])
    other = QUOTE_SCHEMA.set(2, pa.field("code", pa.int64(), nullable=False))
    for schema in (fewer, other):
        with pytest.raises(DataError, match=r"^f: expected the columns"):
            read_parts(stored([1], [0], schema), "f", None, BOUNDS)


def test_rows_and_quotes_of_another_shape_or_dtype_are_refused_by_the_field_s_name() -> None:
    """Each field by its own name, values by the name of the column."""
    t_ns, code, mark = np.arange(3), np.zeros(3, np.int32), np.ones(3)
    assert len(Rows(t_ns, code, {"mark": mark})) == 3
    for wrong, name in (
        ((t_ns.astype(float), code, {"mark": mark}), "t_ns"),
        ((t_ns, code.astype(np.int64), {"mark": mark}), "code"),
        ((t_ns, code[:2], {"mark": mark}), "code"),
        ((t_ns, code, {"mark": mark[:2]}), r"value\['mark'\]"),
        ((t_ns, code, {"mark": mark, "index": mark.astype(np.float32)}), r"value\['index'\]"),
    ):
        with pytest.raises(DataError, match=rf"^Rows\.{name}: expected "):
            Rows(*wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"^Quotes\.value\['bid'\]: expected float64 of shape \(2, 3\), was "):
        Quotes(np.zeros((2, 3), np.int64), {"bid": np.zeros((3, 2))})
