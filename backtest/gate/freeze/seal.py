"""Writes and reads ``freeze.json``: the seal of a study, written once, compared before every look.  [audit 9.2]

    freeze_hash = H("freeze", CJ(content))

The content is CJ1 and may be pretty-printed.  It names the commit it was made at and lands in the next one, tagged
``freeze/<study>``.  A freeze made before the data holds ``dataset_hash: null``; when the data are collected,
``data-seal.json`` beside it names their hash and the freeze, which itself never changes.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from backtest.data.format import manifest
from backtest.data.format.atomic_write import write_whole
from backtest.gate.freeze import installed_packages, source_trees
from backtest.gate.freeze.installed_packages import Environment
from backtest.records import Registration
from backtest.seeds import streams
from engine.errors import CmeError, GateError, MissingError, UsageError
from engine.ledger.format.canonical_json import canonical, parse_any_spelling, tagged_hash
from engine.ledger.format.closed_tables import RecordShape, closed
from engine.ledger.format.fields import COUNT, HEX, OBJECT, TEXT, Grammar, is_text, one_of, or_null

FREEZE_FILE: Final = "freeze.json"
DATA_SEAL_FILE: Final = "data-seal.json"
LOOKS_FOLDER: Final = "looks"
LOCK: Final = "requirements.lock"
TOOLS_LOCK: Final = "tests/requirements.lock"
SEEDS: Final = "seeds.lock"
EXACT_KERNEL_VERSION: Final = 1
"""Raised when a number of the exact tier comes to mean something else; its bytes are in the trees.  [audit 10.2]"""
PREREG: Final = "AsPredicted #288615"
_GIT: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
OBJECT_ID: Final = Grammar("a git object id", lambda value: type(value) is str and _GIT.match(value) is not None)
_TREE: Final[RecordShape] = {"root": TEXT, "tree_hash": HEX, "files": COUNT}
_PATHS: Final = Grammar("an array of paths", lambda value: type(value) is list and all(map(is_text, value)))
_FREEZE: Final[RecordShape] = {
    "schema": one_of("freeze/1"),
    "study": TEXT,
    **dict.fromkeys(("prereg", "git", "engine", "families", "analysis", "config", "seeds", "data", "env"), OBJECT),
    "numeric": OBJECT,
    "recorder": or_null(OBJECT),
    "created_at_us": COUNT,
}
_PARTS: Final[Mapping[str, RecordShape]] = {
    "prereg": {"id": TEXT, "text_sha256": HEX},
    "git": {"commit": OBJECT_ID, "tree": OBJECT_ID, "object_format": one_of("sha1", "sha256")},
    "engine": _TREE,
    "families": dict.fromkeys(source_trees.FAMILIES, or_null(OBJECT)),
    "analysis": {**_TREE, "paths": _PATHS},
    "config": {"path": TEXT, "config_hash": HEX},
    "seeds": {"path": TEXT, "seeds_hash": HEX},
    "data": {"path": TEXT, "dataset_hash": or_null(HEX)},
    "env": {"lock_path": TEXT, "lock_sha256": HEX, "python": TEXT, "platform": TEXT, "env_hash": HEX},
    "numeric": {"exact_kernel_version": COUNT},
}
_DATA_SEAL: Final[RecordShape] = {
    "schema": one_of("data-seal/1"), "freeze_hash": HEX, "dataset_hash": HEX, "path": TEXT, "sealed_at_us": COUNT,
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A checkout with one registration in it, and where its data lie: all that a freeze is made of."""

    root: Path
    registration: Registration
    data_root: Path | None

    @property
    def home(self) -> Path:
        """The folder of the registration: freeze, looks, amendments and receipts stand beside it."""
        return self.registration.path.parent

    @property
    def freeze_path(self) -> Path:
        return self.home / FREEZE_FILE

    @property
    def config_name(self) -> str:
        """The registration's path as seen from the checkout.  Raises ``UsageError`` (2) outside it."""
        path, root = self.registration.path.resolve(), self.root.resolve()
        if not path.is_relative_to(root):
            raise UsageError(f"{path}: expected a registration inside the checkout {root}, which a commit can hold")
        return path.relative_to(root).as_posix()

    @property
    def data_path(self) -> Path:
        path = Path(self.registration.data.path)
        return self.data_root / path if self.data_root else path

    @cached_property
    def environment(self) -> Environment:
        """What is installed, measured once a process."""
        tools = self.root / TOOLS_LOCK
        return installed_packages.measure(
            installed_packages.pins(self.root / LOCK), installed_packages.pins(tools) if tools.exists() else {}
        )

    def dataset_hash(self) -> str | None:
        """Return the hash of the data set's manifest; None where there is no data set."""
        if self.registration.data.kind != "path" or not (self.data_path / manifest.MANIFEST_FILE).is_file():
            return None
        return manifest.hash_of(manifest.load(self.data_path)[0])


