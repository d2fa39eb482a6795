"""One public type has one name within a package.  [house "Guards"]"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("engine", "backtest", "hypotheses", "reports")


def public_types(path: Path) -> list[str]:
    """Return the public classes and type aliases that a file defines: CamelCase names at its top level."""
    names = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in names if name[0].isupper() and not name.isupper()]


@pytest.mark.parametrize("floor", FLOORS)
def test_a_public_type_has_one_name_within_its_package(floor: str) -> None:
    """A reader who meets a name knows which class it is; a mention in an error or a page names one thing."""
    where: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / floor).rglob("*.py")):
        for name in public_types(path):
            where[name].append(path.relative_to(ROOT).as_posix())

    assert {name: files for name, files in where.items() if len(files) > 1} == {}
