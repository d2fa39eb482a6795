"""The environment as bytes: one digest over the installed distributions.  [audit 9.4]

    digest   = SHA-256 over sorted lines "<sha256> <path>" of a distribution's recorded files
    env_hash = H("env", sorted lines "<name>==<version> <digest>")

Compiled files, files outside site-packages and the installer's own notes are left out, so pip and uv give one digest;
an edited, missing or added file gives another.  Left out are the installers, and tools that only the tests' lock pins,
so that ``make test`` does not break a freeze.  Of our own distribution, whose source is sealed as trees, only what an
editable installation runs at start-up counts, with the folder it was made from written as ``<checkout>``.  Of the
interpreter only the start-up files count that some systems ship with it.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Final

from engine.errors import MissingError
from engine.ledger.format.canonical_json import tagged_hash

OWN: Final = "cme-perps"
INSTALLERS: Final = frozenset(("pip", "uv"))
"""May stand beside the lock: pip makes an environment that uv does not need it for."""
BOOKKEEPING: Final = frozenset(
    ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json")
)
RUNS_AT_START: Final = ("sitecustomize.py", "usercustomize.py")
SHIPPED: Final = "python-start-up"
"""The name under which the interpreter's own start-up files count."""
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Installed:
    """One distribution: its version and the digest of its recorded files."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Environment:
    """What is installed: distributions with their digests, those of them in no lock, and files in no digest.

    ``own`` is the start-up of our own editable installation, ``shipped`` that of the interpreter; None where there is
    none.
    """

    distributions: Mapping[str, Installed]
    foreign: tuple[str, ...]
    loose: tuple[str, ...]
    own: Installed | None = None
    shipped: Installed | None = None

    @property
    def env_hash(self) -> str:
        """``H("env", sorted lines "<name>==<version> <digest>")``."""
        starts = {OWN: self.own, SHIPPED: self.shipped}
        counted = {**self.distributions, **{name: installed for name, installed in starts.items() if installed}}
        lines = sorted(f"{name}=={installed.version} {installed.digest}\n" for name, installed in counted.items())
        return tagged_hash("env", "".join(lines).encode())


def platform_tag() -> str:
    """Return interpreter and platform, such as ``cp311-linux-x86_64``: wheels differ between them."""
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return f"{version}-{sys.platform}-{platform.machine().lower()}"


def site_packages() -> Path:
    """Return the folder into which this interpreter's distributions are installed."""
    return Path(sysconfig.get_paths()["purelib"])


def pins(lock: Path) -> dict[str, str]:
    """Return name -> version of every requirement of a lock file.  Raises ``MissingError`` (3)."""
    try:
        text = lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise MissingError(f"expected a readable lock at {lock}, was: {problem}") from problem
    versions = {normal(name): version for name, version in _PIN.findall(text)}
    if not versions:
        raise MissingError(f"{lock}: expected pinned requirements name==version, found none")
    return versions


def measure(
    lock: Mapping[str, str], tools: Mapping[str, str], site: Path | None = None, library: Path | None = None
) -> Environment:
    """Return the environment in ``site``, of an interpreter with the standard ``library``, by default of this process.

    ``lock`` and ``tools`` are the pins of what runs and of what tests.
    ``loose`` lists modules that belong to no distribution, and start-up files (``.pth``, ``sitecustomize``) that no
    digest covers: they could run before any check of ours.
    """
    folder = site_packages() if site is None else site
    shipped = Path(sysconfig.get_paths()["stdlib"]) if site is None else library
    installed = {
        normal(distribution.metadata["Name"]): distribution
        for distribution in metadata.distributions(path=[str(folder)])
    }
    aside = (set(tools) - set(lock)) | INSTALLERS | {OWN}
    counted = {name: distribution for name, distribution in sorted(installed.items()) if name not in aside}
    # Hashing frees the interpreter's lock, and there are forty thousand files.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        digests = list(pool.map(lambda distribution: _digest(distribution, folder), counted.values()))
    return Environment(
        {
            n: Installed(distribution.version, digest)
            for (n, distribution), digest in zip(counted.items(), digests, strict=True)
        },
        tuple(f"{name} {distribution.version}" for name, distribution in counted.items() if name not in lock),
        tuple(_loose(folder, installed, set(counted))),
        _own(installed[OWN], folder) if OWN in installed else None,
        _shipped(shipped) if shipped else None,
    )


def normal(name: str) -> str:
    """Return the one spelling of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _digest(distribution: metadata.Distribution, folder: Path) -> str:
    lines = sorted(f"{_file_hash(folder / path)} {path}\n" for path in _recorded(distribution) if _counts(path))
    return sha256("".join(lines).encode()).hexdigest()


def _own(distribution: metadata.Distribution, folder: Path) -> Installed | None:
    """Return the digest of what our editable installation put beside the installed modules."""
    paths = [path for path in _recorded(distribution) if _counts(path) and ".dist-info/" not in path]
    lines = sorted(f"{_hash_without(_made_from(distribution), folder / path)} {path}\n" for path in paths)
    return Installed(distribution.version, sha256("".join(lines).encode()).hexdigest()) if lines else None


def _shipped(library: Path) -> Installed | None:
    """Return the digest of the start-up files in the standard library, which the interpreter's source has none of."""
    lines = [f"{_file_hash(library / name)} {name}\n" for name in RUNS_AT_START if (library / name).exists()]
    return Installed(platform.python_version(), sha256("".join(lines).encode()).hexdigest()) if lines else None


def _made_from(distribution: metadata.Distribution) -> bytes:
    """Return the folder that an editable installation points to, where it is a plain path and nothing else."""
    match = re.search(r'"url": *"file://(/[\w/. +-]+)"', distribution.read_text("direct_url.json") or "")
    return match[1].encode() if match else b""


def _hash_without(place: bytes, path: Path) -> str:
    try:
        body = path.read_bytes()
    except OSError:
        return "missing"
    # Else a clone in another folder would have another digest.
    return sha256(body.replace(place, b"<checkout>") if place else body).hexdigest()


def _recorded(distribution: metadata.Distribution) -> list[str]:
    return [path.as_posix() for path in distribution.files or ()]


def _counts(path: str) -> bool:
    outside = path.startswith(("../", "/"))
    notes = ".dist-info/" in path and path.rsplit("/", 1)[1] in BOOKKEEPING
    return not (outside or notes or path.endswith(".pyc"))


def _file_hash(path: Path) -> str:
    digest = sha256()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    except OSError:
        return "missing"
    return digest.hexdigest()


def _loose(folder: Path, installed: Mapping[str, metadata.Distribution], counted: Set[str]) -> Iterator[str]:
    """Yield, in sentences, the files that could run and are in no digest."""
    recorded = {name: _recorded(distribution) for name, distribution in installed.items()}
    all_files = {path for paths in recorded.values() for path in paths}
    covered = {path for name, paths in recorded.items() if name in counted or name == OWN for path in paths}
    for parent, folders, files in os.walk(folder):
        # Compiled files appear as modules are imported, and are in no digest.
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        # text, not Path: there are forty thousand files
        within = "" if parent == str(folder) else Path(parent).relative_to(folder).as_posix() + "/"
        for name in sorted(files):
            path = within + name
            starts = "/" not in path and (name.endswith(".pth") or name in RUNS_AT_START)
            if starts and path not in covered:
                yield f"{path} runs at start-up and is in no digest"
            elif path not in all_files and not name.endswith(".pyc") and ".dist-info/" not in path:
                yield f"{path} belongs to no installed distribution"
