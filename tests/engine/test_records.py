"""Instruments and panels are refused where they are made if a column is of another shape, dtype or order."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from engine.errors import DataError
from engine.records import Instruments, Panel
from tests.helpers.builders import instruments, panel, quote, spot

TABLE = instruments(spot("okx:BTCUSDC"), spot("okx:BTCUSDT"))
PANEL = panel(TABLE, {name: quote(90_000.0) for name in TABLE.name}, rows=3)
ARRAYS = [field.name for field in fields(Panel) if isinstance(getattr(PANEL, field.name), np.ndarray)]
COLUMNS = [field.name for field in fields(Instruments)]


@pytest.mark.parametrize("name", ARRAYS)
def test_a_panel_of_another_shape_or_dtype_is_refused_by_the_field_s_name(name: str) -> None:
    """One row or column fewer, one axis fewer, another number type, a list: each field by its own name."""
    array = getattr(PANEL, name)
    wrong = [array.astype(np.float32), array[..., None], array.tolist()]
    wrong += [] if array.ndim == 1 else [array[:-1], array[:, :-1], array.T]
    for value in wrong:
        with pytest.raises(DataError, match=rf"^Panel\.{name}: expected (float64|int64|int32) of shape "):
            replace(PANEL, **{name: value})


def test_the_axes_of_a_panel_ascend_and_its_codes_are_rows_of_the_table() -> None:
    """Times in order, each once; codes in order, none outside the table of instruments."""
    for name, value in (("times_ns", PANEL.times_ns[::-1]), ("times_ns", PANEL.times_ns[[0, 0, 1]]),
                        ("code", PANEL.code[::-1]), ("code", PANEL.code[[0, 0]])):  # fmt: skip
        with pytest.raises(DataError, match=rf"^Panel\.{name}: expected strictly ascending values, was "):
            replace(PANEL, **{name: value})
    for code in ([-1, 0], [1, 2]):
        with pytest.raises(DataError, match=r"^Panel\.code: expected codes from 0 to 1, was "):
            replace(PANEL, code=np.array(code, dtype=np.int32))


@pytest.mark.parametrize("name", COLUMNS)
def test_instruments_of_another_length_or_dtype_are_refused_by_the_field_s_name(name: str) -> None:
    """A text column is a tuple as long as the others, an array has its dtype."""
    column = getattr(TABLE, name)
    wrong = [column[:1], list(column)] if isinstance(column, tuple) else [column[:1], column.astype(np.complex128)]
    for value in wrong:
        changed = "venue" if name == "name" and len(value) == 1 else name
        with pytest.raises(DataError, match=rf"^Instruments\.{changed}: expected "):
            replace(TABLE, **{name: value})


def test_a_panel_without_rows_or_columns_is_a_panel() -> None:
    """Nothing listed, no grid time: the shapes agree."""
    none = {name: getattr(PANEL, name)[:, :0] for name in ARRAYS if getattr(PANEL, name).ndim == 2}
    assert replace(PANEL, code=PANEL.code[:0], **none).shape == (3, 0)
    none = {name: getattr(PANEL, name)[:0] for name in ARRAYS if getattr(PANEL, name).ndim == 2}
    assert replace(PANEL, times_ns=PANEL.times_ns[:0], **none).shape == (0, 2)
