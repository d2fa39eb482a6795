"""Records in plain form come back as they were; anything else is refused, and no file can name code."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from backtest.tasks.serialization import RECORDS, decode, encode
from engine.errors import DataError
from engine.records import CurveHistory, ExitReason, Instruments
from tests.helpers.small_run import Tiny


def same(one: Any, other: Any) -> bool:
    """Equal in value and type, NaN equal to itself, field by field; Python's numbers may stand for NumPy's."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, Instruments):
        return one is other
    if is_dataclass(one):
        return type(one) is type(other) and all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return type(other) is tuple and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return type(other) is float and (float(one).hex() == other.hex())
    return bool(one == other) and isinstance(other, type(one))


def test_a_run_s_blocks_come_back_as_they_were(tiny: Tiny) -> None:
    """Signals, positions, counts and arrays of a whole window; the instruments are the reader's own."""
    assert len(tiny.run.signals) > 20
    for value in (tiny.run.blocks, tuple(trade.position for trade in tiny.run.history), tiny.run.fitted):
        assert same(value, decode(encode(value), {Instruments: tiny.dataset.instruments}))


def test_equal_values_give_equal_bytes(tiny: Tiny) -> None:
    """The name of a task is a hash of its arguments in plain form."""
    again = decode(encode(tiny.run.fitted))

    assert again is not tiny.run.fitted
    assert encode(again) == encode(tiny.run.fitted)
    assert encode(tiny.run.fitted[:1]) != encode(tiny.run.fitted[1:2])


@pytest.mark.parametrize("value", [0.1 + 0.2, -0.0, math.inf, -math.inf, 5e-324, 2**70, True, None, "ü\u2028", ()])
def test_atoms_come_back_bit_for_bit(value: object) -> None:
    found = decode(encode(value))
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_nan_enums_maps_with_tuples_for_keys_and_empty_arrays() -> None:
    history = CurveHistory(np.empty(0, dtype=np.int64), np.empty((0, 3)))
    value = {("C1", 2): ExitReason.VOID, ("C2", -1): math.nan, "curves": history}
    found = decode(encode(value))

    assert list(found) == list(value)
    assert found["C1", 2] is ExitReason.VOID
    assert math.isnan(found["C2", -1])
    assert found["curves"].curve.shape == (0, 3)
    assert found["curves"].curve.flags.writeable


def test_what_is_no_record_is_not_written() -> None:
    for value in (object(), {1, 2}, np.array([object()]), np.array(["2026-01-01"], dtype="M8[D]")):
        with pytest.raises(TypeError, match="expected a record"):
            encode(value)


@pytest.mark.parametrize(
    "tree",
    [
        {"record": ["Popen", ["ls"]]},
        {"record": ["Mark", [1.0]]},
        {"record": ["CurveHistory"]},
        {"enum": ["ExitReason", "burnt"]},
        {"array": ["|O", [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [2], "AAAAAAAAAAA="]},
        {"given": "Instruments"},
        {"module": "os"},
        {"map": [[{"map": []}, 1]]},
        {"record": [], "map": []},
        {},
    ],
)
def test_a_hostile_tree_is_refused(tree: object) -> None:
    with pytest.raises(DataError, match="expected a record in plain form"):
        decode(zlib.compress(json.dumps(tree).encode()))


def test_what_is_cut_or_no_json_is_refused() -> None:
    for data in (b"", encode((1, 2))[:-3], zlib.compress(b"[1,"), zlib.compress(b"[" * 100_000)):
        with pytest.raises(DataError, match="expected a record in plain form"):
            decode(data)


def test_only_frozen_records_travel() -> None:
    assert all(kind.__dataclass_params__.frozen for kind in RECORDS.values())  # type: ignore[attr-defined]
