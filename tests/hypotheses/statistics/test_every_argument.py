"""Every public judging function refuses what people give by mistake, and names the argument.

Floats for units of 1e-9, NaN, no draws, an empty list of trials, a level of 95, None for a record.  The arguments are
made from the docstrings, so a function that is added is walked too.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from backtest.records import Plan
from engine.errors import CmeError, DataError
from tests.architecture.test_documented_functions import public_functions
from tests.helpers import numpydoc
from tests.helpers.documented_arguments import NUMBERS, RECORDS, SEQUENCE, make
from tests.hypotheses.cases import stats

NAN = float("nan")
USED = "dict[int, Decimal]"

FREE = {
    "holm.p": "no p-value gives no adjusted one",
    "common_blocks.bits": "a stream, handed on to `blocks`",
    "require_books.demands": "no signal names no book",
    "require_books.books": "the check itself",
    "lemke.zero": "of the type of the entries",
    "joint_power.ratios": "no ratio gives no power",
    "naive.demands": "a window without signals earns 0",
    "greedy.demands": "a window without signals earns 0",
    "joint.demands": "a window without signals earns 0",
}
"""Function and parameter -> why an empty sequence, or any value, is right there."""


def functions() -> dict[str, tuple[Any, numpydoc.Doc]]:
    found = dict(public_functions("hypotheses/statistics"))
    return {name: (function, numpydoc.parse(function.__doc__ or "")) for name, function in found.items()}


ALL = functions()


def bad_values(value: numpydoc.Value, right: Any) -> Iterator[Any]:
    """Yield what people give by mistake for one parameter."""
    kind, sequence = value.kind.removesuffix(" or None"), SEQUENCE.fullmatch(value.kind.removesuffix(" or None"))
    if kind in ("IntArray", "WordArray"):
        floats = right.astype(np.float64) / 1e9
        yield from (floats, np.full_like(floats, NAN), right.tolist(), right.astype(np.int32), None)
    elif kind == "FloatArray":
        spoilt = right.copy()
        spoilt.flat[-1] = NAN
        yield from (spoilt, np.where(np.isnan(spoilt), np.inf, spoilt), right.tolist(), None)
    elif kind == "Matrix":
        spoilt = right.copy()
        spoilt.flat[-1] = Decimal("NaN")
        yield spoilt
    elif kind in NUMBERS:
        yield from (NUMBERS[kind]("nan") if kind in ("float", "Decimal") else NAN, None, "0.5", True)
        if kind != "float":
            yield 0.5
        if kind in ("float", "Decimal"):
            yield NUMBERS[kind]("inf")
        if "above" in value.bounds and "below" in value.bounds:
            yield NUMBERS[kind](95)
        if value.bounds.get("at least") == 1:
            yield NUMBERS[kind](0)
    elif sequence is not None and sequence[1] in NUMBERS:
        yield from ([], [*right[:-1], NAN], [*right[:-1], None])
        if sequence[1] != "float":
            yield [*right[:-1], 0.5]
    elif kind == USED:
        yield from ({0: 0.5}, {0: Decimal("NaN")}, {0: Decimal(-1)})
    elif kind in RECORDS and kind != "number":
        yield [None] if kind.startswith("Sequence") else None


def cases() -> Iterator[Any]:
    for name, (_, doc) in sorted(ALL.items()):
        for value in doc.parameters:
            if f"{name.rpartition('.')[2]}.{value.name}" not in FREE and value.kind != "object":
                yield pytest.param(name, value, id=f"{name.removeprefix('hypotheses.statistics.')}({value.name})")


@pytest.mark.parametrize(("name", "value"), list(cases()))
def test_a_wrong_argument_is_refused_by_its_name(name: str, value: numpydoc.Value) -> None:
    """No number comes back, and the message begins with the parameter, or with its entry or field."""
    function, doc = ALL[name]
    rng = np.random.default_rng(7)
    needed = [each for each in doc.parameters if not each.optional or each.name == value.name]
    right = {each.name: {} if each.kind == USED else make(each, rng) for each in needed}
    wrong = list(bad_values(value, right[value.name]))
    assert wrong or value.optional or value.kind == "str", f"{name}: no bad value is known for {value.kind}"
    for given in wrong:
        with pytest.raises(CmeError) as raised:
            function(**{**right, value.name: given})
        message = str(raised.value)
        assert message.startswith((f"{value.name}:", f"{value.name}[")), f"{value.name}={given!r}: {message}"
        assert len(message) < 400


def test_what_is_excepted_is_there() -> None:
    """An exception for a function or parameter that is gone is dropped."""
    known = {f"{name.rpartition('.')[2]}.{value.name}" for name, (_, doc) in ALL.items() for value in doc.parameters}

    assert set(FREE) <= known


PLAN: dict[str, Any] = {
    "t0_ns": 0, "t1_ns": 20, "history_ns": -10, "folds": 2, "fold_ns": 10, "gap_ns": 1, "embargo_ns": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", PLAN)
@pytest.mark.parametrize("given", [NAN, 0.5, "7", None, True, -(10**18)])
def test_an_inconsistent_plan_is_refused(name: str, given: Any) -> None:
    """A float, NaN, text, a flag, and a time or count that contradicts the others; history may begin at any time."""
    if name == "history_ns" and given == -(10**18):
        return
    with pytest.raises(DataError, match=rf"^Plan\.({name}|t1_ns|history_ns): expected "):
        Plan(**{**PLAN, name: given})


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *((name, x) for name in ("alpha", "level", "n2_extend_level") for x in (Decimal(95), Decimal("NaN"), 0.95)),
        *((name, x) for name in ("n2_draws", "bootstrap_draws") for x in (0, -1, 99.0)),
        ("level", Decimal(1)),
        ("alpha", Decimal(0)),
        ("sharpe_claim", Decimal("NaN")),
        ("tied_relative", Decimal("Infinity")),
        ("n2_missing_share", Decimal("1.5")),
        ("bootstrap_discard_share", Fraction(1, 2)),
    ],
)
def test_registered_numbers_of_another_kind_are_refused(name: str, given: Any) -> None:
    """A level of 95, NaN, a binary float, no draws."""
    with pytest.raises(DataError, match=rf"^Stats\.{name}: expected "):
        stats(**{name: given})
