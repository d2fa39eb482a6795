"""What is imported is what is declared: nothing arrives by way of another package, nothing is installed for nothing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("engine", "backtest", "hypotheses", "reports")
OURS = {*FLOORS, "benchmarks", "cme", "tests"}
OF_TOOLS = {"pytest-xdist", "ruff", "mypy", "import-linter", "pandas-stubs", "scipy-stubs"}
"""Of the extra ``test``: run by name or read by a checker, imported by no file."""


def imported(paths: list[Path]) -> set[str]:
    """Return the distributions, in canonical spelling, of every module that ``paths`` import from outside."""
    modules = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(str(node.module).split(".")[0])
    owners = packages_distributions()
    outside = modules - OURS - set(sys.stdlib_module_names)
    # a module that several install (mlflow, mlflow-skinny), or none, counts under its own name
    return {canonical(min(owners.get(module, [module]), key=lambda name: name != module)) for module in outside}


def declared(*extras: str) -> set[str]:
    """Return the distributions that the project declares: its own, or those of ``extras``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["optional-dependencies"][extra] for extra in extras] or [project["dependencies"]]
    return {canonical(re.split(r"[^A-Za-z0-9._-]", entry)[0]) for entries in lists for entry in entries}


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_the_program_imports_what_it_declares() -> None:
    """Each declared dependency is imported by a file of the program, and each import is declared.

    Of the extra ``cluster`` the program imports one and joblib the other.
    """
    files = [ROOT / "cme.py", *(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))]

    used, cluster = imported(files), declared("cluster")
    assert used - cluster == declared()
    assert used & cluster


def test_the_tests_import_what_they_declare() -> None:
    """What tests use besides is in the extra ``test``."""
    used = imported(list((ROOT / "tests").rglob("*.py")))

    assert declared("test") - OF_TOOLS <= used
    assert used <= declared() | declared("test", "cluster")
