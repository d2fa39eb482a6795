"""Joins a plan with the plan it extends: its own keys win, and everything else is the other's, written out in full.

    extends = "../demo.toml"       first line of a plan; the rest of the file holds only what differs
    without = ["underlyings[ETH]"]  what the other has and this one has not, by its key as an amendment names it

Tables are joined key by key, after what ``without`` names is taken out.  Of an array of tables the entries are joined
by their ``item`` or ``name``; any other value takes the place of the other's.  The joined plan is what is loaded,
hashed and kept in a run directory: it is complete and names no other file but its venues'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import reduce
from typing import Any, Final

from backtest.registration.keys import NAMES, below, steps_of

EXTENDS: Final = "extends"
WITHOUT: Final = "without"
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_OF_THE_MARKET: Final = ("market", "grid", "window", "windows", "reference price")
"""Choices that speak of one market and its data; others give reasons for numbers."""


def joined(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with what ``overrides`` says in its place; keys keep their order, new ones come last.

    >>> joined({"a": {"x": 1, "y": 2}, "b": [1]}, {"a": {"y": 3}, "b": []})
    {'a': {'x': 1, 'y': 3}, 'b': []}
    """
    return {**base, **{key: _both(base[key], value) if key in base else value for key, value in overrides.items()}}


def taken_out(base: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return ``base`` without the values at the dotted ``keys``; ``base`` itself stays as it is.

    Keys are as in `backtest.registration.keys`.  Raises ``KeyError`` with the first that names nothing in ``base``.

    >>> taken_out({"a": [{"name": "x"}, {"name": "y"}], "b": {"c": 1, "d": 2}}, ["a[x]", "b.c"])
    {'a': [{'name': 'y'}], 'b': {'d': 2}}
    """
    tree = deepcopy(base)
    for key in keys:
        *parents, last = steps_of(key)
        holder: Any = reduce(below, parents, tree)
        entry = below(holder, last)
        if isinstance(holder, dict) and last in holder:
            del holder[last]
        elif isinstance(holder, list) and entry is not None:
            holder.remove(entry)
        else:
            raise KeyError(key)
    return tree


def words_left(base: dict[str, Any], overrides: dict[str, Any]) -> list[str]:
    """Return which words about the market of ``base`` a plan with its own market has not replaced, by key.

    A plan has its own market if ``overrides`` says what its data are or names instruments; one that changes a number
    alone speaks of the same market, and has none left.  ``base`` is without what the plan takes out.
    """
    data = overrides.get("data", {})
    own = "underlyings" in overrides or (isinstance(data, dict) and bool({"kind", "sources"} & set(data)))
    if not own:
        return []
    said = {entry.get("item") for entry in overrides.get("choices", ()) if isinstance(entry, dict)}
    items = [str(entry["item"]) for entry in base.get("choices", ()) if entry["item"] in _OF_THE_MARKET]
    left = [f"choices[{item}]" for item in items if item not in said]
    return [
        *(["title"] if "title" not in overrides else []),
        *(["data.cannot_say"] if "cannot_say" not in data and base.get("data", {}).get("cannot_say") else []),
        *left,
    ]


def text_of(tree: dict[str, Any]) -> str:
    """Return ``tree`` as TOML: texts, integers, truth values, arrays and tables, as a registration has them."""
    return "\n".join(_table(tree, ())) + "\n"


def _both(base: Any, overrides: Any) -> Any:
    if isinstance(base, dict) and isinstance(overrides, dict):
        return joined(base, overrides)
    name = next((name for name in NAMES if _named(base, name) and _named(overrides, name)), None)
    if name is None:
        return overrides
    entries = {entry[name]: entry for entry in base}
    return list(joined(entries, {entry[name]: entry for entry in overrides}).values())


def _named(value: Any, name: str) -> bool:
    """Whether ``value`` is an array of tables that all have the text ``name``."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and isinstance(entry.get(name), str) for entry in value)
    )


def _table(tree: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of one table: its values first, for what follows a header belongs to it."""
    below = {key: value for key, value in tree.items() if isinstance(value, dict) or _is_tables(value)}
    for key, value in tree.items():
        if key not in below:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in below.items():
        name = ".".join(map(_key, (*path, key)))
        for entry, header in [(value, f"[{name}]")] if isinstance(value, dict) else [(e, f"[[{name}]]") for e in value]:
            yield f"\n{header}"
            yield from _table(entry, (*path, key))


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_value(entry)}' for key, entry in value.items())} }}"
    # a JSON text is a basic string of TOML, but that TOML wants one more character escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else str(value)
