"""The house stands as drawn: where the packages are, what their files hold, what may not be written in them."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("engine", "backtest", "hypotheses", "reports")
LONGEST = 300
GENERATORS = {"PCG64", "SeedSequence", "Generator"}
"""What may be named of np.random: a draw is made with a generator of a named stream, never with the module's own."""
REGISTRIES = {
    "engine/constraints/registry.py": "CONSTRAINTS",
    "engine/costs/registry.py": "TERMS",
    "engine/covenants/registry.py": "COVENANTS",
    "backtest/data/adapters/registry.py": "ADAPTERS",
    "hypotheses/registry.py": "HYPOTHESES",
    "reports/registry.py": "SECTIONS",
}


def sources() -> list[Path]:
    """Every Python file of the four floors and the front door."""
    return [ROOT / "cme.py", *(path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py")))]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name(path))


@cache
def tracked() -> tuple[str, ...]:
    """Every file the checkout tracks; skips where git does not know the folder."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a checkout")
    return tuple(file for file in done.stdout.split("\0") if file and (ROOT / file).is_file())


@pytest.mark.parametrize("floor", FLOORS)
def test_a_package_is_the_one_of_this_checkout(floor: str) -> None:
    """Path on disk, import, traceback and seal agree: no other distribution of that name is in the way."""
    found = importlib.import_module(floor)

    assert Path(str(found.__file__)).resolve() == ROOT / floor / "__init__.py"


@pytest.mark.parametrize("path", [p for p in sources() if p.name == "__init__.py"], ids=name)
def test_a_package_file_holds_a_docstring_only(path: Path) -> None:
    """Importing a package imports nothing else."""
    body = tree(path).body

    assert len(body) == 1
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    """At most 300 lines, a docstring at the top."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
    assert ast.get_docstring(tree(path)), "no docstring"


@pytest.mark.parametrize("file", REGISTRIES)
def test_a_registry_is_a_literal_tuple(file: str) -> None:
    """Members one by one, in the order in which they stand: nothing registers itself, no order depends on an import."""
    wanted = REGISTRIES[file]
    found = [
        node.value
        for node in tree(ROOT / file).body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id == wanted
    ]

    assert len(found) == 1
    assert isinstance(found[0], ast.Tuple)
    assert all(isinstance(element, (ast.Name, ast.Attribute, ast.Call)) for element in found[0].elts)


def test_families_stand_in_the_order_of_the_method() -> None:
    """C1 to C7; H1 to H3; verdicts first."""
    from engine.constraints.registry import CONSTRAINTS
    from hypotheses.registry import HYPOTHESES
    from reports.registry import SECTIONS

    assert [c.code for c in CONSTRAINTS] == [f"C{n}" for n in range(1, 8)]
    names = ["cash_carry", "triangle", "put_call", "butterfly", "calendar", "four_corner", "vertical"]
    assert [c.name for c in CONSTRAINTS] == names
    assert [h.code for h in HYPOTHESES] == ["H1", "H2", "H3"]
    assert SECTIONS[0].anchor == "verdicts"


@pytest.mark.parametrize("path", sources(), ids=name)
def test_nothing_draws_outside_the_seeds(path: Path) -> None:
    """Nobody imports ``random`` or ``secrets``; ``np.random`` is named for its generators, never for a draw."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & {"random", "secrets"}
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] not in ("random", "secrets")
            if node.module == "numpy.random":
                assert {alias.name for alias in node.names} <= GENERATORS
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random"):
            assert node.attr in GENERATORS, f"line {node.lineno}: np.random.{node.attr}"


@pytest.mark.parametrize("path", sources(), ids=name)
def test_no_data_is_run_as_code(path: Path) -> None:
    """No pickle in any of its forms, no eval, exec or compile of text, no shell."""
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
    for node in ast.walk(tree(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        assert not {part for each in names for part in each.split(".")} & forbidden
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "compile", "os.system", "pd.read_pickle", "joblib.load"), called
            assert not any(k.arg in ("shell", "allow_pickle") and _true(k.value) for k in node.keywords), called


def _true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def test_the_engine_reads_no_clock_and_says_nothing() -> None:
    """No time, logging, print or environment below the doors.  [house "Floors"]"""
    for path in sorted((ROOT / "engine").rglob("*.py")):
        for node in ast.walk(tree(path)):
            imported = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                imported = [str(node.module)]
            assert not {i.split(".")[0] for i in imported} & {"time", "logging", "warnings"}, name(path)
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "datetime.now", "datetime.utcnow", "date.today", "os.getenv"), name(path)


def test_no_path_of_a_machine_is_tracked() -> None:
    """No tracked text names a folder of somebody's machine or an address of a package registry."""
    here = "|".join(
        (r"/wo" + r"rk/(main|shared|scratch)", r"/ro" + r"ot/", r"/ho" + r"me/\w+/", r"[A-Z]:\\\\Users\\\\")
    )
    registry = r"--(extra-)?index" + r"-url|pkgs\.dev|art" + r"ifactory|\bpypi\.(?!org/project)"
    found = []
    for file in tracked():
        data = (ROOT / file).read_bytes()
        if b"\0" not in data:
            text = data.decode("utf-8")
            found += [f"{file}: {m.group()}" for m in re.finditer(f"{here}|{registry}", text)]

    assert found == []


def test_every_tracked_text_is_utf8_with_unix_lines() -> None:
    """One encoding, one line ending, a last line that ends."""
    for file in tracked():
        data = (ROOT / file).read_bytes()
        if b"\0" in data or file.startswith("tests/vectors/"):
            continue
        assert b"\r\n" not in data, file
        assert data == b"" or data.endswith(b"\n"), file
        data.decode("utf-8")
