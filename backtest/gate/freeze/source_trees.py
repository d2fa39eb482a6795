"""The sealed trees of a checkout: the engine's families, and the analysis as one listing.  [audit 9.1, spec README]"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import all_suffixes
from pathlib import Path
from typing import Any, Final

from engine.errors import GateError
from engine.freeze import SEALED_FAMILIES, tree_listing
from engine.ledger.format.canonical_json import tagged_hash

ENGINE: Final = "engine"
ANALYSIS: Final = ("backtest", "cme.py", "hypotheses", "reports")
"""What runs outside the engine in the process that turns data into verdicts: reports too, which are drawn in it."""
RECORDER: Final = "backtest/record"
"""No part of the analysis: its hash is recorded and not compared, so that a fix while it runs breaks no freeze.  It
writes bytes; what makes rows of them is sealed.  [live L1]"""
BESIDE: Final = frozenset((ENGINE, *ANALYSIS, "benchmarks", "docs", "setup.py", "tests"))
"""What may be importable at the top of the checkout; ``setup.py`` builds the kernels, and no run imports it."""
# The first one is the core.
FAMILIES: Final = SEALED_FAMILIES[1:]
"""Families of the engine sealed apart from its core."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A sealed tree: the hash of its listing, and how many files it lists."""

    tree_hash: str
    files: int


def core(root: Path) -> Tree:
    """Return the engine's core in the checkout ``root``: every file of ``engine/`` outside the other families."""
    return _tree(_listing(root / ENGINE, leave_out=FAMILIES))


def family(root: Path, name: str) -> Tree | None:
    """Return the family ``name`` of the engine, or None where the checkout has no such folder."""
    folder = root / ENGINE / name
    return _tree(_listing(folder)) if folder.exists() else None


def analysis(root: Path, paths: Sequence[str] = ANALYSIS) -> Tree:
    """Return the tree of several folders and files of ``root``, their names as seen from ``root``.

    `RECORDER` is left out.
    """
    lines: list[tuple[bytes, bytes]] = []
    for path in paths:
        lines.extend(_below(root, path))
    # By the bytes of the path, as one listing of all would be.
    recorder = f"{RECORDER}/".encode()
    return _tree(b"".join(line for name, line in sorted(lines) if not name.startswith(recorder)))


def recorder(root: Path) -> Tree | None:
    """Return the tree of the recorder, or None where the checkout has none."""
    folder = root / RECORDER
    return _tree(_listing(folder)) if folder.exists() else None


def entry(tree: Tree, root: str) -> dict[str, Any]:
    """Return the entry of the tree in ``freeze.json``."""
    return {"root": root, "tree_hash": tree.tree_hash, "files": tree.files}


def unexpected_modules(root: Path) -> Iterator[str]:
    """Yield, in sentences, each module at the top of ``root`` that is not ours.

    The checkout is on the path of a confirmatory process: such a module could take the place of another, whatever git
    says of the file.
    """
    for path in sorted(root.iterdir()):
        if path.name not in BESIDE and importable(path):
            yield f"expected no module of another name at the top of the checkout, was {path}: move or remove it"


def importable(path: Path) -> bool:
    """Return whether ``import`` takes this for a module or a package, before others of its name."""
    endings = tuple(all_suffixes())
    if path.is_dir():
        # A folder without one comes after every module and package of its name.
        return any((path / f"__init__{ending}").exists() for ending in endings)
    return path.name.endswith(endings)


def _below(root: Path, path: str) -> list[tuple[bytes, bytes]]:
    place = root / path
    if place.is_dir():
        parts = (line.split(b" ", 3) for line in _listing(place).splitlines())
        named = [(digest, mode, size, path.encode() + b"/" + name) for digest, mode, size, name in parts]
    # A link would be hashed as what it points to, which no commit holds.
    elif place.is_file() and not place.is_symlink():
        content = place.read_bytes()
        mode = b"100755" if place.stat().st_mode & 0o100 else b"100644"
        named = [(sha256(content).hexdigest().encode(), mode, str(len(content)).encode(), path.encode())]
    else:
        raise GateError(f"{place}: expected a sealed file or folder, was missing or a link: restore the checkout")
    return [(line[3], b" ".join(line) + b"\n") for line in named]


def _listing(folder: Path, leave_out: tuple[str, ...] = ()) -> bytes:
    try:
        return tree_listing(folder, leave_out=leave_out)
    except OSError as error:
        raise GateError(f"{folder}: expected a readable source tree, was: {error.strerror or error}") from error


def _tree(listing: bytes) -> Tree:
    return Tree(tagged_hash("tree", listing), listing.count(b"\n"))
