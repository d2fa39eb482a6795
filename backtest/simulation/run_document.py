"""What `cme verify` says of a run directory without a ledger: which kind it is, and its checks as one document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from backtest.rundir import checksums
from engine.errors import CmeError

CHANGED: Final = 16
"""Exit code of a file that is not what the listing says, as for ledger runs."""
DIFFERENT: Final = 30
"""Exit code of a result that, computed again, is another.  [audit 8.3]"""


def has_schema(path: Path, schema: str) -> bool:
    """Return whether a folder is a run whose manifest names ``schema``."""
    try:
        content = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("schema") == schema


def check_entry(name: str, problem: str, code: int) -> dict[str, Any]:
    """Return one entry of ``checks``; its exit code is ``code`` where there is a ``problem``."""
    return {"name": name, "reason": problem, "exit": code if problem else 0}


def files_entry(path: Path) -> dict[str, Any]:
    """Return the entry of a run's files against its listing: the first that was added, removed or changed."""
    try:
        actual, listed = checksums.file_digests(path), checksums.listed_digests(path / checksums.NAME)
    except CmeError as error:
        return check_entry("files", str(error), error.exit_code)
    for name in sorted(set(actual) | set(listed)):
        if actual.get(name) != listed.get(name):
            word = "was added" if name not in listed else "is missing" if name not in actual else "was changed"
            return check_entry("files", f"{name} {word} since the run was finished", CHANGED)
    return check_entry("files", "", 0)


def document_of(checks: Sequence[dict[str, Any]], unchecked: Sequence[str]) -> dict[str, Any]:
    """Return the document of `cme verify --json`, with the exit code and reason of the first check that fails."""
    worst = next((check for check in checks if check["exit"]), None)
    return {
        "exit": worst["exit"] if worst else 0,
        "reason": worst["reason"] if worst else "",
        "ledgers": {},
        "checks": list(checks),
        "unchecked": list(unchecked),
    }
