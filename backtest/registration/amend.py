"""Amendments: numbered files that change a registration without touching its text.  [statistics R12.4]

``registration.toml`` is append-only.  Beside it, ``amendments/0001.toml`` holds one ``[[amendments]]`` table: when,
why, whether any outcome was known, and for every changed key the value before and after.  A key is dotted; an entry of
an array of tables stands in brackets, by its ``item`` or ``name``, or by its number from 0 where it has neither:
``choices[test window].value``, ``split.windows[0].start``.  Each amendment names the SHA-256 of the file before it, so
none can be slipped in, dropped or reordered.  One made with an outcome known makes the study exploratory.
"""

from __future__ import annotations

import tomllib
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

from backtest.registration.keys import below, steps_of
from backtest.registration.schema import Amendment, AmendmentChange
from backtest.toml_tables import Table, TableError, read_table
from engine.errors import MissingError, UsageError

AMENDED_NAME = "registration.toml"
_MAY_LACK = ("fx", "methods", "assumptions", "covenants")
"""Tables that a plan may leave out and an amendment may fill."""
_LATER_KEYS = {"statistics": ("n2_statistic",), "grid": ("max_lag_s", "refreshed")}
"""The same of single keys: the value before is then the empty text."""


class Amendments(Table):
    """The only table of an amendment file, and the one of a registration that lists those applied."""

    amendments: list[Amendment]


def amendment_files(path: Path) -> list[Path]:
    """Return the amendments beside ``path``, in order; none for a file of another name."""
    return sorted((path.parent / "amendments").glob("*.toml")) if path.name == AMENDED_NAME else []


def amendment_texts(path: Path, count: int | None = None) -> list[str]:
    """Return the texts of the amendments beside ``path``, in order: all, or the first ``count``.

    The order of the files is their order in time.  Raises ``MissingError`` (3) if one cannot be read and ``UsageError``
    (2) if one does not name the SHA-256 of the file before it, or is not one amendment and nothing else.
    """
    try:
        parent = path.read_bytes()
        texts = []
        for file in amendment_files(path)[:count]:
            body = file.read_bytes()
            digest = sha256(parent).hexdigest()
            # Searched in the bytes: a file that breaks the chain is refused before it is parsed.
            if f'parent_sha256 = "{digest}"'.encode() not in body:
                raise UsageError(f'{file}: expected parent_sha256 = "{digest}", the file before it; it names another')
            text = body.decode("utf-8")
            _check_file(file, text)
            texts.append(text)
            parent = body
    except (OSError, UnicodeDecodeError) as problem:
        raise MissingError(f"expected readable amendments beside {path}, was: {problem}") from problem
    return texts


def check_venues(path: Path, amendments: list[str], venues: str) -> None:
    """Raise ``UsageError`` (2) unless ``venues``, the venue files' texts, are those that the last amendment fixed.

    The rows of venue files are registered text in files of their own, which the chain of amendments does not hold; an
    amendment with ``venues_sha256`` fixes them.  Amendments of before that key fix none.
    """
    fixed = [table["venues_sha256"] for text in amendments for table in tomllib.loads(text)["amendments"]
             if "venues_sha256" in table]  # fmt: skip
    found = sha256(venues.encode()).hexdigest()
    if fixed and fixed[-1] != found:
        raise UsageError(
            f"{path}: expected the venue files that its amendments fixed (venues_sha256 {fixed[-1]}), was {found}: "
            "take the files from the history, or write an amendment that says what changed and why, with the new sum"
        )


def _check_file(file: Path, text: str) -> None:
    try:
        amendments = read_table(Amendments, tomllib.loads(text)).amendments
    except (ValueError, RecursionError) as problem:  # ValueError: no TOML, or a table that cannot be accepted
        raise UsageError(f"{file}: expected one [[amendments]] table, was: {problem}") from problem
    if len(amendments) != 1:
        raise UsageError(f"{file}: expected one [[amendments]] table and nothing else, was {len(amendments)} of them")


def apply(path: Path, tree: dict[str, Any]) -> dict[str, Any]:
    """Return ``tree``, changed in place, with the changes of its ``amendments`` made in their order.

    Raises ``UsageError`` (2) if an amendment is not what `Amendment` expects, two have one name, or a change names no
    key of the registration or another value before than the key has.
    """
    tree.setdefault("amendments", [])
    # What a plan may leave out and an amendment may fill.
    if isinstance(tree.get("data"), dict):
        tree["data"].setdefault("known_missing", [])
    left_out = [name for name in _MAY_LACK if name not in tree]
    for name in left_out:
        tree[name] = {}
    later = [(table, key) for name, keys in _LATER_KEYS.items() if isinstance(table := tree.get(name), dict)
             for key in keys if key not in table]  # fmt: skip
    for table, key in later:
        table[key] = ""
    try:
        amendments = read_table(Amendments, {"amendments": tree["amendments"]}).amendments
    except TableError as problem:
        raise UsageError(f"{path}: {problem}") from problem
    names = [amendment.name for amendment in amendments]
    if len(set(names)) != len(names):
        raise UsageError(f"{path}: amendments: expected a name of its own for each, was {names}")
    for number, amendment in enumerate(amendments):
        for place, change in enumerate(amendment.changes):
            _change(f"{path}: amendments[{number}].changes[{place}]", tree, change)
    for name in left_out:
        if not tree[name]:
            del tree[name]
    for table, key in later:
        if table[key] == "":
            del table[key]
    return tree


def _change(where: str, tree: dict[str, Any], change: AmendmentChange) -> None:
    *steps, key = steps_of(change.key)
    table = reduce(below, steps, tree)
    if not isinstance(table, dict) or key not in table:
        raise UsageError(f"{where}.key: expected a key of the registration, was {change.key!r}")
    if table[key] != change.before:
        raise UsageError(f"{where}.before: expected {table[key]!r}, the value of {change.key}, was {change.before!r}")
    table[key] = change.after