def content(place: Place, commit: Mapping[str, str], created_at_us: int) -> dict[str, Any]:
    """Return the content of a freeze of ``place`` in its present state."""
    return {
        "schema": "freeze/1",
        "study": place.registration.study,
        "prereg": prereg(place),
        "git": dict(commit),
        "engine": engine(place),
        "families": families(place),
        "analysis": analysis(place),
        "config": config(place),
        "seeds": seeds(place),
        "data": {"path": place.registration.data.path, "dataset_hash": place.dataset_hash()},
        "env": environment(place),
        "numeric": {"exact_kernel_version": EXACT_KERNEL_VERSION},
        "recorder": recorder(place),
        "created_at_us": created_at_us,
    }


def prereg(place: Place) -> dict[str, Any]:
    """Return the preregistration's name and the SHA-256 of the whole text, venue files and amendments with it."""
    return {"id": PREREG, "text_sha256": hashlib.sha256(place.registration.text.encode()).hexdigest()}


def engine(place: Place) -> dict[str, Any]:
    """Return the seal of the engine's core."""
    return source_trees.entry(source_trees.core(place.root), source_trees.ENGINE)


def families(place: Place) -> dict[str, Any]:
    """Return the seal of each other family of the engine; null where the checkout has none."""
    trees = {name: source_trees.family(place.root, name) for name in source_trees.FAMILIES}
    return {name: tree and source_trees.entry(tree, f"{source_trees.ENGINE}/{name}") for name, tree in trees.items()}


def analysis(place: Place) -> dict[str, Any]:
    """Return the seal of what turns data into verdicts."""
    return {**source_trees.entry(source_trees.analysis(place.root), "."), "paths": list(source_trees.ANALYSIS)}


def recorder(place: Place) -> dict[str, Any] | None:
    """Return the tree of the recorder, which is recorded and compared with nothing; None without one.  [live L1]"""
    tree = source_trees.recorder(place.root)
    return None if tree is None else source_trees.entry(tree, source_trees.RECORDER)


def config(place: Place) -> dict[str, Any]:
    """Return the registration's path and hash."""
    return {"path": place.config_name, "config_hash": place.registration.config_hash}


def seeds(place: Place) -> dict[str, Any]:
    """Return the hash of the seeds, their root checked."""
    return {"path": SEEDS, "seeds_hash": streams.load(place.root / SEEDS).seeds_hash}


def environment(place: Place) -> dict[str, Any]:
    """Return lock, interpreter, platform and the digest of what is installed.

    Raises ``MissingError`` (3) if the lock cannot be read.
    """
    lock = place.root / LOCK
    try:
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    except OSError as problem:
        raise MissingError(f"expected a readable lock at {lock}, was: {problem.strerror}") from problem
    return {
        "lock_path": LOCK,
        "lock_sha256": digest,
        "python": platform.python_version(),
        "platform": installed_packages.platform_tag(),
        "env_hash": place.environment.env_hash,
    }


def freeze_hash(content: Mapping[str, Any]) -> str:
    """Return ``H("freeze", CJ(content))``."""
    return tagged_hash("freeze", canonical(dict(content)))


