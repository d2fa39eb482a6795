"""Hash-chained lines: the bytes of audit 13.1 computed again, every kind of damage, and a process that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from engine.errors import LedgerError, WriteError
from engine.ledger.format.closed_tables import closed
from engine.ledger.format.fields import COUNT, HEX, TEXT
from engine.ledger.hash_chain import EMPTY, ChainFormat, ChainWriter, heads_of, next_line, read_chain, whole_lines

ROOT = Path(__file__).parents[3]
FORMAT = ChainFormat("segment")


def check(record: object) -> None:
    closed(record, {"name": TEXT, "seq": COUNT, "prev_hash": HEX}, "record")


def chain(*names: str) -> bytes:
    head, body = EMPTY, b""
    for name in names:
        head, line = next_line(FORMAT, head, {"name": name})
        body += line + b"\n"
    return body


def test_lines_and_heads_are_those_of_the_rule() -> None:
    """Written again with json and hashlib alone: sorted keys, no spaces, H(tag, line) as the next previous hash."""
    body, previous, heads = b"", "0" * 64, []
    for number, name in enumerate(("a", "b", "\u00e9")):
        record = {"seq": number, "prev_hash": previous, "name": name}
        line = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        previous = sha256(b"cme-audit/1/segment\x00" + line).hexdigest()
        heads.append(previous)
        body += line + b"\n"

    assert chain("a", "b", "\u00e9") == body
    read = list(read_chain(FORMAT, body, check))
    assert [record["name"] for _, record in read] == ["a", "b", "\u00e9"]
    assert [head.hash for head, _ in read] == list(heads_of(FORMAT, body)) == heads
    assert [head.size for head, _ in read] == [1, 2, 3]


def test_the_keys_of_place_and_previous_hash_are_the_format_s() -> None:
    """A file may call them otherwise, as the segments of a recorder do."""
    form = ChainFormat("day", sequence_key="number", previous_key="previous")
    _, line = next_line(form, EMPTY, {"day": "2026-11-30"})

    assert json.loads(line) == {"day": "2026-11-30", "number": 0, "previous": "0" * 64}
    assert len(list(read_chain(form, line + b"\n", lambda _: None))) == 1


@pytest.mark.parametrize(
    ("damage", "code", "number"),
    [
        (lambda lines: lines[1:], 12, 0),
        (lambda lines: [lines[0], lines[2]], 12, 1),
        (lambda lines: [lines[0], lines[2], lines[1]], 12, 1),
        (lambda lines: [lines[0], lines[1], lines[1]], 12, 2),
        (lambda lines: [lines[0].replace(b'"a"', b'"x"'), *lines[1:]], 12, 1),
        (lambda lines: [lines[0], lines[1].replace(b'"seq":1', b'"seq":2'), lines[2]], 12, 1),
        (lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]], 10, 0),
        (lambda lines: [lines[0], b"", *lines[1:]], 10, 1),
        (lambda lines: [lines[0], lines[1].replace(b'"name"', b'"size"'), lines[2]], 10, 1),
        (lambda lines: [lines[0], b"\xff", lines[2]], 10, 1),
    ],
)
def test_damage_is_refused_with_its_line(damage, code, number) -> None:
    lines = chain("a", "b", "c").split(b"\n")[:-1]
    body = b"".join(line + b"\n" for line in damage(lines))

    with pytest.raises(LedgerError, match=f"^line {number}: ") as refused:
        list(read_chain(FORMAT, body, check))
    assert refused.value.exit_code == code


def test_a_torn_last_line_is_not_part_of_the_chain() -> None:
    """Cut anywhere: the whole lines before the cut are read, and the rest is returned apart."""
    body = chain("a", "b", "c")
    for cut in range(len(body) + 1):
        lines, rest = whole_lines(body[:cut])
        assert len(list(read_chain(FORMAT, body[:cut], check))) == len(lines) == body[:cut].count(b"\n")
        assert b"".join(line + b"\n" for line in lines) + rest == body[:cut]


def test_a_writer_appends_what_a_reader_reads(tmp_path: Path) -> None:
    """A second writer continues at the head of the first; a record that cannot be written changes nothing."""
    path = tmp_path / "chain.jsonl"
    with path.open("xb") as stream:
        writer = ChainWriter(FORMAT, stream)
        writer.append({"name": "a"})
        with pytest.raises(LedgerError):
            writer.append({"name": 0.5})
        writer.append({"name": "b"})
        writer.sync()
        assert path.read_bytes() == chain("a", "b")
        head = writer.head
    with path.open("ab") as stream:
        writer = ChainWriter(FORMAT, stream, head)
        writer.append({"name": "c"})
        writer.close()

    assert path.read_bytes() == chain("a", "b", "c")
    assert list(heads_of(FORMAT, path.read_bytes()))[-1] == writer.head.hash


def test_a_full_disk_is_a_write_error() -> None:
    """/dev/full refuses every byte that leaves the buffer."""
    stream = Path("/dev/full").open("wb")  # noqa: SIM115  # closing it raises
    writer = ChainWriter(FORMAT, stream)
    writer.append({"name": "a"})
    with pytest.raises(WriteError, match="/dev/full"):
        writer.sync()
    with pytest.raises(OSError):
        stream.close()


def test_a_killed_writer_leaves_what_was_synced(tmp_path: Path) -> None:
    """SIGKILL after `sync` and one more append: the synced lines are read, whatever became of the last."""
    code = (
        "import os, sys, signal\n"
        "from engine.ledger.hash_chain import ChainFormat, ChainWriter\n"
        "writer = ChainWriter(ChainFormat('segment'), open(sys.argv[1], 'xb'))\n"
        "writer.append({'name': 'a'}); writer.append({'name': 'b'}); writer.sync()\n"
        "writer.append({'name': 'lost'}); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "chain.jsonl"
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)

    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes().startswith(chain("a", "b"))
    assert [record["name"] for _, record in read_chain(FORMAT, path.read_bytes(), check)][:2] == ["a", "b"]
