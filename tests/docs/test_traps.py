"""The page of traps is held to the files: what it names exists, and no trap of the data's README is left out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (\d+ \|)? ?[^-#]", line) and not line.startswith("| trap")]
NAMED = re.compile(r"`([\w./-]+\.(?:py|toml))(?:::(\w+))?`")


@cache
def defined_in(file: str) -> frozenset[str]:
    """The test functions that a file defines."""
    return frozenset(
        node.name
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_path_and_every_test_that_is_named_exists() -> None:
    """A file that moved or a test that was renamed fails here."""
    gone = [file for file, _ in NAMED.findall(PAGE) if not (ROOT / file).is_file()]
    unknown = [f"{file}::{test}" for file, test in NAMED.findall(PAGE) if test and test not in defined_in(file)]

    assert gone == []
    assert unknown == []


def test_every_trap_has_a_place_in_the_code_and_a_test_without_real_data() -> None:
    """The last column names tests, one of them not marked as needing the data; a column before it names a file."""
    assert len(ROWS) > 25
    for row in ROWS:
        *before, tests = row.strip("| ").split(" | ")
        assert any(re.search(r"`[\w/-]+\.(py|toml)`|`label_shift_ns`", cell) for cell in before), row
        assert re.search(r"::test_\w+`(?! †)", tests), row


@pytest.mark.real
def test_every_numbered_trap_of_the_data_has_its_row(real_data: Path) -> None:
    """The numbers of the README's list, in its order."""
    text = (real_data / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(\d+)\. ", text.partition("## Traps")[2].partition("\n## ")[0], re.MULTILINE)

    assert listed
    assert [row.split(" | ")[0].removeprefix("| ") for row in ROWS if re.match(r"\| \d", row)] == listed


def test_every_kind_of_fault_from_the_field_has_a_row_with_a_dated_source() -> None:
    """A to O, each once at least: what was seen, and when or of which time."""
    field = PAGE.partition("## Traps of files from the field")[2]
    kinds = re.findall(r"^\| ([A-O]) \((.+?)\): ", field, re.MULTILINE)

    assert {kind for kind, _ in kinds} == set("ABCDEFGHIJKLMNO")
    assert [kind for kind, source in kinds if not re.search(r"\b20\d\d[-.]\d", source)] == []
