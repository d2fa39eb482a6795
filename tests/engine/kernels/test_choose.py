"""Which path computes, and that it is said: a broken, foreign or missing library, the variable, no compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backtest import environment
from backtest.gate.freeze import source_trees
from engine.constraints.c4_butterfly import worst_butterflies
from engine.constraints.c7_vertical import worst_verticals
from engine.errors import DataError, UsageError
from engine.freeze import engine_root, tree_listing
from engine.kernels import choose, known_answers, sources
from engine.kernels.choose import KernelPath, load
from engine.kernels.structures import FLOAT, address
from tests.helpers.kernels import build, compiler
from tests.helpers.small_run import ROOT, Tiny


def answers(path: KernelPath, name: str) -> list[np.ndarray]:
    assert path.library is not None
    return known_answers.ANSWERS[name](path.library)


def test_a_library_of_these_sources_is_taken(kernels: KernelPath) -> None:
    facts = kernels.facts()

    assert (facts["path"], facts["known_answers"], facts["warning"]) == ("compiled", "passed", None)
    assert facts["sources"] == sources.digest()


@pytest.mark.parametrize(
    ("file", "text", "broken", "name"),
    [
        ("butterfly.c", "<= (hull_y[size - 1] - under_y)", "< (hull_y[size - 1] + under_y)", "butterflies"),
        ("vertical.c", "int lower = price < bought.lowest[w]", "int lower = price <= bought.lowest[w]", "verticals"),
        ("put_call.c", "value = 1.0 - shares", "value = shares - 1.0", "parities"),
        ("put_call.c", "(kind[t] != never) &", "(kind[t] == never) |", "counts"),
        ("asof.c", "rows->t_ns[at] > until_ns", "rows->t_ns[at] >= until_ns", "joins"),
        ("quotes.c", "double mid = (bid + ask) * 0.5", "double mid = bid * 0.5 + ask * 0.25", "prepared"),
    ],
)
def test_a_library_that_answers_wrongly_is_refused_and_said(
    file: str, text: str, broken: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler that rounds or compares otherwise: NumPy computes, and manifest and report say why."""
    csrc = tmp_path / "csrc"
    shutil.copytree(sources.FOLDER, csrc)
    source = (csrc / file).read_text()
    assert text in source
    (csrc / file).write_text(source.replace(text, broken))
    path = load(build(tmp_path, csrc=csrc, made_from=sources.digest()))
    monkeypatch.setattr(choose, "kernel_path", lambda: path)

    assert choose.compiled() is None
    facts = environment.kernels()
    assert (facts["path"], facts["known_answers"]) == ("numpy", "failed")
    assert name in str(facts["warning"])
    assert environment.machine()["kernels"] == facts["warning"]
    with pytest.raises(RuntimeError, match="was the NumPy path"):
        choose.required()


def test_a_library_of_other_sources_is_refused_and_said(tmp_path: Path) -> None:
    """An edit after the build: what is sealed must be what computes."""
    path = load(build(tmp_path, made_from="0" * 64))

    assert path.library is None
    assert "built from other sources" in str(path.warning)
    assert path.facts()["known_answers"] == "not asked"


def test_a_file_that_is_no_library_is_refused_and_said(tmp_path: Path) -> None:
    (tmp_path / "kernels.so").write_bytes(b"no library")

    path = load(tmp_path / "kernels.so")

    assert path.library is None
    assert "cannot be loaded" in str(path.warning)


def test_a_missing_library_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    monkeypatch.setattr(sources, "BUILT", tmp_path / "kernels.so")

    path = choose.kernel_path.__wrapped__()

    assert (path.library, path.warning) == (None, None)
    assert "no C compiler" in path.reason


def test_the_variable_takes_the_numpy_path_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sources.VARIABLE, "numpy")
    path = choose.kernel_path.__wrapped__()
    assert path.facts() | {"sources": ""} == {
        "path": "numpy", "reason": "CME_KERNELS=numpy", "known_answers": "not asked", "compiler": None,
        "warning": None, "sources": "",
    }  # fmt: skip
    monkeypatch.setenv(sources.VARIABLE, "numba")
    with pytest.raises(UsageError, match="CME_KERNELS: expected 'numpy' or nothing, was 'numba'"):
        choose.kernel_path.__wrapped__()