def write(path: Path, content: Mapping[str, Any]) -> str:
    """Write a freeze, indented, whole or not at all; return its hash."""
    digest = freeze_hash(content)
    write_whole(path, (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())
    return digest


def read(path: Path) -> dict[str, Any]:
    """Return the content of a freeze, each value of its grammar: what git and the file system are asked with as well.

    Raises ``MissingError`` (3) where it cannot be read or is of another form.
    """
    return _object(path, "`cme freeze` writes it", _FREEZE, _PARTS)


def write_data_seal(place: Place, frozen: Mapping[str, Any], now_us: int) -> str:
    """Seal the collected data set for a freeze that was made before it; return its hash.

    Raises ``GateError`` (21) if the freeze or an earlier data seal names a data set already, or `Place.data_path` has
    none.
    """
    known, dataset_hash = sealed_data(place.home, frozen), place.dataset_hash()
    # A data set is sealed once: a second seal could choose among outcomes.
    if known is not None:
        raise GateError(f"{place.home}: expected a freeze without data, was sealed with {known}", exit_code=21)
    if dataset_hash is None:
        raise GateError(f"{place.data_path}: expected the collected data set, found none: give --data", exit_code=21)
    seal = {
        "schema": "data-seal/1",
        "freeze_hash": freeze_hash(frozen),
        "dataset_hash": dataset_hash,
        "path": place.registration.data.path,
        "sealed_at_us": now_us,
    }
    write_whole(place.home / DATA_SEAL_FILE, (json.dumps(seal, indent=1, sort_keys=True) + "\n").encode())
    return dataset_hash


def sealed_data(home: Path, frozen: Mapping[str, Any]) -> str | None:
    """Return the data set hash that the freeze, or the data seal beside it, names; None where neither does.

    Raises ``GateError`` (21) if the data seal belongs to another freeze, ``MissingError`` (3) if it cannot be read.
    """
    named = frozen["data"]["dataset_hash"]
    path = home / DATA_SEAL_FILE
    # A freeze that names its data needs no data seal, and one beside it says nothing.
    if named is not None or not path.exists():
        return None if named is None else str(named)
    seal = _object(path, "`cme freeze --seal-data` writes it", _DATA_SEAL)
    # The seal of another freeze names data that this plan never promised.
    if seal.get("freeze_hash") != freeze_hash(frozen):
        raise GateError(
            f"{path}: expected the seal of freeze {freeze_hash(frozen)}, was of {seal.get('freeze_hash')}", exit_code=21
        )
    return str(seal["dataset_hash"])


def freeze_of(name: str, body: bytes) -> dict[str, Any]:
    """Return the content of a freeze in bytes, such as a commit holds; ``LedgerError`` where ``body`` is none."""
    parsed: Any = parse_any_spelling(body)
    closed(parsed, _FREEZE, name)
    for part, shape in _PARTS.items():
        closed(parsed[part], shape, f"{name}, {part}")
    return dict(parsed)


def data_seal_of(name: str, body: bytes) -> dict[str, Any]:
    """Return the content of a data seal; ``LedgerError`` where ``body`` is none."""
    parsed: Any = parse_any_spelling(body)
    closed(parsed, _DATA_SEAL, name)
    return dict(parsed)


def _object(
    path: Path, how: str, shape: RecordShape, parts: Mapping[str, RecordShape] = MappingProxyType({})
) -> dict[str, Any]:
    try:
        parsed: Any = parse_any_spelling(path.read_bytes())
        closed(parsed, shape, path.name)
        for name, part in parts.items():
            closed(parsed[name], part, f"{path.name}, {name}")
        # Their names and roots go to git and the file system, so they are checked as far as they go.
        for name, tree in parsed.get("families", {}).items():
            if tree is not None:
                closed(tree, _TREE, f"{path.name}, families.{name}")
        if parsed.get("recorder") is not None:
            closed(parsed["recorder"], _TREE, f"{path.name}, recorder")
    except (OSError, CmeError) as problem:
        raise MissingError(f"expected a readable {path.name} at {path}, was: {problem}; {how}") from problem
    return dict(parsed)
