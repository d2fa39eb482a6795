"""Another commit of this repository in a folder of its own, so that its code can be run beside the code of today."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from backtest.gate.freeze.clean_process import DOOR
from backtest.gate.freeze.git_checkout import git
from engine.errors import CmeError
from engine.kernels.sources import BUILT


@contextmanager
def checked_out(root: Path, commit: str) -> Iterator[Path]:
    """Yield a folder with the files of ``commit``, a worktree of the repository at ``root``; it is gone afterwards.

    Raises ``MissingError`` (3) where git cannot make it.
    """
    with tempfile.TemporaryDirectory(prefix="cme-commit-") as temporary:
        tree = Path(temporary) / "tree"
        git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            # Kernels that were built from other sources than the commit's are refused there, and NumPy gives the bits.
            if BUILT.is_file():
                target = tree / BUILT.relative_to(BUILT.parents[2])
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(BUILT, target)
            yield tree
        finally:
            git(root, "worktree", "remove", "--force", str(tree))


def call(tree: Path, words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run ``cme`` of the checkout ``tree`` in a process of its own; its progress goes to stderr, its results nowhere.

    Raises ``CmeError`` with the code of that process where it does not end with 0.
    """
    command = [sys.executable, "-c", DOOR, str(tree), *words]
    done = subprocess.run(command, cwd=tree, env=dict(environment), stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise CmeError(
            f"expected `cme {' '.join(words)}` in {tree} to end with 0, was {done.returncode}: its message is above; "
            "the same command goes on from what is kept",
            exit_code=done.returncode if done.returncode > 0 else 128 - done.returncode,
        )


def say(tree: Path, program: str) -> str:
    """Return what a short ``program`` prints that imports the packages of the checkout ``tree``.

    Raises ``CmeError`` where it fails.
    """
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CmeError(f"{tree}: expected the packages of this commit to be importable, was: {last}", exit_code=3)
    return done.stdout
