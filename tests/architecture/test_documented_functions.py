"""What docstrings state holds: a seeded sample of functions called as stated, and with one argument wrong.

A function is drawn if its docstring has a Parameters section in numpydoc form whose types can be made here, and its
Raises section names a parameter that it refuses.  [house "How it is written"]
"""

from __future__ import annotations

import importlib
import inspect
import random
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import CmeError
from tests.helpers import numpydoc
from tests.helpers.documented_arguments import can_make, fits, make, wrong_ones

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("engine", "backtest", "hypotheses")
SAMPLE = 60
SEED = 20261130

COMPLETE = ("hypotheses/statistics",)
"""Folders in which every public function has the sections; the others have them at their doors."""


def public_functions(*folders: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield (name, function) of every public function that a file of the folders defines at its top level."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if folder in FLOORS and "\n    Parameters\n    -----" not in text:
                continue
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            for name, function in vars(module).items():
                plain = inspect.unwrap(function) if callable(function) else function
                if inspect.isfunction(plain) and plain.__module__ == module.__name__ and not name.startswith("_"):
                    yield f"{module.__name__}.{name}", plain


def refusable(doc: numpydoc.Doc) -> list[tuple[numpydoc.Value, str]]:
    """Return the parameters that the first error of the Raises section names: the error of a wrong argument."""
    return [
        (value, error)
        for value in doc.parameters
        for error, text in list(doc.errors.items())[:1]
        if f"``{value.name}``" in text
        and not value.optional
        and wrong_ones(value, make(value, np.random.default_rng(0)))
    ]


def drawable() -> dict[str, tuple[Callable[..., Any], numpydoc.Doc]]:
    """Return the functions from which the sample is drawn, by name: they return a value and refuse another."""
    functions = {}
    for name, function in public_functions(*FLOORS):
        doc = numpydoc.parse(function.__doc__ or "")
        if (
            doc.returns is not None
            and doc.parameters
            and all(can_make(value) for value in doc.parameters)
            and refusable(doc)
        ):
            functions[name] = (function, doc)
    return functions


POOL = drawable()
DRAWN = sorted(random.Random(SEED).sample(sorted(POOL), min(SAMPLE, len(POOL))))


def check_as_stated(function: Callable[..., Any], doc: numpydoc.Doc, seed: int) -> None:
    """Call a function with stated arguments and one wrong one; raise AssertionError where it does otherwise."""
    rng = np.random.default_rng(seed)
    arguments = {value.name: make(value, rng) for value in doc.parameters if not value.optional}
    result = function(**arguments)
    assert doc.returns is not None, f"{function.__name__}: states no result"
    assert result is not None, f"{function.__name__}: no result of arguments that are as stated"
    problem = fits(doc.returns, result)
    assert problem is None, f"{function.__name__}: {problem}"

    candidates = refusable(doc)
    value, error = candidates[rng.integers(len(candidates))]
    for wrong in wrong_ones(value, arguments[value.name]):
        raised: BaseException | None = None
        try:
            function(**{**arguments, value.name: wrong})
        except (CmeError, ValueError) as problem_raised:
            raised = problem_raised
        assert type(raised).__name__ == error, f"{function.__name__}({value.name}={wrong!r}): {raised!r}"
        assert re.search(rf"\b{value.name}\b", str(raised)), f"{function.__name__}: no {value.name} in {raised}"


def test_the_sample_is_as_large_as_the_house_asks() -> None:
    """Sixty functions, drawn by one fixed seed from all that state enough to be called."""
    assert len(DRAWN) == SAMPLE


@pytest.mark.parametrize("name", DRAWN)
def test_a_function_does_what_its_docstring_states(name: str) -> None:
    """The stated shapes give the stated result; a wrong dtype, shape, type or value gives the stated error."""
    function, doc = POOL[name]
    check_as_stated(function, doc, zlib.crc32(name.encode()))


@pytest.mark.parametrize("folder", COMPLETE)
def test_every_public_function_says_more_than_its_signature(folder: str) -> None:
    """Parameters in the order of the signature, a text for each, what is returned."""
    defects = {name: numpydoc.defect(function, function.__doc__ or "") for name, function in public_functions(folder)}

    assert {name: problem for name, problem in defects.items() if problem} == {}


def double(values: np.ndarray) -> np.ndarray:
    """Return twice the values, for the tests below.

    Parameters
    ----------
    values : FloatArray, shape (n,)
        Numbers to be doubled.

    Returns
    -------
    FloatArray, shape (n,)
        Twice as much.

    Raises
    ------
    UsageError
        If ``values`` is not float64.
    """
    return values * 2


def test_what_is_not_refused_is_seen() -> None:
    """`double` refuses nothing, whatever it states."""
    with pytest.raises(AssertionError, match="double"):
        check_as_stated(double, numpydoc.parse(double.__doc__ or ""), 1)


def test_another_shape_than_stated_is_seen() -> None:
    """The stated result has two axes, the real one has one."""
    text = (double.__doc__ or "").replace(
        "    FloatArray, shape (n,)\n        Twice", "    FloatArray, shape (n, n)\n        Twice"
    )

    with pytest.raises(AssertionError, match=r"expected shape \(24, 24\), was \(24,\)"):
        check_as_stated(double, numpydoc.parse(text), 1)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("Return twice the values, for the tests below.", "Return the double of values.", "repeats the signature"),
        ("Numbers to be doubled.", "The values, a FloatArray.", "repeats its name and type"),
        ("values : FloatArray, shape (n,)\n        N", "value : FloatArray, shape (n,)\n        N", "expected the par"),
        ("Returns\n    -------", "Result\n    ------", "no Returns"),
        ("Parameters\n    ----------", "Arguments\n    ---------", "no Parameters"),
    ],
)
def test_a_docstring_that_says_nothing_is_seen(old: str, new: str, problem: str) -> None:
    """Each part of a docstring is missed when it is gone."""
    text = (double.__doc__ or "").replace(old, new)
    assert text != double.__doc__

    assert problem in (numpydoc.defect(double, text) or "")
    assert numpydoc.defect(double, double.__doc__ or "") is None


def pairs(values: np.ndarray) -> list[int]:
    """Return integers where decimals are stated, for the test below.

    Parameters
    ----------
    values : FloatArray, shape (n,)
        Numbers.

    Returns
    -------
    list[Decimal], shape (n,)
        One number a value.

    Raises
    ------
    UsageError
        If ``values`` is not float64.
    """
    return [0] * len(values)


def test_an_entry_of_another_type_is_seen() -> None:
    """A list is checked entry by entry, not only by its length."""
    with pytest.raises(AssertionError, match="pairs: expected list"):
        check_as_stated(pairs, numpydoc.parse(pairs.__doc__ or ""), 1)
