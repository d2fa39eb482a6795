"""Arguments made from what a docstring states: right ones, and one wrong in dtype, shape, type or bound."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from backtest.records import Plan
from hypotheses.records import Answer, Interval, Proportion
from hypotheses.sensitivity import resampling
from hypotheses.statistics import bootstrap, capacity, exceedances, inference, studentised
from tests.helpers.numpydoc import Value, length

SIZES = {"n": 24, "labels": 24, "draws": 7, "m": 14, "k": 3, "q": 4, "T": 12, "N": 5}
"""A length for each letter of a shape; a parameter of that name has that value."""

NAMED = {"alpha": "0.05", "level": "0.95", "power": "0.8", "prob": "0.95", "sharpe": "3", "ratio": "0.1"}
"""Values of numbers that have to go together: a power above its level, a ratio other than its benchmark."""

DTYPES = {
    "IntArray": np.int64,
    "FloatArray": np.float64,
    "BoolArray": np.bool_,
    "WordArray": np.uint64,
    "CodeArray": np.int32,
    "ByteArray": np.uint8,
}
NUMBERS: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "Decimal": Decimal, "Fraction": Fraction}
ENTRIES = re.compile(r"(?:list|tuple)(?:\[(.+)\]| of (\w+))")
SEQUENCE = re.compile(r"(?:Sequence|list|tuple)\[(\w+)(?:, \.\.\.)?\]")


def _bits(replicate: int) -> np.random.PCG64:
    return np.random.PCG64(replicate)


def _blocks() -> bootstrap.Blocks:
    return bootstrap.blocks(SIZES["n"], Decimal(3), SIZES["draws"], _bits)


def _series() -> np.ndarray:
    return np.arange(SIZES["n"], dtype=np.int64) * 37 % 23 - 9


def _books() -> list[capacity.Book]:
    return [capacity.Book(Decimal(4), Decimal(50_000)), capacity.Book(Decimal(2), Decimal(9_000))]


def _demand(edge_bps: int = 20) -> capacity.Demand:
    return capacity.Demand(Decimal(edge_bps), {0: Decimal(1), 1: Decimal("0.5")})


def _demand_on(book: int, weight: Decimal = Decimal(1)) -> capacity.Demand:
    return capacity.Demand(Decimal(20), {book: weight})


RECORDS: dict[str, Callable[[], Any]] = {
    "Bits": lambda: _bits,
    "Blocks": _blocks,
    "Studentised": lambda: studentised.sharpe_t(_series(), _blocks()),
    "Inference": lambda: inference.infer_sharpe(_series(), 99, _bits, Decimal(1)),
    "Moments": lambda: exceedances.moments_of(_series()[None, :]),
    "Demand": _demand,
    "Sequence[Demand]": lambda: [_demand(20), _demand(12)],
    "Sequence[Book]": _books,
    "Interval": lambda: Interval(Decimal("0.5"), Decimal("2.5")),
    "Proportion": lambda: Proportion(3, 100),
    "Answer": lambda: Answer.SUPPORTED,
    "Statistic": lambda: resampling.sharpe,
    "number": lambda: Decimal("1e-30"),
    "Plan": lambda: Plan(t0_ns=0, t1_ns=20, history_ns=-10, folds=2, fold_ns=10, gap_ns=1, embargo_ns=0),
}

WRONG_RECORDS: dict[str, Callable[[], list[Any]]] = {
    "Demand": lambda: [_demand_on(7), _demand_on(0, Decimal(-1))],
    "Sequence[Demand]": lambda: [[_demand(), _demand_on(7)], [_demand_on(0, Decimal(0))]],
    # neither one observed series, nor series as long as those of the valid argument
    "Moments": lambda: [exceedances.moments_of(np.stack([_series()[1:], _series()[1:]]))],
}
"""Records that a function may refuse: books that do not exist, series of another number or length."""


def can_make(value: Value) -> bool:
    """Return whether `make` knows the type; an optional parameter is left out and needs no maker."""
    kind = value.kind.removesuffix(" or None")
    sequence = SEQUENCE.fullmatch(kind)
    return (
        value.optional
        or kind in RECORDS
        or kind in NUMBERS
        or kind in ("bool", "str", "Matrix")
        or (kind in DTYPES and value.shape is not None)
        or (sequence is not None and sequence[1] in NUMBERS and value.shape is not None)
    )


def make(value: Value, rng: np.random.Generator) -> Any:
    """Return an argument of the stated type, shape and bounds."""
    kind = value.kind.removesuffix(" or None")
    if (kind, value.name) == ("Moments", "drawn"):
        return exceedances.moments_of(rng.integers(-9, 9, (SIZES["m"], SIZES["n"])))
    if kind in RECORDS:
        return RECORDS[kind]()
    if kind in NUMBERS:
        return SIZES[value.name] if value.name in SIZES and kind == "int" else NUMBERS[kind](_within(value, kind))
    if kind in ("bool", "str"):
        return kind == "bool" or "BTC"
    shape = tuple(length(axis, SIZES) for axis in value.shape or ())
    if kind == "Matrix":
        # a dominant diagonal: every such system has a solution
        rows = rng.integers(1, 5, shape) + (40 * np.eye(*shape, dtype=np.int64) if len(shape) == 2 else 0)
        return np.vectorize(lambda x: Decimal(int(x)), otypes=[object])(rows)
    if value.name == "block":
        # numbers of blocks of a few days each: a block of one day has no variance
        return np.arange(*shape, dtype=np.int64) // 6
    if value.name == "t1_ns":
        # a label ends after every one has begun
        return rng.integers(SIZES["labels"], 2 * SIZES["labels"], shape)
    if kind in DTYPES:
        if kind == "FloatArray":
            return rng.normal(size=shape)
        # under n, so that an array of day numbers names days; words fill their 64 bits
        return rng.integers(
            0, 2**63 if kind == "WordArray" else 2 if kind == "BoolArray" else SIZES["n"], shape
        ).astype(DTYPES[kind])
    sequence = SEQUENCE.fullmatch(kind)
    assert sequence is not None, kind
    number = _within(value, sequence[1])
    return [
        NUMBERS[sequence[1]](number) + (i if number >= 1 and not value.bounds.get("at most") else 0)
        for i in range(*shape)
    ]


def _within(value: Value, kind: str) -> Decimal | int:
    """Return a number inside the bounds: the middle of two, one above a lower one."""
    if value.name in NAMED:
        return Decimal(NAMED[value.name])
    low = value.bounds.get("at least", value.bounds.get("above"))
    high = value.bounds.get("at most", value.bounds.get("below"))
    if low is not None and high is not None:
        return (low + high) / 2
    if low is not None:
        return low + 1
    if high is not None:
        return high - 1
    return 2 if kind == "int" else Decimal("0.5")


def wrong_ones(value: Value, right: Any) -> list[Any]:
    """Return arguments that the stated type, shape or bounds exclude; empty where nothing is stated that can be."""
    kind = value.kind.removesuffix(" or None")
    if kind in WRONG_RECORDS:
        return WRONG_RECORDS[kind]()
    if kind in DTYPES:
        other = np.float64 if DTYPES[kind] != np.float64 else np.int64
        return [right.astype(other), right[None], right.tolist()]
    if kind == "Matrix":
        return [right[:-1]]
    if kind in NUMBERS:
        wrong: list[Any] = ["1"]
        wrong += [] if kind == "float" else [0.5] if kind != "int" else [2.5]
        convert = NUMBERS[kind]
        for word, bound in value.bounds.items():
            step = Decimal(0) if word in ("above", "below") else Decimal(1)
            wrong.append(convert(bound - step if word in ("at least", "above") else bound + step))
        return wrong
    sequence = SEQUENCE.fullmatch(kind)
    if sequence is not None and sequence[1] in ("Decimal", "Fraction"):
        return [[0.5, *right[1:]]]
    return []


def fits(value: Value, result: Any) -> str | None:
    """Return how a result differs from what is stated of it, or None."""
    kind = value.kind
    if kind.endswith(" or None"):
        if result is None:
            return None
        kind = kind.removesuffix(" or None")
    if kind.startswith("tuple[") and "Array" in kind:
        parts = kind[6:-1].split(", ")
        if not isinstance(result, tuple) or len(result) != len(parts):
            return f"expected {kind}, was {type(result).__name__}"
        inner = [fits(Value("", part, value.shape, {}, False, ""), x) for part, x in zip(parts, result, strict=True)]
        return next((problem for problem in inner if problem), None)
    shape = None if value.shape is None else tuple(length(axis, SIZES) for axis in value.shape)
    if kind in DTYPES or kind == "Matrix":
        if not isinstance(result, np.ndarray) or (kind in DTYPES and result.dtype != DTYPES[kind]):
            return f"expected {kind}, was {getattr(result, 'dtype', type(result).__name__)}"
        return None if result.shape == shape else f"expected shape {shape}, was {result.shape}"
    if shape is not None and len(result) != shape[0]:
        return f"expected {shape[0]} entries, was {len(result)}"
    if not _is_a(re.split(r"\[| of ", kind)[0], result):
        return f"expected {kind}, was {type(result).__name__}"
    return _entries(kind, result)


def _entries(kind: str, result: Any) -> str | None:
    """Return how the entries of a stated list or tuple differ from what is stated of them, or None."""
    match = ENTRIES.match(kind)
    if match is None:
        return None
    stated = (match[1] or match[2]).split(", ")
    if kind.startswith("tuple[") and stated[-1] != "...":
        if len(result) != len(stated):
            return f"expected {kind}, was {len(result)} entries"
    else:
        stated = stated[:1] * len(result)
    wrong = [entry for name, entry in zip(stated, result, strict=True) if not _is_a(name, entry)]
    return f"expected {kind}, was an entry {wrong[0]!r}" if wrong else None


def _is_a(name: str, value: Any) -> bool:
    return name in {base.__name__ for base in type(value).__mro__}
