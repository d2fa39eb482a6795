"""The files that a piece of code runs through, by hash: its modules and what they import of ours.  [audit 9.1]"""

from __future__ import annotations

import ast
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from engine.ledger.format.canonical_json import tagged_hash

ROOT: Final = Path(__file__).resolve().parents[3]
OURS: Final = ("engine", "backtest", "hypotheses")
BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a node in which statements lie."""


@cache
def closure_hash(roots: tuple[str, ...], within: str = "") -> str:
    """Return ``H("tree", ...)`` over name and content of every module of ours that ``roots`` import, of a package."""
    modules = sorted((name, path) for name, path in closure(roots).items() if name.startswith(within))
    lines = (f"{sha256(path.read_bytes()).hexdigest()} {name}\n" for name, path in modules)
    return tagged_hash("tree", "".join(lines).encode())


def closure(roots: tuple[str, ...]) -> dict[str, Path]:
    """Return the modules of ours that ``roots`` import, directly or through others, themselves included."""
    modules: dict[str, Path] = {}
    pending = list(roots)
    while pending:
        name = pending.pop()
        path = _file(name)
        if name in modules or path is None:
            continue
        modules[name] = path
        pending += _imports(path)
    return modules


def _file(name: str) -> Path | None:
    if name.split(".")[0] not in OURS:
        return None
    place = ROOT.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(path: Path) -> tuple[str, ...]:
    names: list[str] = []
    pending: list[ast.AST] = [ast.parse(path.read_bytes())]
    while pending:
        node = pending.pop()
        # Imports for the type checker are not run, so they judge nothing.
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            # A name may be a module of its own, or only an attribute: `_file` tells them apart.
            names += (f"{node.module}.{alias.name}" for alias in node.names)
        # An import is a statement, so no expression is walked: this is most of a tree.
        pending += (part for block in BLOCKS for part in getattr(node, block, ()))
    return tuple(names)
