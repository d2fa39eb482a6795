"""Versions of Python: a row that ran, or `not run`; what README and metadata call tested is what ran."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.environments import HEADING, NOT_RUN, PAGE, PYTHONS, interpreter, python_section

ROOT = Path(__file__).resolve().parents[2]
ROW = {"python": "3.12.1", "digest": "d" * 64, "emit": "e" * 64, "resolution": "r" * 64, "data": "a" * 64}


def versions_that_ran() -> list[str]:
    """The versions of the page that ran, major and minor."""
    rows = re.findall(r"(?m)^\| (3\.\d+)\S* \| (.*?) \|", PAGE.read_text(encoding="utf-8").partition(HEADING)[2])
    assert [version for version, _ in rows] == list(PYTHONS)
    return [version for version, digest in rows if digest != NOT_RUN]


def test_the_versions_called_tested_are_those_that_ran() -> None:
    """In the README, and in the classifiers of the package; all of them with one digest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [text.rpartition(" ")[2] for text in project["classifiers"] if "Python :: 3." in text]
    (said,) = re.findall(r"tested with Python ([^\[]+?) \(\[", (ROOT / "README.md").read_text(encoding="utf-8"))

    assert named == re.findall(r"3\.\d+", said) == versions_that_ran()
    assert "Digests: 1." in PAGE.read_text(encoding="utf-8").partition(HEADING)[2]


def test_a_version_without_an_interpreter_reads_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a variable nor a program on the path; a launcher that only fails is none either."""
    monkeypatch.delenv("CME_PYTHON_3_99", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interpreter("3.99", tmp_path) is None
    (tmp_path / "python3.99").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.99").chmod(0o755)
    assert interpreter("3.99", tmp_path) is None

    section = python_section({"3.12": ROW, "3.99": None})

    assert "| 3.12.1 | `dddddddddddddddd` | `eeeeeeee` `rrrrrrrr` `aaaaaaaa` |" in section
    assert "| 3.99 | not run | – |" in section
    assert "Versions: 1. Digests: 1." in section


def test_a_version_is_taken_from_its_variable_and_this_one_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No path of a machine stands in the program."""
    monkeypatch.setenv("CME_PYTHON_3_99", "somewhere/python")
    assert interpreter("3.99", Path("unused")) == Path("somewhere/python")
    assert interpreter(".".join(map(str, sys.version_info[:2])), Path("unused")) == Path(sys.executable)


def test_different_outcomes_are_counted() -> None:
    """Another data set alone is another outcome."""
    assert "Digests: 2." in python_section({"3.12": ROW, "3.13": ROW | {"data": "b" * 64}})
