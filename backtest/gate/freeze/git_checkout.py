"""The checkout as git knows it, asked so that no prepared index, variable or setting answers instead.  [audit 9.5]

Status alone is no evidence: ``assume-unchanged`` and ``skip-worktree`` hide edits from it, replace refs and ``GIT_*``
variables show another history.  Each is looked for, and git is asked with a clean environment and its shortcuts off.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from backtest.gate.freeze import source_trees
from engine.errors import MissingError

_PLAIN: Final = (
    "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false", "-c", "core.fileMode=true",
    "-c", "core.ignoreStat=false", "-c", "core.trustctime=true", "-c", "core.quotePath=false",
)  # fmt: skip
_REDIRECTING: Final = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS", "GIT_CONFIG",
    "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_EXEC_PATH", "GIT_ATTR_SOURCE", "GIT_CEILING_DIRECTORIES",
)  # fmt: skip
"""Prefixes of the variables that make git answer from somewhere else."""
_KEPT: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")
_SHOWN: Final = 5
_SHA1: Final = 40
"""Digits of a git object's id; those of SHA-256 have 64."""


def git(root: Path, *arguments: str) -> str:
    """Return what git prints for ``arguments`` in ``root``; ``MissingError`` (3) where it cannot say."""
    # A list of what passes: a GIT_ variable that is not known here must not.
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(root), *_PLAIN, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=True, env=environment)
    except subprocess.CalledProcessError as error:
        message = error.stderr.decode("utf-8", "replace").strip()
        raise MissingError(f"{root}: expected git {arguments[0]} to answer, was: {message[:300]}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingError(f"{root}: expected git to run, was: {error}") from error
    # Names need not be UTF-8: so they are encoded back without loss.
    return done.stdout.decode("utf-8", "surrogateescape")


def identity(root: Path) -> dict[str, str]:
    """Return ``{commit, tree, object_format}`` of HEAD, as ``freeze.json`` names it."""
    commit, tree = git(root, "rev-parse", "HEAD", "HEAD^{tree}").split()
    return {"commit": commit, "tree": tree, "object_format": git(root, "rev-parse", "--show-object-format").strip()}


def is_shallow(root: Path) -> bool:
    """Return whether the clone lacks older commits: ``git clone --depth``, as continuous integration makes it."""
    return git(root, "rev-parse", "--is-shallow-repository").strip() == "true"


def faults(
    root: Path, environment: Mapping[str, str], outputs: Sequence[Path], written: Sequence[Path]
) -> Iterator[str]:
    """Yield what keeps the checkout from being clean, in sentences; nothing where it is.

    ``environment`` is that of the process.  Below ``outputs``, folders for results, new files may lie; a folder that
    holds committed files is none.  ``written`` are files and folders of records, which may change as well.
    """
    strange = sorted(name for name in environment if name.startswith(_REDIRECTING))
    if strange:
        yield f"expected no GIT_* variable that redirects git, was {', '.join(strange)}: unset it"
    top = Path(git(root, "rev-parse", "--show-toplevel").strip())
    if top.resolve() != root.resolve():
        yield f"expected git to answer for {root}, was {top}: unset core.worktree, or run the command there"
    if is_shallow(root):
        yield f"expected the whole history in {root}, was a shallow clone without older commits: git fetch --unshallow"
    # From HEAD and not from the index, whose flags can hide an edit.
    tracked = _entries(root)
    folders = [folder for folder in outputs if not any(_below(name, root, [folder]) for name in tracked)]
    edited = {name for name, facts in tracked.items() if not _as_committed(root / name, facts)}
    changed = sorted(
        path
        for path in {path for _, path in _changed(root)} | edited
        if not _below(path, root, written) and not (path not in tracked and _below(path, root, folders))
    )
    if changed:
        yield f"expected every file as committed and none untracked, was {_few(changed)}: commit or remove"
    hidden = [line[2:] for line in git(root, "ls-files", "-v", "-f", "-z").split("\0") if line and line[0] != "H"]
    if hidden:
        yield (
            f"expected no index flag that hides edits, was one on {_few(hidden)}: "
            "git update-index --no-assume-unchanged --no-skip-worktree --no-fsmonitor-valid"
        )
    replaced = git(root, "for-each-ref", "refs/replace", "--format=%(refname)").split()
    if replaced:
        yield f"expected no replace refs, was {_few(replaced)}: git replace --delete"
    grafts = root / git(root, "rev-parse", "--git-path", "info/grafts").strip()
    if grafts.exists():
        yield f"expected no grafts, was {grafts}: remove it"


def importable(root: Path) -> Iterator[str]:
    """Yield, in sentences, what lies in folders of the checkout, is in no index, and would be imported.

    Git may be told to ignore it, and a tree hash leaves ``*.pyc`` out: a folder with an ``__init__.pyc`` is taken
    before the module of its name.  The top of the checkout is looked at by `source_trees.unexpected_modules`.
    """
    listed = git(root, "ls-files", "-z", "--others", "--directory").split("\0")
    modules = [name for name in listed if "/" in name.rstrip("/") and source_trees.importable(root / name)]
    if modules:
        yield f"expected no code beside the sources that no commit holds, was {_few(modules)}: remove it"


def changes_since(root: Path, frozen: Mapping[str, str], paths: Sequence[str], aside: Sequence[str]) -> Iterator[str]:
    """Yield how HEAD departs from the frozen commit: it must be that, or descend from it with the same ``paths``.

    A path that ends in ``/`` stands for what is directly in the folder; ``aside`` lists what is not compared.  Nothing
    is said of a shallow clone, which `faults` refuses: the commit may be among those that it lacks.
    """
    now = identity(root)
    if now["object_format"] != frozen["object_format"]:
        yield f"expected git objects of {frozen['object_format']}, was {now['object_format']}"
        return
    if now["commit"] == frozen["commit"] or is_shallow(root):
        return
    if not _holds(root, frozen["commit"]):
        yield f"expected commit {frozen['commit']} of the freeze in {root}, was not there: git fetch --all"
        return
    try:
        git(root, "merge-base", "--is-ancestor", frozen["commit"], now["commit"])
    except MissingError:
        yield f"expected HEAD to be {frozen['commit']} or to descend from it, was {now['commit']}: check it out"
        return
    before, after = (objects(root, commit, paths) for commit in (frozen["commit"], now["commit"]))
    changed = [path for path in sorted({*before, *after} - {*aside}) if before.get(path) != after.get(path)]
    if changed:
        yield f"expected what commit {frozen['commit']} holds, was another {_few(changed)} at HEAD: freeze again"


def changed_files(root: Path, before: str, after: str, paths: Sequence[str]) -> tuple[str, ...]:
    """Return every file below ``paths`` that differs between two commits, each once, sorted by name.

    Raises ``MissingError`` (3) where the clone lacks a commit.
    """
    listed = git(root, "diff", "--name-only", "--no-renames", "-z", before, after, "--", *paths)
    return tuple(sorted({name for name in listed.split("\0") if name}))


def _holds(root: Path, commit: str) -> bool:
    try:
        git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except MissingError:
        return False
    return True


def objects(root: Path, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """Return the git object (mode, type, id) of each of ``paths`` that a commit holds."""
    listed = git(root, "ls-tree", "-z", "--full-tree", commit, "--", *paths)
    entries = (entry.split("\t", 1) for entry in listed.split("\0") if entry)
    return {name: facts for facts, name in entries}


def committed(root: Path, path: Path) -> bytes | None:
    """Return the bytes of ``path`` at HEAD, or None where HEAD does not hold it."""
    name = path.resolve().relative_to(root.resolve()).as_posix()
    return content_at(root, "HEAD", name)


def content_at(root: Path, commit: str, name: str) -> bytes | None:
    """Return the bytes of a file in a commit, or None where the commit does not hold it."""
    if name not in objects(root, commit, [name]):
        return None
    return blob(root, f"{commit}:{name}")


def blob(root: Path, name: str) -> bytes:
    """Return the bytes of a git object: its id, or ``commit:path``."""
    return git(root, "cat-file", "blob", name).encode("utf-8", "surrogateescape")


def _changed(root: Path) -> list[tuple[str, str]]:
    listed = git(
        root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none"
    )
    return [(entry[:2], entry[3:]) for entry in listed.split("\0") if entry]


def _entries(root: Path) -> dict[str, tuple[str, str]]:
    """Return (mode, object id) of every file that HEAD holds."""
    listed = git(root, "ls-tree", "-r", "-z", "--full-tree", "HEAD")
    entries = (entry.split("\t", 1) for entry in listed.split("\0") if entry)
    return {name: (facts.split()[0], facts.split()[2]) for facts, name in entries}


def _as_committed(path: Path, facts: tuple[str, str]) -> bool:
    """Return whether a file has the bytes and the mode of its commit: read here, past filters and remembered times."""
    mode, name = facts
    try:
        file_mode = path.lstat().st_mode
        link = stat.S_ISLNK(file_mode)
        # Git stores a link as the text of its target.
        data = os.fsencode(os.readlink(path)) if link else path.read_bytes()  # noqa: PTH115 - Path tidies it
    except OSError:
        return False
    digest = hashlib.new("sha1" if len(name) == _SHA1 else "sha256", b"blob %d\0" % len(data) + data)
    # Of a file's permissions git knows one: whether its owner may execute it.
    return digest.hexdigest() == name and mode == ("120000" if link else "100755" if file_mode & 0o100 else "100644")


def _below(path: str, root: Path, folders: Sequence[Path]) -> bool:
    place = (root / path).resolve()
    return any(place.is_relative_to(folder.resolve()) for folder in folders)


def _few(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
