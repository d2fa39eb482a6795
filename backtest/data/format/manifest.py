"""``manifest.json``: every file of a data set with its hash; and the one way to read a listed file.  [audit 9.4]"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Final

from engine.errors import DataError, GateError, LedgerError, MissingError
from engine.ledger.format.canonical_json import canonical, parse, tagged_hash

MANIFEST_FILE: Final = "manifest.json"
MANIFEST_SCHEMA: Final = "dataset/1"
_KEYS: Final = {"schema", "name", "files", "cutoff_us"}


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: path inside the data set, SHA-256, size, and for quotes the rows and the first and last knowable time.

    Times are microseconds, floored; None where a file has no rows of its own.
    """

    path: str
    sha256: str
    size: int
    rows: int | None
    min_us: int | None
    max_us: int | None
    source: str
    licence: str


_ENTRY: Final = {field.name for field in fields(FileEntry)}


def content_of(name: str, files: Iterable[FileEntry]) -> dict[str, object]:
    """Return the content of a manifest: files sorted by path; the cutoff is the last knowable time of any file."""
    entries = sorted(files, key=lambda entry: entry.path)
    cutoff = max((entry.max_us for entry in entries if entry.max_us is not None), default=0)
    return {
        "schema": MANIFEST_SCHEMA,
        "name": name,
        "files": [asdict(entry) for entry in entries],
        "cutoff_us": cutoff,
    }


def hash_of(content: object) -> str:
    """Return dataset_hash = H("dataset", CJ(content)).  [audit 9.4]"""
    return tagged_hash("dataset", canonical(content))


def load(folder: Path) -> tuple[dict[str, object], dict[str, FileEntry]]:
    """Return the manifest of ``folder``: its content, and its entries by path.

    Raises ``MissingError`` (3) where there is none or its version is unknown, ``DataError`` (4) for a wrong form.
    """
    path = folder / MANIFEST_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingError(
            f"expected a data set with {path}, was: {error.strerror}; build one with `cme data build`"
        ) from error
    content = parse_object(data, path)
    if content.get("schema") != MANIFEST_SCHEMA:
        raise MissingError(f"{path}: expected schema {MANIFEST_SCHEMA!r}, was {content.get('schema')!r}")
    if set(content) != _KEYS or not isinstance(content["files"], list):
        raise DataError(f"{path}: expected the fields {', '.join(sorted(_KEYS))}, was {sorted(content)}")
    entries = [_entry(item, path) for item in content["files"]]
    names = [entry.path for entry in entries]
    # one order, so that equal content has one hash
    if names != sorted(set(names)):
        raise DataError(f"{path}: expected files sorted by path, each once")
    return content, {entry.path: entry for entry in entries}


def parse_object(data: bytes, path: Path) -> dict[str, object]:
    """Return the object whose canonical bytes are ``data``; raise ``DataError`` (4) naming ``path`` otherwise."""
    try:
        content = parse(data)
    except LedgerError as error:
        raise DataError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected an object, was {type(content).__name__}")
    return content


def read_checked(folder: Path, entry: FileEntry) -> bytes:
    """Return the bytes of a listed file, opened once and hashed before they are parsed.

    Raises ``MissingError`` (3) where the file is not there, ``GateError`` 21 where size or hash differ.  [audit 9.4]
    """
    path = safe_path(folder, entry.path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingError(f"expected {path}, which the manifest lists, was: {error.strerror}") from error
    digest = sha256(data).hexdigest()
    # the hash alone decides; the size makes the message useful
    if digest != entry.sha256 or len(data) != entry.size:
        raise GateError(
            f"{path}: expected the bytes of the manifest (SHA-256 {entry.sha256}, {entry.size} bytes), was SHA-256 "
            f"{digest}, {len(data)} bytes; the data differ from what was built: restore the file or build anew",
            exit_code=21,
        )
    return data


def safe_path(folder: Path, relative: str) -> Path:
    """Return the path of ``relative`` inside ``folder``; raise ``DataError`` (4) where it would lead outside.

    Refused: absolute and climbing paths, backslashes, and links that leave the folder.
    """
    _refuse_climbing(folder, relative)
    path = folder / relative
    # a link may lead anywhere, and a data set comes from anybody
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{folder}: expected {relative!r} inside the data set, was a link to {path.resolve()}")
    # a pipe would block the reader for ever
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise DataError(f"{path}: expected a regular file, was something else")
    return path


def _refuse_climbing(folder: Path, relative: str) -> None:
    """Refuse a path that is not plain by its text alone."""
    parts = relative.split("/")
    if "" in parts or "." in parts or ".." in parts or "\\" in relative or "\0" in relative:
        raise DataError(f"{folder}: expected a plain path inside the data set, was {relative!r}")


def _entry(item: object, where: Path) -> FileEntry:
    """Check one entry's fields, types and path by its text; where it leads is checked when it is opened."""
    if not isinstance(item, dict) or set(item) != _ENTRY:
        raise DataError(f"{where}: expected an entry with {', '.join(sorted(_ENTRY))}, was {item!r}")
    texts = all(isinstance(item[key], str) for key in ("path", "sha256", "source", "licence"))
    counts = all(item[key] is None or type(item[key]) is int for key in ("rows", "min_us", "max_us"))
    digest = texts and len(item["sha256"]) == 64 and set(item["sha256"]) <= set("0123456789abcdef")
    if not (texts and counts and digest and type(item["size"]) is int and item["size"] >= 0):
        raise DataError(f"{where}: expected an entry of texts, counts and a hash of 64 hex digits, was {item!r:.300}")
    _refuse_climbing(where.parent, item["path"])
    return FileEntry(**item)
