"""Decision records have one form, their index is fresh, and every citation of one leads somewhere.  [house]"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
CITATION = re.compile(r"(?:docs/decisions/|\bdecisions? )(\d{4})\b")
CITING = ("*.py", "*.toml", "*.md", "*.js", "*.html")


@pytest.fixture(scope="module")
def decisions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_decisions", ROOT / "docs" / "decisions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def citations() -> list[tuple[str, str]]:
    """Return (file, number) of every citation in a tracked file; history and this test left out."""
    listed = subprocess.run(["git", "ls-files", *CITING], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [file for file in listed.stdout.split("\n") if file and file not in ("CHANGELOG.md", "docs/decisions.py")]
    return [
        (file, number)
        for file in files
        if (ROOT / file).is_file() and file != Path(__file__).relative_to(ROOT).as_posix()
        for number in CITATION.findall((ROOT / file).read_text(encoding="utf-8"))
    ]


def test_every_record_has_the_form_and_a_number_of_its_own(decisions: ModuleType) -> None:
    """`records` refuses another form; numbers are cited, so two records with one number would be one too many."""
    numbers = [record.number for record in decisions.records()]

    assert len(numbers) > 90
    assert len(set(numbers)) == len(numbers)


def test_a_title_states_the_decision(decisions: ModuleType) -> None:
    """A noun phrase or a question leaves the reader to open the page."""
    weak = [
        record.title
        for record in decisions.records()
        if len(record.title.split()) < 5 or re.match(r"(What|How|Which|Who|Whose|When|Why)\b", record.title)
    ]

    assert weak == []


def test_an_area_is_a_folder_or_a_module(decisions: ModuleType) -> None:
    """A reader of a folder finds its decisions in the index."""
    areas = {area for record in decisions.records() for area in record.areas}

    assert [area for area in sorted(areas) if not ((ROOT / area).is_dir() or (ROOT / f"{area}.py").is_file())] == []


def test_the_index_is_fresh(decisions: ModuleType) -> None:
    """`python docs/decisions.py` writes it."""
    assert decisions.INDEX.read_text(encoding="utf-8") == decisions.index()


def test_every_citation_is_of_a_record_in_force(decisions: ModuleType) -> None:
    """A line that follows a decision cites it, and one that another replaced is followed no more."""
    accepted = {record.number for record in decisions.records() if not record.superseded_by}

    assert sorted({(file, number) for file, number in citations() if number not in accepted}) == []
    assert len(citations()) > 20


def test_a_replaced_record_names_one_in_force(decisions: ModuleType) -> None:
    """Following `superseded by` ends at a decision."""
    records = {record.number: record for record in decisions.records()}

    for record in records.values():
        if record.superseded_by:
            assert records[record.superseded_by].superseded_by == ""


@pytest.mark.parametrize(
    "text",
    [
        "# 0001 Screens prove what a search returns\n\nStatus: open. Area: engine/replay.\n",
        "# 0001 Screens prove what a search returns\n\nStatus: accepted.\n",
        "# 0002 Screens prove what a search returns\n\nStatus: accepted. Area: engine/replay.\n",
        "# 0001\n\nStatus: accepted. Area: engine/replay.\n",
    ],
)
def test_another_form_is_refused(
    decisions: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Status, area, number and title are all required."""
    (tmp_path / "0001-screens.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(decisions, "FOLDER", tmp_path)

    with pytest.raises(SystemExit, match=r"0001-screens.md: expected"):
        decisions.records()
