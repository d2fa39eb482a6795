"""Damage of trees of values, as JSON and TOML parse to, and of the order of rows."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final

VALUES: Final = (
    None, True, False, 0, 1, -1, 2**31, 2**53, -(2**63), 10**30, 0.5, "", "x", "0", "-1", "1e9", "nan", "9" * 60,
    "../../x", "/etc/hostname", "a\x00b", "\u202e", "e\u0301", "A" * 2000, [], {}, [[]], {"x": 1}, "2026-01-01",
    "2026-13-45T99:00:00Z", "0" * 64, "ce0d755e-e7d5-56c9-8819-356f41c1aa34",
)  # fmt: skip


def of_tree(tree: Any, chance: Random) -> Any:
    """Return ``tree`` with one value replaced, taken away, repeated, moved or wrapped; the tree given is used up."""
    holder: list[Any] = [tree]
    places = [(holder, 0)]
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            places.append((node, key))
            pending.append(node[key])
    node, key = chance.choice(places)
    how = chance.randrange(7)
    if how == 0 and node is not holder:
        del node[key]
    elif how == 1 and isinstance(node, list) and node is not holder:
        node.append(node[key])
    elif how == 2:
        other, there = chance.choice(places)
        node[key] = json.loads(json.dumps(other[there]))
    elif how == 3:
        node[key] = chance.choice(([node[key]], {"x": node[key]}, str(node[key])))
    elif how == 4 and isinstance(node, dict):
        node[chance.choice(("x", "", "A", "schema", "kind", "a b"))] = chance.choice(VALUES)
    else:
        node[key] = chance.choice(VALUES)
    return holder[0]


def moved(rows: list[Any], chance: Random) -> list[Any]:
    """Return ``rows`` with one of them at another place, or twice."""
    at, to = chance.randrange(len(rows)), chance.randrange(len(rows) + 1)
    row = json.loads(json.dumps(rows[at]))
    if chance.random() < 0.5:
        del rows[at]
    rows.insert(to, row)
    return rows
