"""Damage: of bytes, of trees of values, of chained lines and of archives.  Everything drawn from one generator.

    mutated(body, shape, chance, others)      ``shape``, one of SHAPES, says what the bytes are when they are whole

A damaged tree is written as JSON or TOML that parses; damaged lines are chained and hashed anew, as an attacker would,
so that what stands behind the first hash is reached as well.
"""

from __future__ import annotations

import io
import json
import tomllib
import warnings
import zipfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from random import Random
from typing import Any, Final

from engine.ledger.chain import GENESIS_PREV, row_hash
from engine.ledger.format.canonical_json import serialised, tagged_hash
from engine.ledger.format.ids import derived_ids, ledger_id
from tests.fuzz.mutate_data import of_jsonl, of_recording, of_table, of_values
from tests.fuzz.mutate_trees import moved, of_tree
from tests.helpers.small_run import toml

WORDS: Final = (
    b"\x00", b"\xff", b"\r\n", b"\n", b"\n\n", b"null", b"-1", b"-0", b"1e999", b"0.5", b"NaN", b"[" * 300, b"{" * 40,
    b'"\\ud800"', b"9" * 30, b"9" * 5000, b"{}", b"[]", b'""', b"\xe2\x80\x94 ", b"../", b"PK\x05\x06", b"\xcc\x81",
)  # fmt: skip
NAMES: Final = (
    "../x", "/x", "a\\b", "C:x", "", ".", "..", "README.txt", "ledgers/../x", "ledgers/emit.jsonl/x", "x" * 300, "con",
    "ledger/emit.jsonl", "data.json", "runs/x/journal.jsonl", "folds/03/signals.parquet", "README.TXT", "a\u0301",
)  # fmt: skip

Damage = Callable[[bytes, Random], bytes]


