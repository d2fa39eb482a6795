"""Damage of market data: cells of tables, values of messages, lines of recordings.  All drawn from one generator."""

from __future__ import annotations

import csv
import io
import json
from random import Random
from typing import Any, Final

from tests.fuzz.mutate_trees import moved, of_tree

CELLS: Final = (
    "", "-", "n.a.", "null", "NaN", "nan", "inf", "-inf", "1e400", "1e-400", "0.0100%", "1,234.5", "1_000", "0x10",
    "True", "-0", "1e12", "1706745600000.0", "1.7067456e12", "1706745600", "1706745600000000",
    "2024-02-01T00:00:00+01:00", "2024-02-30", "9" * 25, "9" * 400, "0", "-1", "0.5", " 1.5 ", "١", "BTC-30FEB24",
    "ETHUSDT", "BTC-29MAR24-8d6-P",
)  # fmt: skip
"""What people, exports and spreadsheets write into a cell."""


def of_table(body: bytes, chance: Random) -> bytes:
    """Return a CSV with one cell other, a row or column twice, moved or taken away, or a header of another name."""
    rows = list(csv.reader(io.StringIO(body.decode())))
    at = chance.randrange(len(rows))
    column = chance.randrange(len(rows[0]))
    how = chance.randrange(8)
    if how == 0:
        del rows[at]
    elif how == 1:
        rows.insert(chance.randrange(len(rows) + 1), list(rows[at]))
    elif how == 2:
        rows = [row[:column] + row[column + 1 :] for row in rows]
    elif how == 3:
        to = chance.randrange(len(rows[0]))
        rows = [[*(rest := row[:column] + row[column + 1 :])[:to], row[column], *rest[to:]] for row in rows]
    elif how == 4:
        rows[at] = rows[at][:column] if chance.random() < 0.5 else [*rows[at], chance.choice(CELLS)]
    else:
        rows[at][min(column, len(rows[at]) - 1)] = chance.choice(CELLS)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def of_values(body: bytes, chance: Random) -> bytes:
    """Return any JSON document with one value other."""
    return json.dumps(_odd(json.loads(body), chance)).encode()


def of_jsonl(body: bytes, chance: Random) -> bytes:
    """Return JSON lines with a value of one of them other, or a line moved or twice."""
    rows = [json.loads(line) for line in body.splitlines()]
    if chance.random() < 0.2:
        rows = moved(rows, chance)
    else:
        at = chance.randrange(len(rows))
        rows[at] = _odd(rows[at], chance)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def of_recording(body: bytes, chance: Random) -> bytes:
    """Return a recording with a message other, moved or twice, under the times that were there."""
    stamps, messages = zip(*(line.split(b" ", 1) for line in body.splitlines()), strict=True)
    changed = of_jsonl(b"\n".join(messages), chance).splitlines()
    times = [*stamps, stamps[-1]][: len(changed)]
    return b"".join(time + b" " + message + b"\n" for time, message in zip(times, changed, strict=False))


def _odd(tree: Any, chance: Random) -> Any:
    """Return ``tree`` damaged, or with one of its numbers and texts replaced by a cell that somebody wrote."""
    if chance.random() < 0.5:
        return of_tree(tree, chance)
    places = [(node, key) for node in _nodes(tree) for key in (node if isinstance(node, dict) else range(len(node)))]
    leaves = [(node, key) for node, key in places if not isinstance(node[key], dict | list)]
    node, key = chance.choice(leaves)
    node[key] = chance.choice(CELLS)
    return tree


def _nodes(tree: Any) -> list[Any]:
    """Return every object and list of a tree."""
    found = [tree] if isinstance(tree, dict | list) else []
    for node in found:
        found += [one for one in (node.values() if isinstance(node, dict) else node) if isinstance(one, dict | list)]
    return found
