"""Both paths of the engine side by side: the compiled kernels, built where the installation has none, and NumPy's."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from engine.kernels import choose, sources
from engine.kernels.choose import KernelPath

Result = TypeVar("Result")
NUMPY_PATH = KernelPath(None, "asked for by a test")


def compiler() -> list[str]:
    """Return the C compiler's words; the test is skipped where there is none."""
    words = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(words[0]) is None:
        pytest.skip("no C compiler: NumPy is the only path of this machine")
    return words


def build(folder: Path, *, csrc: Path = sources.FOLDER, made_from: str | None = None) -> Path:
    """Return a library compiled from ``csrc`` that says it was made from these sources, or from ``made_from``."""
    built = folder / "kernels.so"
    says = f'-DKERNEL_SOURCES="{made_from or sources.digest()}"'
    files = [str(path) for path in sorted(csrc.glob("*.c"))]
    subprocess.run([*compiler(), *sources.FLAGS, "-fPIC", "-shared", says, "-o", str(built), *files], check=True)
    return built


def both(path: KernelPath, monkeypatch: pytest.MonkeyPatch, compute: Callable[[], Result]) -> tuple[Result, Result]:
    """Return what ``compute`` returns on the compiled path and on NumPy's."""
    results = []
    for taken in (path, NUMPY_PATH):
        with monkeypatch.context() as patch:
            patch.setattr(choose, "kernel_path", lambda taken=taken: taken)
            results.append(compute())
    return results[0], results[1]