def mutated(body: bytes, shape: str, chance: Random, others: Sequence[bytes] = ()) -> bytes:
    """Return ``body`` with one to four damages; of its bytes or, where it parses, of what it says."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        try:
            deep = chance.random() < 0.6 and shape != "bytes"
            body = SHAPES[shape](body, chance) if deep else of_bytes(body, chance, others)
        except Exception:  # it is so broken already that nothing but its bytes can be damaged
            body = of_bytes(body, chance, others)
    return body


def of_bytes(body: bytes, chance: Random, others: Sequence[bytes] = ()) -> bytes:
    """Return ``body`` with a byte set, a piece cut, repeated or put in, or the end of another input."""
    data = bytearray(body)
    at, length = chance.randrange(len(data) + 1), chance.choice((1, 1, 2, 4, 8, 40, 200))
    how = chance.randrange(6)
    if how == 0 and data:
        data[min(at, len(data) - 1)] = chance.randrange(256)
    elif how == 1:
        del data[at : at + length]
    elif how == 2:
        data[at:at] = data[at : at + length]
    elif how == 3 and data:
        data[min(at, len(data) - 1)] ^= 1 << chance.randrange(8)
    elif how == 4 and others:
        other = chance.choice(others)
        data[at:] = other[chance.randrange(len(other) + 1) :]
    else:
        data[at:at] = chance.choice(WORDS)
    return bytes(data)


def of_json(body: bytes, chance: Random) -> bytes:
    """Return a JSON document with one value other, in canonical form or, seldom, in another layout."""
    tree = of_tree(json.loads(body), chance)
    return serialised(tree) if chance.random() < 0.8 else json.dumps(tree, indent=1).encode()


def of_toml(body: bytes, chance: Random) -> bytes:
    """Return a TOML document with one value other."""
    return toml(of_tree(tomllib.loads(body.decode()), chance)).encode()


def of_lines(body: bytes, chance: Random) -> bytes:
    """Return journal-like lines with one event other, moved or twice, and the chain made again."""
    rows = [json.loads(line) for line in body.splitlines()]
    rows = moved(rows, chance) if chance.random() < 0.2 else _one_other(rows, chance)
    head, lines = GENESIS_PREV, []
    for at, row in enumerate(rows):
        if isinstance(row, dict) and chance.random() < 0.95:
            row |= {"seq": at, "prev_hash": head}
        line = serialised(row)
        head = tagged_hash("journal", line)
        lines.append(line + b"\n")
    return b"".join(lines)


def of_ledger(body: bytes, chance: Random) -> bytes:
    """Return a ledger with one row other, moved or twice, and ids, hashes and chain made again."""
    rows = [json.loads(line)["row"] for line in body.splitlines()]
    rows = moved(rows, chance) if chance.random() < 0.3 else _one_other(rows, chance)
    head, name, lines = GENESIS_PREV, None, []
    for at, row in enumerate(rows):
        if isinstance(row, dict) and chance.random() < 0.97:
            row |= {"seq": at, "prev_hash": head}
            try:
                row["content"] |= derived_ids(row["kind"], row["content"])
                name = ledger_id(row["content"]) if at == 0 else name
                row |= {"content_hash": tagged_hash(row["kind"], serialised(row["content"])), "ledger_id": name}
            except Exception:  # it is broken already, which is what was wanted
                pass
        data = serialised(row)
        head = row_hash(data)
        lines.append(b'{"row":' + data + b',"row_hash":"' + head.encode() + b'"}\n')
    return b"".join(lines)


def of_zip(body: bytes, chance: Random) -> bytes:
    """Return an archive with an entry renamed, repeated, emptied, linked, compressed, or its facts other."""
    with zipfile.ZipFile(io.BytesIO(body)) as old:
        entries = [(info, old.read(info)) for info in old.infolist()]
    at = chance.randrange(len(entries))
    info, data = entries[at]
    how = chance.randrange(7)
    if how == 0:
        entries[at] = (_entry(chance.choice(NAMES)), data)
    elif how == 1:
        entries.append((_entry(info.filename), data))
    elif how == 2:
        entries[at] = (info, of_bytes(data, chance))
    elif how == 3:
        linked = _entry(info.filename)
        linked.external_attr = chance.choice((0o120777, 0o040755, 0o020644, 0o010644)) << 16
        entries[at] = (linked, b"/etc/hostname")
    elif how == 4:
        packed = _entry(info.filename)
        packed.compress_type = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        entries[at] = (packed, bytes(chance.choice((10, 10**6))))
    elif how == 5:
        del entries[at]
    else:
        entries.append((_entry(chance.choice(NAMES)), b"x"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name twice is what is wanted
        for one, content in entries:
            new.writestr(one, content)
    return _facts_other(out.getvalue(), chance) if chance.random() < 0.3 else out.getvalue()


def of_amendment(body: bytes, chance: Random) -> bytes:
    """Return an amendment with one value other but, mostly, still naming its parent."""
    tree = tomllib.loads(body.decode())
    parent = tree["amendments"][0]["parent_sha256"]
    found = of_tree(tree, chance)
    text = "".join(f"[[amendments]]\n{toml(one)}" for one in found["amendments"]).encode()
    return (
        text if parent.encode() in text or chance.random() < 0.1 else f'# parent_sha256 = "{parent}"\n'.encode() + text
    )


def _one_other(rows: list[Any], chance: Random) -> list[Any]:
    at = chance.randrange(len(rows))
    rows[at] = of_tree(rows[at], chance)
    return rows


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr = 3, 0o100644 << 16
    return info


def _facts_other(body: bytes, chance: Random) -> bytes:
    """Return an archive with a byte other in its central directory or its end."""
    data = bytearray(body)
    start = int.from_bytes(data[-6:-2], "little")
    at = chance.randrange(min(start, len(data) - 1), len(data))
    data[at] = chance.choice((0, 1, 0xFF, data[at] ^ 0x80, chance.randrange(256)))
    return bytes(data)


def digest(body: bytes) -> str:
    """Return the name of an input."""
    return sha256(body).hexdigest()[:12]


SHAPES: Final[dict[str, Damage]] = {
    "bytes": of_bytes, "json": of_json, "toml": of_toml, "lines": of_lines, "ledger": of_ledger, "zip": of_zip,
    "amendment": of_amendment, "table": of_table, "values": of_values, "jsonl": of_jsonl, "recording": of_recording,
}  # fmt: skip
