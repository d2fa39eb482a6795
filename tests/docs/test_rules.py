"""The table from rule to code and test is generated, and complains about what is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rules() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_rules", ROOT / "docs" / "rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("[S2.C4]", {"S2.C4"}),
        ("[S1.4-S1.6]", {"S1.4", "S1.5", "S1.6"}),
        ("[statistics R2.1, S8.3]", {"R2.1", "S8.3"}),
        ("[audit 3.2, 4.1]", {"audit 3.2", "audit 4.1"}),
        ("S2.C4 outside of brackets", set()),
        ("values[S]", set()),
    ],
)
def test_a_citation_is_a_number_in_brackets(rules: ModuleType, text: str, cited: set[str]) -> None:
    """Ranges are spelt out, lists are split, prose is no citation."""
    assert rules.cited(text) == cited


def test_every_rule_of_the_method_is_in_the_table_once(rules: ModuleType) -> None:
    """One row a rule, in the order of docs/method.md."""
    text, _ = rules.table()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")][1:]

    assert rows == list(rules.rules())
    assert len(set(rows)) == len(rows) > 30


def test_a_rule_without_a_test_is_a_complaint(
    rules: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code cites it, no test does: the build must fail, by name; a planned rule is let be."""
    for folder in ("docs", "engine", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "docs" / "method.md").write_text("**S1.1** A rule.\n\n**S1.2** *(planned)* Another.\n")
    (tmp_path / "engine" / "a.py").write_text('"""Does it.  [S1.1]"""\n')
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    monkeypatch.setattr(rules, "SOURCES", ("engine",))

    assert rules.rules() == {"S1.1": False, "S1.2": True}
    assert rules.table()[1] == ["S1.1: no test cites it"]
