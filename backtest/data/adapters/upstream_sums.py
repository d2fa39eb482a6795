"""Checks a source file against the sum that its publisher lays beside it, and against the list of replaced files.

    BTCUSDT-1m-2026-01.zip.CHECKSUM     ``<SHA-256>  BTCUSDT-1m-2026-01.zip``, as Binance's archive publishes it
    replaced.tsv                        name, SHA-256 before, SHA-256 after, day, what changed: kept by whoever fetches

A publisher replaces files: Binance does so without a word, and then the sum is another.  A file of before is read as
what it is, an old one: exit 21, whether its sum was fetched anew or the list names it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path
from typing import Final, NamedTuple

from engine.errors import DataError, MissingError

SUFFIX: Final = ".CHECKSUM"
REPLACED: Final = "replaced.tsv"
_SUM: Final = re.compile(r"([0-9a-fA-F]{64}) [ *](\S+)\s*\Z")
_HEX: Final = re.compile(r"[0-9a-f]{64}\Z")
_DIFFERS: Final = 21


class ReplacedFile(NamedTuple):
    """A file that its publisher has replaced: sums of before and after, the day it was noticed, what changed."""

    name: str
    before: str
    after: str
    day: str
    what: str


_COLUMNS: Final = ReplacedFile._fields


def check_upstream(path: Path, where: str) -> None:
    """Compare a file with the sum beside it and with the list of replaced files in its folder; neither need be there.

    Raises ``DataError``: 21 naming ``where`` if the file is another than its sum says, or one that was replaced, 4 if
    sum or list are not of their form.

    Examples
    --------
    >>> check_upstream(Path("README.md"), "README.md")
    """
    beside, listed = path.with_name(path.name + SUFFIX), path.with_name(REPLACED)
    expected = _published(beside, path.name, f"{where}{SUFFIX}") if beside.is_file() else None
    old = [row for row in replaced_files(listed) if row.name == path.name] if listed.is_file() else []
    if expected is None and not old:
        return
    found = _digest(path)
    for row in old:
        if found == row.before:
            raise DataError(
                f"{where}: expected the file with SHA-256 {row.after}, was the one that its publisher replaced "
                f"({row.day}: {row.what}); fetch it again",
                exit_code=_DIFFERS,
            )
    if expected is not None and found != expected:
        raise DataError(
            f"{where}: expected SHA-256 {expected} of {beside.name}, was {found}: the file is damaged, or was "
            f"replaced by its publisher; fetch both again, and note it in {REPLACED} if the file of before was used",
            exit_code=_DIFFERS,
        )


def replaced_files(path: Path) -> list[ReplacedFile]:
    r"""Return the rows of a list of replaced files; its first line names the columns.

    Raises ``MissingError`` (3) if it cannot be read, ``DataError`` (4) with the number of a line of another form.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / REPLACED
    ...     cells = ["a.zip", "0" * 64, "1" * 64, "2026-12-01", "two rows"]
    ...     _ = path.write_text("\t".join(ReplacedFile._fields) + "\n" + "\t".join(cells))
    ...     replaced_files(path)[0].name
    'a.zip'
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise MissingError(f"expected the list of replaced files {path}, was: {error}") from error
    if lines[:1] != ["\t".join(_COLUMNS)]:
        raise DataError(f"{path}, line 1: expected the columns {', '.join(_COLUMNS)}, separated by tabs")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        cells = line.split("\t")
        if len(cells) != len(_COLUMNS) or not (_HEX.match(cells[1]) and _HEX.match(cells[2])):
            raise DataError(
                f"{path}, line {number}: expected {', '.join(_COLUMNS)} with two SHA-256, was {line[:120]!r}"
            )
        rows.append(ReplacedFile(*cells))
    return rows


def _published(path: Path, name: str, where: str) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{where}: expected '<SHA-256>  {name}', was: {error}; fetch it again") from error
    match = _SUM.match(text)
    if match is None or match[2] != name:
        raise DataError(f"{where}: expected '<SHA-256>  {name}', was {text[:120]!r}; fetch it again")
    return match[1].lower()


def _digest(path: Path) -> str:
    try:
        stat = path.stat()
        return _digest_of(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise MissingError(f"{path}: expected a readable file, was: {error.strerror or error}") from error


# A source is listed, then read file by file: hashed once in each process.
@lru_cache(maxsize=4_096)
def _digest_of(path: Path, _changed_ns: int, _size: int) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
