"""What a docstring owes its reader, counted: shapes of arrays, errors raised, more than the signature again.

``python -m tests.architecture.docstrings [FOLDER ...]`` lists what is missing.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("engine", "backtest", "hypotheses", "reports")
ARRAY = re.compile(r"\b(\w*Array|NDArray|Series|Matrix)\b")
SHAPE = re.compile(
    r"``?\[[^\]`]*\]|``?\([^)`]*,[^)`]*\)|\bshape\b|\bscalar\b|\[[A-Z][A-Za-z0-9_, ]*\]|one value a|a row a"
)
COMMENT = re.compile(r"^\s*#(?! ?(noqa|type:|fmt:|ruff:|pragma))")


@dataclass(frozen=True, slots=True)
class Documented:
    """One public function: where it is, what it says, what it takes and raises."""

    file: str
    name: str
    line: int
    doc: str
    takes_arrays: bool
    raises: tuple[str, ...]

    @property
    def states_shapes(self) -> bool:
        """A shape in brackets or the word itself."""
        return bool(SHAPE.search(self.doc))

    @property
    def states_errors(self) -> bool:
        """Every error raised in the body is named."""
        return all(re.search(rf"\b{re.escape(error)}\b", self.doc) for error in self.raises)


def functions(*folders: str) -> Iterator[Documented]:
    """Yield the public functions at the top level of every file, and public methods of public classes."""
    for folder in folders or FLOORS:
        base = ROOT / folder
        for path in [base] if base.is_file() else sorted(base.rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in tree.body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    yield _documented(path, node, node.name)
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    for item in node.body:
                        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_") and _raised(item):
                            yield _documented(path, item, f"{node.name}.{item.name}")


def _documented(path: Path, node: ast.FunctionDef, name: str) -> Documented:
    annotations = [ast.unparse(a.annotation) for a in node.args.args + node.args.kwonlyargs if a.annotation]
    annotations += [ast.unparse(node.returns)] if node.returns else []
    return Documented(
        path.relative_to(ROOT).as_posix(), name, node.lineno, ast.get_docstring(node) or "",
        any(ARRAY.search(text) for text in annotations), _raised(node),
    )  # fmt: skip


def _raised(node: ast.FunctionDef) -> tuple[str, ...]:
    """Return the names of the errors that the body raises itself, nested functions left out."""
    names, pending = set(), list(node.body)
    pending_nodes: list[ast.AST] = list(pending)
    while pending_nodes:
        inner = pending_nodes.pop()
        if isinstance(inner, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call):
            called = ast.unparse(inner.exc.func)
            if re.fullmatch(r"[\w.]*(Error|BadParameter|Exit|Interrupt)", called):
                names.add(called.rpartition(".")[2])
        pending_nodes += ast.iter_child_nodes(inner)
    return tuple(sorted(names))


def own_line_comments(*folders: str) -> tuple[int, int]:
    """Return how many lines are comments that give a reason, and how many lines are code."""
    comments = code = 0
    for folder in folders or FLOORS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line in path.read_text(encoding="utf-8").splitlines():
                comments += bool(COMMENT.match(line))
                code += bool(line.strip()) and not line.lstrip().startswith("#")
    return comments, code


def main(folders: list[str]) -> None:
    """Print what is missing, file by file, and the counts."""
    every = list(functions(*folders))
    arrays = [f for f in every if f.takes_arrays]
    raising = [f for f in every if f.raises]
    for f in arrays:
        if not f.states_shapes:
            print(f"{f.file}:{f.line} {f.name}: no shape")
    for f in raising:
        if not f.states_errors:
            print(f"{f.file}:{f.line} {f.name}: raises {', '.join(f.raises)}")
    comments, code = own_line_comments(*folders) if all((ROOT / x).is_dir() for x in folders) else (0, 1)
    print(f"array functions that state shapes: {sum(f.states_shapes for f in arrays)} of {len(arrays)}")
    print(f"raising functions that say what they raise: {sum(f.states_errors for f in raising)} of {len(raising)}")
    print(f"own-line comments a hundred lines of code: {100 * comments / code:.2f} ({comments}, {code} lines)")


if __name__ == "__main__":
    main(sys.argv[1:])
