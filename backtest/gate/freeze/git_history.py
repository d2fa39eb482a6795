"""What the commits of this clone know of a file that only ever grows: none may know more than what is there.

A look, a failed claim or a seal that was committed once cannot be had back by bringing HEAD back, by removing the file
and beginning anew, or by moving the study: every branch, tag and log of this clone is asked.  What no commit here ever
had, and what a fresh clone of an old commit lacks, only somebody else's copy shows.  [audit 11.1]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from backtest.gate.freeze import git_checkout

_LOG: Final = (
    "-c", "log.showRoot=true", "-c", "log.showSignature=false", "log", "--all", "--reflog", "HEAD",
    "--full-history", "-m", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--format=", "-z",
)  # fmt: skip
"""Every change of a file in any commit, against each parent, as git's plumbing prints it."""


def versions(root: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of every file called ``name`` that any commit known to this clone holds, each content once.

    Commits are those of all refs and of git's logs of them: a branch that was reset is among them.
    """
    listed = git_checkout.git(root, *_LOG, "--", f":(top,glob)**/{name}").split("\0")
    seen = set()
    for facts, path in pairwise(listed):
        digest = facts.split(" ")[3] if facts.startswith(":") else ""
        # An id of zeros is a deletion, which has no content.
        if digest.strip("0") and (path, digest) not in seen:
            seen.add((path, digest))
            yield path, git_checkout.blob(root, digest)


def forgotten(root: Path, path: Path, body: bytes, study: str | None = None) -> Iterator[str]:
    """Yield, in sentences, what commits know of the growing file ``path`` and its present content does not begin with.

    With ``study``, files of that name elsewhere count too, where their genesis names the study.
    """
    name = path.resolve().relative_to(root.resolve()).as_posix()
    for where, known in versions(root, path.name):
        if body.startswith(known) or not (where == name or (study and _study(known) == study)):
            continue
        lines = known.splitlines()
        yield (
            f"expected {path} to continue what a commit of this clone holds at {where} ({len(lines)} lines), was "
            f"another history: bring it back (`git log --all --reflog -- {where}` lists the commits)"
        )


def _study(body: bytes) -> str | None:
    """Return the study that the genesis of a ledger names."""
    with suppress(ValueError, LookupError, TypeError, RecursionError):
        genesis: Mapping[str, Any] = json.loads(body.split(b"\n", 1)[0])["row"]["content"]
        return str(genesis["study"])
    return None
