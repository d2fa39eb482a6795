"""Mutants are one change each, of what computes and of nothing else; the score counts what it says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmarks.mutants import Mutant, mutants_of, mutated
from benchmarks.mutation import FAMILY, ROOT, covering_tests, equivalents, report, stratified

SOURCE = '''"""A docstring with 1 < 2."""
from enum import IntEnum
class Kind(IntEnum):
    """Numbers that name."""
    A = 1
def f(a: int, b: int) -> int:
    """Return something."""
    if a < b and not a == 3:
        raise ValueError(f"was {a + 1}")
    return -a // b + min(a, b)
def g(rows, key):
    return sorted(rows), rows.searchsorted(key, side="left")
'''
EXPECTED = [
    (8, "boundary", "and -> or", "if a < b or (not a == 3):"),
    (8, "boundary", "lt -> lte", "if a <= b and (not a == 3):"),
    (8, "boundary", "negation lost", "if a < b and a == 3:"),
    (8, "boundary", "eq -> noteq", "if a < b and (not a != 3):"),
    (8, "boundary", "3 -> 4", "if a < b and (not a == 4):"),
    (10, "sign", "add -> sub", "return -a // b - min(a, b)"),
    (10, "rounding", "floor -> ceil", "return -(--a // b) + min(a, b)"),
    (10, "sign", "minus lost", "return a // b + min(a, b)"),
    (10, "ordering", "min -> max", "return -a // b + max(a, b)"),
    (
        12,
        "ordering",
        "sorted the other way",
        "return (sorted(rows, reverse=True), rows.searchsorted(key, side='left'))",
    ),
    (12, "ordering", "left -> right", "return (sorted(rows), rows.searchsorted(key, side='right'))"),
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "m.py"
    path.write_text(SOURCE)
    return path


def test_each_operator_changes_one_place_and_names_it(source: Path) -> None:
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    found = []
    for mutant in mutants_of(source, source.parent):
        changed = mutated(source, mutant.number).splitlines()
        (text,) = [after.strip() for before, after in zip(plain, changed, strict=True) if before != after]
        found.append((mutant.line, mutant.operator, mutant.change, text))

    # Without parentheses: versions of Python write them in different places.
    assert [(*row[:3], bare(row[3])) for row in found] == [(*row[:3], bare(row[3])) for row in EXPECTED]


def bare(text: str) -> str:
    """Return a line without parentheses."""
    return text.replace("(", "").replace(")", "")


def test_docstrings_annotations_enumerations_and_texts_of_errors_have_no_mutant(source: Path) -> None:
    assert {mutant.line for mutant in mutants_of(source, source.parent)} == {8, 10, 12}


def test_every_mutant_of_the_family_compiles_and_differs() -> None:
    """The first and the last of each file: the tree has as many places as are listed."""
    for path in sorted((ROOT / FAMILY).rglob("*.py")):
        found, plain = mutants_of(path, ROOT), ast.unparse(ast.parse(path.read_text(encoding="utf-8"))) + "\n"
        for mutant in found[:1] + found[-1:]:
            changed = mutated(path, mutant.number)
            compile(changed, str(path), "exec")
            assert changed != plain, mutant


def test_a_sample_has_every_file_and_is_drawn_by_its_seed() -> None:
    everything = {name: [Mutant(name, k, 1, "x", "sign", "c") for k in range(n)] for name, n in
                  (("a", 1), ("b", 50), ("c", 149))}  # fmt: skip
    sample = stratified(everything, 40, 1)

    assert [sum(m.file == name for m in sample) for name in "abc"] == [1, 10, 29]
    assert len(set(sample)) == 40
    assert sample == stratified(everything, 40, 1) != stratified(everything, 40, 2)
    assert len(stratified(everything, 1000, 1)) == 200


def test_every_file_of_the_family_has_tests() -> None:
    for path in (ROOT / FAMILY).rglob("*.py"):
        if path.name != "__init__.py":
            assert covering_tests(path.relative_to(ROOT).as_posix()), path


def test_an_equivalent_is_of_a_line_that_is_there_and_has_a_reason() -> None:
    for (file, text, change), reason in equivalents().items():
        assert (text, change) in {(m.text, m.change) for m in mutants_of(ROOT / file, ROOT)}, text
        assert len(reason) > 20


def test_a_score_counts_survivors_and_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    mutants = [Mutant("engine/venue/x.py", k, k, f"line {k}", "sign", "c") for k in range(10)]

    assert report([(m, "killed" if m.number else "survived") for m in mutants]) == 0
    shown = capsys.readouterr().out
    assert "score 90.0%: 9 of 10 killed (0 by timeout); 0 equivalent" in shown
    assert "survivor   engine/venue/x.py:0 [sign: c] line 0" in shown
    assert report([(m, "timeout" if m.number > 1 else "survived") for m in mutants]) == 1
