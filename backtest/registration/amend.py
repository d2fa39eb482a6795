"""Amendments: numbered files that change a registration without touching its text.  [statistics R12.4]

``registration.toml`` is append-only.  Beside it, ``amendments/0001.toml`` holds one ``[[amendments]]`` table: when,
why, whether any outcome was known, and for every changed key the value before and after.  Each names the SHA-256 of
the file before it, so none can be slipped in, dropped or reordered.  One made with an outcome known makes the study
exploratory.
"""

from __future__ import annotations

import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.errors import MissingError, UsageError

AMENDED_NAME = "registration.toml"


def amendment_files(path: Path) -> list[Path]:
    """Return the amendments beside ``path``, in order; none for a file of another name."""
    return sorted((path.parent / "amendments").glob("*.toml")) if path.name == AMENDED_NAME else []


def amendment_texts(path: Path, count: int | None = None) -> list[str]:
    """Return the texts of the amendments beside ``path``, in order: all, or the first ``count``.

    Raises ``UsageError`` where one does not name the SHA-256 of its parent, or is not one amendment and nothing else:
    what it changes is told with the value before, and its number is its place in time.
    """
    try:
        parent = path.read_bytes()
        texts = []
        for file in amendment_files(path)[:count]:
            body = file.read_bytes()
            digest = sha256(parent).hexdigest()
            if f'parent_sha256 = "{digest}"'.encode() not in body:
                raise UsageError(f'{file}: expected parent_sha256 = "{digest}", the file before it; it names another')
            text = body.decode("utf-8")
            _alone(file, text)
            texts.append(text)
            parent = body
    except (OSError, UnicodeDecodeError) as problem:
        raise MissingError(f"expected readable amendments beside {path}, was: {problem}") from problem
    return texts


def _alone(file: Path, text: str) -> None:
    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{file}: expected TOML, was: {problem}") from problem
    tables = tree.get("amendments")
    if set(tree) != {"amendments"} or not isinstance(tables, list) or len(tables) != 1:
        count = f"{len(tables)} of them" if isinstance(tables, list) else "none"
        raise UsageError(f"{file}: expected one [[amendments]] table and nothing else, was {count} in {sorted(tree)}")


def apply(path: Path, tree: dict[str, Any]) -> dict[str, Any]:
    """Return ``tree`` with the changes of its ``amendments`` made, each checked against its value before."""
    tree.setdefault("amendments", [])
    if not isinstance(tree["amendments"], list):
        raise UsageError(f"{path}: amendments: expected tables [[amendments]], was {tree['amendments']!r}")
    names = [table.get("name") for table in tree["amendments"] if isinstance(table, dict)]
    if len({str(name) for name in names}) != len(names):
        raise UsageError(f"{path}: amendments: expected a name of its own for each, was {names}")
    for amendment in tree["amendments"]:
        changes = amendment.get("changes", []) if isinstance(amendment, dict) else []
        if not isinstance(changes, list) or not all(isinstance(change, dict) for change in changes):
            raise UsageError(f"{path}: amendments: changes: expected tables of key, before and after, was {changes!r}")
        for change in changes:
            _change(path, tree, change)
    return tree


def _change(path: Path, tree: dict[str, Any], change: dict[str, Any]) -> None:
    *tables, key = str(change.get("key", "")).split(".")
    table: Any = tree
    for name in tables:
        table = table.get(name) if isinstance(table, dict) else None
    if not isinstance(table, dict) or key not in table:
        raise UsageError(f"{path}: amendments: expected a key of the registration, was {change.get('key')!r}")
    if table[key] != change.get("before"):
        raise UsageError(
            f"{path}: amendments: {change['key']}: expected before = {table[key]!r}, was {change.get('before')!r}"
        )
    table[key] = change.get("after")
