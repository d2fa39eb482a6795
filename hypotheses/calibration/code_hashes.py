"""What a certificate certifies: the files that a cell runs through, by hash.  [statistics 10, audit 9.1]

``judging``: every file of ours that the three hypotheses import, directly or not.  ``pipeline``: those, the engine's
core, and every file that takes a data set to what the hypotheses read.  The hashes of the whole engine and of the whole
analysis stand beside them: a change of a report or a command moves those, and leaves what was measured as it was.
"""

from __future__ import annotations

import ast
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from backtest.gate.freeze import source_trees
from engine.freeze import engine_hash
from engine.ledger.format.canonical_json import tagged_hash

ROOT: Final = Path(__file__).resolve().parents[2]
OURS: Final = ("engine", "backtest", "hypotheses")
JUDGING: Final = ("hypotheses.h1", "hypotheses.h2", "hypotheses.h3")
PIPELINE: Final = (
    *JUDGING,
    "backtest.pipeline.window",
    "backtest.pipeline.placements",
    "backtest.results.tables",
    "backtest.results.returns",
)


BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a node in which statements lie."""


@cache
def seals() -> dict[str, str]:
    """Return the hashes of the code that is running: judging, pipeline, engine_hash, analysis_hash."""
    engine = engine_hash()
    return {
        "judging": closure_hash(JUDGING),
        "pipeline": tagged_hash("tree", f"{engine} {closure_hash(PIPELINE)}".encode()),
        "engine_hash": engine,
        "analysis_hash": source_trees.analysis(ROOT).tree_hash,
    }


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
