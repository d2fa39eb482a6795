"""The glossary: each term once, each rule of the method, each file there.  [house "Names"]"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"\| (?P<term>[^|]+) \| (?P<meaning>[^|]+) \| (?P<rule>[^|]+) \| (?P<files>[^|]+) \|")


def rows() -> list[re.Match[str]]:
    """The rows of the table, its head left out."""
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").split("\n")
    return [match for line in lines if (match := ROW.fullmatch(line)) and match["term"] not in ("term", "---")]


def test_terms_are_in_order_and_once() -> None:
    """About thirty; found without searching."""
    terms = [row["term"] for row in rows()]

    assert 30 <= len(terms) <= 45
    assert terms == sorted(terms, key=str.lower)
    assert len(set(terms)) == len(terms)


def test_each_rule_is_one_of_the_method_and_each_file_is_there() -> None:
    """A reader follows both."""
    method = set(
        re.findall(r"(?:S\d+(?:\.[0-9A-Z]+)*|R\d+\.\d+|audit \d+(?:\.\d+)?)", (ROOT / "docs/method.md").read_text())
    )
    rules = {rule for row in rows() for rule in row["rule"].split(", ")}
    files = {file for row in rows() for file in re.findall(r"`([^`]+)`", row["files"])}

    assert sorted(rule for rule in rules if rule not in method and f"{rule}.1" not in method) == []
    assert sorted(file for file in files if not (ROOT / file).exists()) == []
