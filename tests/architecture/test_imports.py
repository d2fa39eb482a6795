"""No import ring at any depth: neither between files of a folder nor between folders.  [house "Guards"]

The contracts of kind "layers" in pyproject.toml name the order of the large rooms; this test holds for every folder,
also for those that no contract lists yet.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("engine", "backtest", "hypotheses", "reports")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports() -> dict[str, set[str]]:
    """Return the modules of ours that each module of ours imports, wherever in the file the import is."""
    trees = {module_of(p): ast.parse(p.read_text("utf-8")) for f in FLOORS for p in sorted((ROOT / f).rglob("*.py"))}
    edges: dict[str, set[str]] = {}
    for name, tree in trees.items():
        edges[name] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in FLOORS:
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    edges[name].add(submodule if submodule in trees else node.module)
            if isinstance(node, ast.Import):
                edges[name] |= {alias.name for alias in node.names if alias.name.split(".")[0] in FLOORS}
    return edges


def siblings(edges: dict[str, set[str]], package: str) -> dict[str, set[str]]:
    """Return the imports between the direct members of ``package``: its files, and its folders as wholes."""
    depth = package.count(".") + 1
    graph: dict[str, set[str]] = defaultdict(set)
    for name, targets in edges.items():
        if name.startswith(f"{package}."):
            member = name.split(".")[depth]
            within = {target.split(".")[depth] for target in targets if target.startswith(f"{package}.")}
            graph[member] |= within - {member}
    return graph


def ring(graph: dict[str, set[str]]) -> list[str]:
    """Return the members of one ring, in order; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


EDGES = imports()
PACKAGES = sorted({name.rpartition(".")[0] for name in EDGES if "." in name})


@pytest.mark.parametrize("package", PACKAGES)
def test_members_of_a_folder_do_not_import_each_other_in_a_ring(package: str) -> None:
    """What a file needs lies below it or beside it, and never needs the file back."""
    assert ring(siblings(EDGES, package)) == []


def test_a_ring_is_seen() -> None:
    """The check can fail: two folders that import each other, through different files."""
    edges = {"p.a.x": {"p.b.y"}, "p.b.z": {"p.a.w"}, "p.a.w": set(), "p.b.y": set()}

    assert ring(siblings(edges, "p")) in (["a", "b", "a"], ["b", "a", "b"])
    assert ring(siblings(edges, "p.a")) == []
