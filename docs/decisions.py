"""Write docs/decisions/README.md: the decision records by area.

``python docs/decisions.py`` writes the index; ``--check`` fails if it is stale or a record has another form.  A record
begins with ``# NNNN A statement`` and ``Status: accepted. Area: folder.``; the status of a record that another one
replaces is ``superseded by NNNN``.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from generated_page import write_or_check

FOLDER = Path(__file__).resolve().parent / "decisions"
INDEX = FOLDER / "README.md"
TITLE = re.compile(r"# (?P<number>\d{4}) (?P<title>\S.*\S)")
HEADER = re.compile(
    r"Status: (?P<status>accepted|superseded by (?P<by>\d{4}))\. Area: (?P<areas>[a-z0-9_/]+(?:, [a-z0-9_/]+)*)\."
)


class Record(NamedTuple):
    """One decision: its file name, number, title, areas, and the record that replaces it, or ""."""

    file: str
    number: str
    title: str
    areas: tuple[str, ...]
    superseded_by: str


def records() -> list[Record]:
    """Return the records in the order of their numbers.  Raises SystemExit if one has another form."""
    out = []
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        lines = path.read_text(encoding="utf-8").split("\n")
        title, header = TITLE.fullmatch(lines[0]), HEADER.fullmatch(lines[2]) if len(lines) > 2 else None
        if title is None or header is None or lines[1] or title["number"] != path.name[:4]:
            raise SystemExit(
                f"{path.name}: expected '# {path.name[:4]} A statement', an empty line and 'Status: accepted. Area: "
                f"folder.', was {lines[:3]}"
            )
        areas = tuple(header["areas"].split(", "))
        out.append(Record(path.name, title["number"], title["title"], areas, header["by"] or ""))
    return out


def index() -> str:
    """Return the text of the index, grouped by the first area of each record."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records():
        groups[record.areas[0]].append(record)
    lines = [
        "# Decisions",
        "",
        "Where a rule was open or two texts met. One page each: context, decision, why, what else was weighed.",
        "Written by `python docs/decisions.py`; do not edit.",
    ]
    for area in sorted(groups):
        lines += ["", f"## {area}", ""]
        for record in groups[area]:
            note = f" (superseded by {record.superseded_by})" if record.superseded_by else ""
            lines.append(f"- [{record.number}]({record.file}) {record.title}{note}")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the index, or with ``--check`` return 1 where it is stale."""
    complaints = write_or_check(INDEX, index(), "python docs/decisions.py", arguments)
    sys.stderr.writelines(f"{complaint}\n" for complaint in complaints)
    return len(complaints)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