def test_the_known_answers_are_those_of_the_numpy_path(kernels: KernelPath) -> None:
    """Scores and wings of the small chains, computed again by the oracles."""
    calls = known_answers.half_of(known_answers.chain(), slice(0, known_answers.STRIKES))
    buy, sell = (calls.mid + 2.0 * calls.charge).T[: known_answers.STRIKES], (calls.mid - 2.0 * calls.charge).T
    sell = sell[: known_answers.STRIKES]
    row, key, score, wing = answers(kernels, "butterflies")[:4]
    excess, low, high = worst_butterflies(buy, sell, calls.strike)
    dense = excess[1:-1] * calls.scale
    assert len(score) == np.count_nonzero(~np.isnan(dense)) > 100
    np.testing.assert_array_equal(score, dense[key, row])
    np.testing.assert_array_equal(wing, np.stack([low[key + 1, row], high[key + 1, row]], axis=1))

    row, key, score, wing = answers(kernels, "verticals")[:4]
    lower = key < known_answers.STRIKES - 1
    excess, long = worst_verticals(buy, sell, calls.strike, None, above=False)
    np.testing.assert_array_equal(score[lower], (excess * calls.scale)[key[lower] + 1, row[lower]])
    np.testing.assert_array_equal(wing[lower, 0], long[key[lower] + 1, row[lower]])
    excess, long = worst_verticals(buy, sell, calls.strike, known_answers.locked()[1], above=True)
    at = key[~lower] - (known_answers.STRIKES - 1)
    np.testing.assert_array_equal(score[~lower], (excess * calls.scale)[at, row[~lower]])
    np.testing.assert_array_equal(wing[~lower, 0], long[at, row[~lower]])


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros(4, dtype=np.float32), np.zeros(8)[::2]])
def test_an_array_that_c_would_read_beside_is_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected a contiguous array of 4 float64"):
        address(array, FLOAT, 4)


def test_the_seal_covers_the_sources_and_not_what_was_built() -> None:
    """One engine hash on every machine: the build lies outside, and git ignores it."""
    listed = {line.split(b" ", 3)[3].decode() for line in tree_listing(engine_root()).splitlines()}
    csrc = {f"kernels/csrc/{path.name}" for path in sources.FOLDER.iterdir()}

    assert csrc <= listed
    assert {name for name in csrc if name.endswith(".c")}
    assert {Path(name).suffix for name in listed} <= {".py", ".c", ".h"}
    assert not sources.BUILT.is_relative_to(engine_root())
    assert not list(source_trees.unexpected_modules(ROOT))
    ignored = subprocess.run(["git", "-C", str(ROOT), "check-ignore", "-q", str(sources.BUILT)], check=False)
    assert ignored.returncode in (0, 128)  # 128: no checkout


def test_a_run_says_which_path_computed(tiny: Tiny) -> None:
    manifest = json.loads((tiny.folder / "manifest.json").read_text())

    assert manifest["kernels"] == choose.kernel_path().facts()
    assert manifest["machine"]["kernels"].startswith(manifest["kernels"]["path"])


@pytest.mark.parametrize("cc", ["false", ""], ids=["without a compiler", "with one"])
def test_the_installation_succeeds_without_a_compiler(cc: str, tmp_path: Path) -> None:
    """``CC=false``: no library, none left over from before, and no failure."""
    if not cc:
        compiler()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "cme.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "engine", tmp_path / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    built = tmp_path / "build" / "kernels" / "kernels.so"
    built.parent.mkdir(parents=True)
    built.write_bytes(b"of other sources")
    command = [sys.executable, "-W", "ignore", "setup.py", "-q", "build_ext", "--inplace"]

    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **({"CC": cc} if cc else {})}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert built.is_file() == (not cc)
    if built.is_file():
        assert load(built).library is not None
    assert not list((tmp_path / "engine").rglob("*.so"))
