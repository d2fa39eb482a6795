"""Mutants of a Python file: one wrong sign, rounding, order or bound each, by operator over every line.  [risk.md 15]

    sign      + for -, - for +, a lost minus
    rounding  floor for ceil and back, half away for half even, truncation for floor
    ordering  min for max, left for right of a search, a sort the other way round
    boundary  < for <=, == for !=, an integer one more, `and` for `or`

A mutant is one change of one node of the syntax tree.  Left out: docstrings, annotations, imports, the text of errors
(what a `raise` builds) and enumerations' numbers, which name and do not compute.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the file, its line and text, the operator and what it does; ``number`` counts within the file."""

    file: str
    number: int
    line: int
    text: str
    operator: str
    change: str


_Change = tuple[int, str, str, Callable[[], None]]
"""Line, operator, change, and what changes the tree."""
COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
            ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}  # fmt: skip
SIGNS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr}
NAMES = {
    "div_ceil": ("rounding", "div_trunc"), "div_trunc": ("rounding", "div_ceil"),
    "div_half_away": ("rounding", "div_half_even"), "div_half_even": ("rounding", "div_half_away"),
    "mul_div_floor": ("rounding", "mul_div_ceil"), "mul_div_ceil": ("rounding", "mul_div_floor"),
    "shares_floor": ("rounding", "shares_half_even"), "floor": ("rounding", "ceil"), "ceil": ("rounding", "floor"),
    "min": ("ordering", "max"), "max": ("ordering", "min"), "minimum": ("ordering", "maximum"),
    "maximum": ("ordering", "minimum"), "argmin": ("ordering", "argmax"), "argmax": ("ordering", "argmin"),
    "bisect_left": ("ordering", "bisect_right"), "bisect_right": ("ordering", "bisect_left"),
    "any": ("boundary", "all"), "all": ("boundary", "any"),
}  # fmt: skip
"""Names called, and the one that a mutant calls; functions of ours have the same arguments as their twins."""


def mutants_of(path: Path, root: Path) -> list[Mutant]:
    """Return the mutants of a file in the order of its tree."""
    text = path.read_text(encoding="utf-8")
    lines, file = text.splitlines(), path.relative_to(root).as_posix()
    return [
        Mutant(file, number, line, lines[line - 1].strip(), operator, change)
        for number, (line, operator, change, _) in enumerate(_changes(ast.parse(text)))
    ]


def mutated(path: Path, number: int) -> str:
    """Return the text of a file with its mutant ``number``; comments are lost, which no test reads.

    Raises IndexError for a number that the file does not have.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    _, _, _, apply = list(_changes(tree))[number]
    apply()
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _changes(tree: ast.Module) -> Iterator[_Change]:
    """Yield each change of each node that computes."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    nodes = list(ast.walk(tree))
    imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    imported |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    for node in _computing(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Compare):
            for k, op in enumerate(node.ops):
                if type(op) in COMPARED:
                    fresh = COMPARED[type(op)]()
                    yield line, "boundary", f"{_name(op)} -> {_name(fresh)}", _setter(node.ops, k, fresh)
        elif isinstance(node, (ast.BinOp, ast.AugAssign)):
            if type(node.op) in SIGNS:
                fresh = SIGNS[type(node.op)]()
                yield line, "sign", f"{_name(node.op)} -> {_name(fresh)}", _attribute(node, "op", fresh)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
                # -(-a // b) for a // b
                yield line, "rounding", "floor -> ceil", _ceiling(node, parents)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield line, "sign", "minus lost", _replaced(node, node.operand, parents)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
            yield line, "boundary", "negation lost", _replaced(node, node.operand, parents)
        elif isinstance(node, ast.BoolOp):
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield line, "boundary", f"{_name(node.op)} -> {_name(other)}", _attribute(node, "op", other)
        elif (
            isinstance(node, ast.Constant)
            and type(node.value) is int
            and not isinstance(parents.get(node), ast.keyword)
        ):
            yield line, "boundary", f"{node.value} -> {node.value + 1}", _attribute(node, "value", node.value + 1)
        elif isinstance(node, ast.Call):
            yield from _of_call(node, imported)


def _of_call(node: ast.Call, imported: set[str]) -> Iterator[_Change]:
    func = node.func
    name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
    if name in NAMES:
        operator, other = NAMES[name]
        # Another function of ours that the file has not imported would be a NameError: no fault that anybody makes.
        known = isinstance(func, ast.Attribute) or other in imported or other in ("min", "max", "any", "all")
        if known:
            key = "id" if isinstance(func, ast.Name) else "attr"
            yield node.lineno, operator, f"{name} -> {other}", _attribute(func, key, other)
    for keyword in node.keywords:
        value = keyword.value
        if keyword.arg == "side" and isinstance(value, ast.Constant):
            other = "left" if value.value == "right" else "right"
            yield node.lineno, "ordering", f"{value.value} -> {other}", _attribute(value, "value", other)
        if keyword.arg == "reverse" and isinstance(value, ast.Constant):
            yield node.lineno, "ordering", "reverse", _attribute(value, "value", not value.value)
    if name == "sorted" and not any(keyword.arg == "reverse" for keyword in node.keywords):
        yield node.lineno, "ordering", "sorted the other way", _reverse(node)


def _computing(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that compute, in the order of the text."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_left_out(node, field, child):
                continue
            yield child
            yield from _computing(child)


def _is_left_out(node: ast.AST, field: str, child: ast.AST) -> bool:
    if isinstance(child, (ast.Raise, ast.Import, ast.ImportFrom, ast.JoinedStr)) or field in ("annotation", "returns"):
        return True
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True
    # numbers of an enumeration, and options of a dataclass
    bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
    return field == "decorator_list" or (isinstance(child, ast.Assign) and any("Enum" in base for base in bases))


def _name(op: ast.AST) -> str:
    return type(op).__name__.lower()


def _setter(items: list[ast.cmpop], place: int, fresh: ast.cmpop) -> Callable[[], None]:
    def apply() -> None:
        items[place] = fresh

    return apply


def _attribute(node: ast.AST, key: str, fresh: object) -> Callable[[], None]:
    return lambda: setattr(node, key, fresh)


def _reverse(node: ast.Call) -> Callable[[], None]:
    return lambda: node.keywords.append(ast.keyword("reverse", ast.Constant(True)))


def _ceiling(node: ast.BinOp, parents: dict[ast.AST, ast.AST]) -> Callable[[], None]:
    def apply() -> None:
        inner = ast.BinOp(ast.UnaryOp(ast.USub(), node.left), ast.FloorDiv(), node.right)
        _put(node, ast.UnaryOp(ast.USub(), inner), parents)

    return apply


def _replaced(node: ast.AST, fresh: ast.AST, parents: dict[ast.AST, ast.AST]) -> Callable[[], None]:
    return lambda: _put(node, fresh, parents)


def _put(node: ast.AST, fresh: ast.AST, parents: dict[ast.AST, ast.AST]) -> None:
    parent = parents[node]
    for field, value in ast.iter_fields(parent):
        if value is node:
            setattr(parent, field, fresh)
        elif isinstance(value, list) and any(item is node for item in value):
            value[next(i for i, item in enumerate(value) if item is node)] = fresh
