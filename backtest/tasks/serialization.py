"""Records as plain text and back: how the parts of a run travel between processes and rest on the disk.  [S8.5, S8.6]

    encode(value) -> bytes      compressed JSON: equal values give equal bytes
    decode(bytes, {Instruments: dataset.instruments}) -> value

Nothing read can name code: a record is built only if its class stands in `RECORDS`.  Floats are written as their
shortest text and come back bit for bit; tuples and lists come back as tuples, NumPy scalars as Python's.

    {"record": [name, [field, ...]]}  {"enum": [name, value]}  {"map": [[key, value], ...]}
    {"array": [dtype, shape, base64 of its bytes]}  {"given": name}, an object both sides hold already
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, Final

import numpy as np

from backtest.folds.curve_study import CurveStudy
from backtest.records import Plan
from engine.constraints.registered_inputs import InputReading
from engine.errors import DataError
from engine.params import CurveFit, Fitted
from engine.positions.base import DayMark, Funding, LegMark, LegQuote, OpenPosition, Position, Signal, Trigger
from engine.records import CostModel, CurveHistory, ExitReason, Instruments
from engine.replay import Block, Reading, Replay, ReplayState
from engine.repricing.base import ContractRanks, PlaceboEarnings, SourceSignals
from engine.signals.emit import EmitState
from engine.signals.episodes import Episode

# A closed list: a type is looked up here and never imported by its name, as pickle does.
RECORDS: Final[Mapping[str, type]] = {
    kind.__name__: kind
    for kind in (
        LegQuote, Signal, Funding, DayMark, Trigger, Position, LegMark, OpenPosition, Episode, EmitState, CurveHistory,
        ReplayState, Reading, InputReading, Block, Replay, CurveFit, Fitted, CurveStudy, SourceSignals,
        PlaceboEarnings, ContractRanks, Plan,
    )
}  # fmt: skip
ENUMS: Final[Mapping[str, type[Enum]]] = {kind.__name__: kind for kind in (ExitReason, CostModel)}
GIVEN: Final = (Instruments,)
"""What is large, and the same wherever the data set is: it stands as its name."""
_FIELDS: Final = {kind: tuple(field.name for field in fields(kind)) for kind in RECORDS.values()}
_ATOMS: Final = frozenset((str, bool, int, float, type(None)))
_ARRAYS: Final = "biuf"


def encode(value: object) -> bytes:
    """Return ``value`` in plain form.  Raises ``TypeError`` for what is neither a record nor made of them."""
    return zlib.compress(json.dumps(_tree(value), separators=(",", ":")).encode("ascii"), 1)


def decode(data: bytes, given: Mapping[type[Any], object] | None = None) -> Any:
    """Return the value of ``data``; ``given`` holds the objects that stand as their names.

    Raises ``DataError`` (4) for anything `encode` does not write.
    """
    try:
        tree = json.loads(zlib.decompress(data))
        return _value(tree, {kind.__name__: known for kind, known in (given or {}).items()})
    except (ValueError, TypeError, KeyError, zlib.error, RecursionError) as problem:
        raise DataError(f"expected a record in plain form, was {problem!r:.300}") from problem


def _tree(value: Any) -> Any:
    kind = type(value)
    # By exact type: an IntEnum is an int too, and must come back as itself.
    if kind in _ATOMS:
        return value
    if kind is tuple or kind is list:
        return [_tree(item) for item in value]
    if kind in _FIELDS:
        return {"record": [kind.__name__, [_tree(getattr(value, name)) for name in _FIELDS[kind]]]}
    if isinstance(value, Enum):
        return {"enum": [kind.__name__, value.value]}
    if isinstance(value, Mapping):
        return {"map": [[_tree(key), _tree(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray) and value.dtype.kind in _ARRAYS:
        data = np.ascontiguousarray(value).data
        return {"array": [value.dtype.str, list(value.shape), b64encode(data).decode("ascii")]}
    if isinstance(value, np.generic) and value.dtype.kind in _ARRAYS:
        return value.item()
    if kind in GIVEN:
        return {"given": kind.__name__}
    raise TypeError(f"expected a record, was {kind.__name__}: add it to backtest.tasks.serialization.RECORDS")


def _value(tree: Any, given: Mapping[str, object]) -> Any:
    kind = type(tree)
    if kind in _ATOMS:
        return tree
    if kind is list:
        return tuple([_value(item, given) for item in tree])
    ((tag, body),) = tree.items()
    if tag == "record":
        name, values = body
        record = RECORDS[name]
        # Fields are known by their order only, so a record of another version is refused.
        if len(values) != len(_FIELDS[record]):
            raise ValueError(f"{name} of {len(values)} fields")
        return record(*[_value(item, given) for item in values])
    if tag == "map":
        return {_value(key, given): _value(item, given) for key, item in body}
    if tag == "enum":
        return ENUMS[body[0]](body[1])
    if tag == "given":
        return given[body]
    if tag == "array":
        return _array(*body)
    raise ValueError(f"tag {tag!r}")


def _array(dtype: str, shape: list[int], text: str) -> np.ndarray[Any, Any]:
    kind = np.dtype(dtype)
    # The bytes of an object array are addresses.
    if kind.kind not in _ARRAYS:
        raise ValueError(f"dtype {dtype!r}")
    # On a `bytearray`, because an array on the bytes themselves cannot be written to.
    return np.frombuffer(bytearray(b64decode(text, validate=True)), dtype=kind).reshape(shape)
