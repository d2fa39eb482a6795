"""``files.sha256``: the SHA-256 of every file of a finished run directory but itself, as ``sha256sum -c`` reads it.

    write(run)                        what a run does last: from here on the directory is finished
    renew(run, ["report.html"])       what `cme judge` and `cme report` do with what they wrote, and with nothing else

A listing shows accidents and careless changes.  It is no proof: who changes a file can list it anew.  [S8.6, audit 8]
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from backtest.data.format.atomic_write import write_whole
from engine.errors import CmeError, MissingError

NAME: Final = "files.sha256"
MOST_TEXT: Final = 2**27
"""Of one file that is read as a whole: JSON, sums, reports."""
IRREGULAR: Final = "no regular file"
"""Takes the place of a hash for a link, a pipe or a device."""
_LINE: Final = re.compile(r"([0-9a-f]{64})  (\S.*)")


def write(run: Path) -> None:
    """List every file of ``run``; durable, and there whole or not at all.  Raises ``WriteError`` (5)."""
    write_whole(run / NAME, sums_text(file_digests(run)))


def renew(run: Path, written: Iterable[str]) -> bool:
    """List the files ``written`` as they are now, and every other as before: damage elsewhere stays visible.

    Return False, and write nothing, where ``run`` has no listing: only the run itself can say what it wrote.
    """
    if not (run / NAME).is_file():
        return False
    now = {name: digest_of(run / name) for name in written if (run / name).is_file()}
    write_whole(run / NAME, sums_text(listed_digests(run / NAME) | now))
    return True


def holds(run: Path) -> bool:
    """Return whether ``run`` has a listing, and exactly the files that it lists, each with its hash."""
    try:
        return listed_digests(run / NAME) == file_digests(run)
    except (CmeError, OSError):
        return False


def changed(run: Path, name: str) -> bool:
    """Return whether ``run`` lists the file ``name`` with another hash than it has; False where nothing lists it."""
    return (run / NAME).is_file() and listed_digests(run / NAME).get(name, "") not in ("", digest_of(run / name))


def file_digests(run: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below ``run`` but the listing, by relative name; links are not followed."""
    # A link to a folder is listed too, as what a run may not contain.
    paths = {
        path.relative_to(run).as_posix(): path for path in run.rglob("*") if path.is_symlink() or not path.is_dir()
    }
    return {name: digest_of(paths[name]) for name in sorted(paths) if name != NAME}


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex, or that it is no regular file."""
    if not stat.S_ISREG(path.lstat().st_mode):
        return IRREGULAR
    digest = sha256()
    with path.open("rb") as stream:
        while piece := stream.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def sums_text(sums: Mapping[str, str]) -> bytes:
    """Return the text that ``sha256sum -c`` reads, sorted by name."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums, key=str.encode)).encode()


def listed_digests(path: Path) -> dict[str, str]:
    """Return what a file of sums says, by name.  Raises ``MissingError`` (3) for one that is none."""
    try:
        if path.stat().st_size > MOST_TEXT:
            raise MissingError(f"{path.name}: expected at most {MOST_TEXT} bytes, was more")
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingError(f"{path.name}: expected a file of SHA-256 sums, was: {error}") from error
    matched = [_LINE.fullmatch(line) for line in lines[:-1]]
    sums = {line[2]: line[1] for line in matched if line}
    # A last line without its end was cut off.
    if lines[-1] or len(sums) != len(matched):
        raise MissingError(f"{path.name}: expected lines of a hash, two spaces and a name, each name once")
    return sums
