"""What `cme verify` says of a run directory without a ledger: which kind it is, and its checks as one document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


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
