"""What a power loss may leave of a writer's files: its system calls are recorded, then replayed onto a model of a disk.

    calls = record(folder, synchronous="FULL")        one writer under strace: writes, syncs, renames, acknowledgements
    for disk, acknowledged in disks(before, calls):   the disk after each call
        disk.left("drop" | "keep" | "some" | "torn")  path -> bytes: unsynced work lost, kept, in part, torn

What a file's fsync promises is its content; what a folder's fsync promises is its names.  Unsynced writes of a file may
reach the disk in any subset, and cut at any 512-byte sector; unsynced names in order, up to any point.  Not modelled: a
disk that loses or reorders what it has confirmed, and sectors that are torn inside.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.ledgers import signal, store

SECTOR = 512
BATCH = 3
TRACED = "openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat"
_CALL = re.compile(r"\d+ +(\w+)\((.*)\) += (-?\d+)")
_WORD = re.compile(r'"((?:\\x[0-9a-f]{2})*)"|<((?:\\x[0-9a-f]{2})*)>')


@dataclass
class File:
    """What is safely on the disk, and the writes after it: (offset, bytes), or (size, None) for a truncation."""

    safe: bytes = b""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)
    size: int = 0  # as the writer sees it, for writes at the end


@dataclass
class Disk:
    """Files by name, as the writer sees them, as they are safe, and the changes of names in between."""

    seen: dict[str, File]
    safe: dict[str, File]
    names: list[tuple[str, str, File | None]] = field(default_factory=list)  # (folder, path, its file or none)
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # no secret

    def apply(self, call: str, words: list[str], size: int, result: int) -> None:
        """Do what one successful call does."""
        if call == "openat":
            if words[-1] not in self.seen:
                self._name(words[-1], File())
        elif call in ("fsync", "fdatasync"):
            self._sync(words[0])
        elif words[0] in self.seen and call in ("write", "pwrite64", "ftruncate"):
            file = self.seen[words[0]]
            data = None if call == "ftruncate" else words[1].encode("latin-1")
            at = file.size if call == "write" else size
            file.since.append((at, data))
            file.size = at if data is None else max(file.size, at + len(data))
        elif call.startswith("rename") and words[-2] in self.seen:
            self._name(words[-1], self.seen[words[-2]])
            self._name(words[-2], None)
        elif call.startswith("unlink") and words[-1] in self.seen:
            self._name(words[-1], None)

    def left(self, mode: str) -> dict[str, bytes]:
        """Return the files a power loss now may leave."""
        kept = {"drop": 0, "keep": len(self.names)}.get(mode, self.chance.randint(0, len(self.names)))
        names = dict(self.safe)
        for _, path, file in self.names[:kept]:
            names.pop(path, None)
            if file is not None:
                names[path] = file
        return {path: self._content(file, mode) for path, file in names.items()}

    def _name(self, path: str, file: File | None) -> None:
        self.seen.pop(path, None)
        if file is not None:
            self.seen[path] = file
        self.names.append((str(Path(path).parent), path, file))

    def _sync(self, path: str) -> None:
        if path in self.seen:
            file = self.seen[path]
            file.safe, file.since = self._content(file, "keep"), []
            return
        for _, name, file in [entry for entry in self.names if entry[0] == path]:
            self.safe.pop(name, None)
            if file is not None:
                self.safe[name] = file
        self.names = [entry for entry in self.names if entry[0] != path]

    def _content(self, file: File, mode: str) -> bytes:
        content = bytearray(file.safe)
        for at, data in file.since:
            if mode == "drop" or (mode in ("some", "torn") and self.chance.random() < 0.5):
                continue
            if data is None:
                del content[at:]
                content.extend(bytes(max(0, at - len(content))))
                continue
            for start in range(0, len(data), SECTOR if mode == "torn" else len(data) or 1):
                piece = data[start : start + (SECTOR if mode == "torn" else len(data))]
                if mode == "torn" and self.chance.random() < 0.5:
                    continue
                content.extend(bytes(max(0, at + start - len(content))))
                content[at + start : at + start + len(piece)] = piece
        return bytes(content)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder`` but the shared-memory index, which does not outlive a machine."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {str(path): path.read_bytes() for path in found}


def record(folder: Path, synchronous: str, batches: int) -> list[tuple[str, list[str], int, int]]:
    """Return the calls of one writer below ``folder``: (call, words, last number, result); "ack" is one of them."""
    trace = folder.parent / f"{folder.name}.trace"
    root = Path(__file__).resolve().parents[2]
    writer = [sys.executable, "-m", "tests.helpers.power_loss", str(folder), synchronous, str(batches)]
    command = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={TRACED}", "-o", str(trace), *writer]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    calls = []
    for line in trace.read_text().splitlines():
        found = _CALL.match(line)
        if found is None or found[3].startswith("-") or (found[1] == "openat" and "O_CREAT" not in line):
            continue
        call, arguments = found[1], line if found[1] == "openat" else found[2]
        words = [_text(a or b) for a, b in _WORD.findall(arguments)]
        if call == "write" and found[2].startswith("1<"):
            calls.append(("ack", words, 0, 0))
        elif any(word.startswith(str(folder)) for word in words) and not words[0].endswith("-shm"):
            numbers = re.findall(r", (\d+)$", found[2])
            calls.append((call, words, int(numbers[0]) if numbers else 0, int(found[3])))
    return calls


def disks(before: Mapping[str, bytes], calls: list[tuple[str, list[str], int, int]]) -> Iterator[tuple[Disk, int]]:
    """Yield the disk after each call, and how many batches had been acknowledged by then."""
    files = {path: File(data, [], len(data)) for path, data in before.items()}
    disk, acknowledged = Disk(dict(files), dict(files)), 0
    for call, words, size, result in calls:
        if call == "ack":
            acknowledged += 1
            continue
        disk.apply(call, words, size, result)
        yield disk, acknowledged


def _text(escaped: str) -> str:
    return bytes.fromhex(escaped.replace("\\x", "")).decode("latin-1")


def _write(folder: Path, synchronous: str, batches: int) -> None:
    with store(folder) as mine:
        mine._db.execute(f"PRAGMA synchronous={synchronous}")
        for n in range(batches):
            mine.append("signal", [signal(BATCH * n + k) for k in range(BATCH)])
            os.write(1, b"%d\n" % n)


if __name__ == "__main__":
    _write(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
