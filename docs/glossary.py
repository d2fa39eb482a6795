"""Writes docs/glossary.md from reports/glossary.toml, which the report reads too; ``--check`` says if it is stale."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from generated_page import write_or_check

ROOT = Path(__file__).resolve().parents[1]
SOURCE, PAGE = ROOT / "reports" / "glossary.toml", ROOT / "docs" / "glossary.md"
HEAD = """# Glossary

Terms that two readers would have to ask for. Rule: where `docs/method.md` defines it. File: where to start reading.
Written by `python docs/glossary.py` from `reports/glossary.toml`; do not edit.

| term | meaning | rule | file |
|---|---|---|---|
"""


def page() -> str:
    """Return the text of the page, one row a term."""
    rows = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["term"]
    return HEAD + "".join(
        f"| {row['name']} | {row['meaning']} | {', '.join(row['rules'])} "
        f"| {', '.join(f'`{file}`' for file in row['files'])} |\n"
        for row in rows
    )


def main(arguments: list[str]) -> int:
    """Write or check the page; 0 if it is fresh."""
    complaints = write_or_check(PAGE, page(), "python docs/glossary.py", arguments)
    sys.stderr.writelines(f"{complaint}\n" for complaint in complaints)
    return len(complaints)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
