"""Numpydoc sections as data: parameters with type, shape and bounds, what is returned, which errors are named."""

from __future__ import annotations

import ast
import inspect
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

SECTION = re.compile(r"^(Parameters|Returns|Raises|Notes|Examples|References|Warns|See Also)\n-{3,}$", re.MULTILINE)
ENTRY = re.compile(r"^(?P<names>[\w*, ]+) : (?P<what>.+)$")
SHAPE = re.compile(r", shape \((?P<shape>[^)]*)\)")
BOUND = re.compile(r", (?P<word>at least|above|at most|below) (?P<value>-?[\d.e-]+)(?![\w-])(?! long)")
RANGE = re.compile(r", in (?P<left>[\[(])(?P<low>-?[\d.]+), (?P<high>-?[\d.]+)(?P<right>[\])])")
EMPTY_WORDS = frozenset(
    re.findall(r"\w+", "a all an and are as at by for from given in is it of on or return returns s that the to with")
)


@dataclass(frozen=True, slots=True)
class Value:
    """One parameter or result: ``IntArray, shape (n,), at least 0`` in parts."""

    name: str
    kind: str
    shape: tuple[str, ...] | None
    bounds: Mapping[str, Decimal]
    optional: bool
    text: str


@dataclass(frozen=True, slots=True)
class Doc:
    """A docstring in parts; ``errors`` are the texts of the Raises section by error name."""

    summary: str
    parameters: tuple[Value, ...]
    returns: Value | None
    errors: Mapping[str, str]
    has_parameters: bool


def value_of(name: str, what: str, text: str) -> Value:
    """Return the parts of one entry's first line."""
    bounds = {match["word"]: Decimal(match["value"]) for match in BOUND.finditer(what)}
    interval = RANGE.search(what)
    if interval:
        bounds["at least" if interval["left"] == "[" else "above"] = Decimal(interval["low"])
        bounds["at most" if interval["right"] == "]" else "below"] = Decimal(interval["high"])
    shape = SHAPE.search(what)
    axes = None if shape is None else tuple(axis.strip() for axis in shape["shape"].split(",") if axis.strip())
    kind = re.split(r", (?:shape|at least|above|at most|below|in [\[(]|optional)", what)[0]
    return Value(name, kind.strip(), axes, bounds, ", optional" in what, text)


def parse(docstring: str) -> Doc:
    """Return the sections of a cleaned docstring."""
    pieces = SECTION.split(inspect.cleandoc(docstring))
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    parameters = [
        value_of(name.strip().lstrip("*"), what, text)
        for head, text in _entries(sections.get("Parameters", ""))
        if (match := ENTRY.match(head))
        for name in match["names"].split(",")
        for what in [match["what"]]
    ]
    returned = _entries(sections.get("Returns", ""))
    return Doc(
        summary=pieces[0].strip(),
        parameters=tuple(parameters),
        returns=value_of("", *returned[0]) if returned else None,
        errors=dict(_entries(sections.get("Raises", ""))),
        has_parameters="Parameters" in sections,
    )


def _entries(section: str) -> list[tuple[str, str]]:
    """Return (first line, indented text) of each entry of a section."""
    entries: list[tuple[str, str]] = []
    for line in section.strip("\n").split("\n"):
        if line and not line[0].isspace():
            entries.append((line.strip(), ""))
        elif entries and line.strip():
            head, text = entries[-1]
            entries[-1] = (head, f"{text} {line.strip()}".strip())
    return entries


def defect(function: Callable[..., Any], docstring: str) -> str | None:
    """Return what a docstring lacks, or None.  One that repeats the signature counts as missing."""
    doc = parse(docstring)
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    signature = set(_words(" ".join([function.__name__, *names]))) | EMPTY_WORDS
    if len(set(_words(doc.summary)) - signature) < 2:
        return "the summary repeats the signature"
    if names and not doc.has_parameters:
        return "no Parameters section"
    if [value.name for value in doc.parameters] != names:
        return f"expected the parameters {names}, was {[value.name for value in doc.parameters]}"
    for value in doc.parameters:
        if not set(_words(value.text)) - set(_words(f"{value.name} {value.kind}")) - EMPTY_WORDS:
            return f"the text of {value.name} repeats its name and type"
    returns_none = inspect.signature(function).return_annotation in ("None", None)
    return None if returns_none or doc.returns is not None else "no Returns section"


def _words(text: str) -> list[str]:
    """Return the words of a text in lower case, names with underscores in parts."""
    return [word.lower() for word in re.findall(r"[A-Za-z]+", text.replace("_", " "))]


OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
}


def length(axis: str, sizes: Mapping[str, int]) -> int:
    """Return the length of one axis: a number, a letter of ``sizes``, or ``2 * n``."""

    def at(node: ast.expr) -> int:
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](at(node.left), at(node.right))
        if isinstance(node, ast.Constant):
            return int(node.value)
        assert isinstance(node, ast.Name), axis
        return sizes[node.id]

    return at(ast.parse(axis, mode="eval").body)
