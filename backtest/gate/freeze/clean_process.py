"""Starts the process of a confirmatory run: a new interpreter, a cleared environment, no stale bytecode.  [audit 9.6]

    python -s -P -B -X pycache_prefix=<new empty folder> --check-hash-based-pycs always -c <door> <arguments>

``-I`` is not used: it would ignore ``PYTHONHASHSEED``.  A compiled file left beside the sources is never read, because
the prefix points elsewhere.  What workers must inherit is set in variables as well as in flags.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Final

from backtest.environment import ROOT
from backtest.terminal import INTERRUPTED
from engine.errors import GateError
from engine.kernels.sources import VARIABLE as KERNELS

FIXED: Final[Mapping[str, str]] = {
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONSAFEPATH": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
KEPT: Final = ("PATH", "HOME", "TMPDIR", "TERM", "COLUMNS", "CME_DATA", "CME_TRACKING", KERNELS)
"""Variables that are passed on: where programs, git's settings and temporary files are, two addresses of ours, and
which of two paths of equal bits computes."""
PREFIX: Final = "PYTHONPYCACHEPREFIX"
LATER: Final = ("LC_CTYPE", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK")
"""Variables that the interpreter and an imported library set after the start."""
MARKER: Final = "CME_CONFIRMATORY"
"""Marks a process that `run` started: if its variables and flags are wrong, it is refused, not started again."""
HOOKS: Final = ("sitecustomize", "usercustomize")
"""Modules that the interpreter imports before anything of ours, from any folder on its path."""
DOOR: Final = "import sys; sys.path.append(sys.argv.pop(1)); from cme import main; main()"
"""The checkout comes last on the path: what lies at its top takes no installed module's place.  It still comes before
what an editable installation points to, which is asked after the path."""


_PR_SET_PDEATHSIG: Final = 1


def variables(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the whole environment of a confirmatory process."""
    return (
        {name: environment[name] for name in KEPT if name in environment} | dict(FIXED) | {PREFIX: prefix, MARKER: "1"}
    )


def command(root: Path, prefix: str, arguments: Sequence[str]) -> list[str]:
    """Return the command line of a confirmatory process."""
    flags = ["-s", "-P", "-B", "-X", f"pycache_prefix={prefix}", "--check-hash-based-pycs", "always"]
    return [sys.executable, *flags, "-c", DOOR, str(root), *arguments]


def is_confirmatory(environment: Mapping[str, str]) -> bool:
    """Return whether this process was started as a confirmatory one must be.

    Raises ``GateError`` (23) for a process that `run` started and that still is not confirmatory, because a start-up
    file changes it, and for one that may import modules from outside the checkout, the interpreter and the measured
    environment.
    """
    fixed = all(environment.get(name) == value for name, value in FIXED.items())
    closed = set(environment) <= {*FIXED, *KEPT, *LATER, PREFIX, MARKER}
    flags = sys.flags.no_user_site and sys.flags.safe_path and sys.flags.dont_write_bytecode
    prefix = sys.pycache_prefix
    holds = bool(fixed and closed and flags and prefix and not any(Path(prefix).rglob("*.pyc")))
    if MARKER in environment and not holds:
        strange = sorted(set(environment) - {*FIXED, *KEPT, *LATER, PREFIX, MARKER})
        raise GateError(
            f"expected a process with the variables and flags of a confirmatory run, was one with {strange}, flags "
            f"{flags}, bytecode in {prefix}: look for a start-up file that changes them",
            exit_code=23,
        )
    unmeasured = list(
        unmeasured_code(sys.path, {name: getattr(sys.modules.get(name), "__file__", None) for name in HOOKS})
    )
    if holds and unmeasured:
        raise GateError(
            f"expected code of the checkout, the interpreter and its environment alone, was also {unmeasured[0]}: no "
            "digest covers it; use an environment made by `make run`, of an interpreter without it",
            exit_code=23,
        )
    return holds


def unmeasured_code(places: Sequence[str], hooks: Mapping[str, str | None]) -> Iterator[str]:
    """Yield folders on the path, and start-up hooks by file, that are in no tree and in no digest.  [audit 9.6]"""
    paths = sysconfig.get_paths()
    site = {Path(paths[name]).resolve() for name in ("purelib", "platlib")}
    library = Path(paths["stdlib"]).resolve()
    zipped = library.parent / f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    known = {*site, library, library / "lib-dynload", zipped, ROOT}
    for place in places:
        if Path(place).exists() and Path(place).resolve() not in known:
            yield place or "the folder it was started in"
    # One beside the library counts in the digest of the environment, as one in it does.
    for file in hooks.values():
        if file is not None and Path(file).parent.resolve() not in {*site, library}:
            yield file


def run(root: Path, arguments: Sequence[str]) -> int:
    """Run the command line again as a confirmatory process and return its exit code."""
    with tempfile.TemporaryDirectory(prefix="cme-pycache-") as prefix:
        process = subprocess.Popen(
            command(root, prefix, arguments), env=variables(os.environ, prefix), preexec_fn=_end_with_parent()
        )
        # Until the child has ended: its exit code is that of this command.
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt as error:  # the terminal interrupts both; the child ends its journal
                number = getattr(error, "exit_code", INTERRUPTED + SIGINT) - INTERRUPTED
                if number != SIGINT:  # `kill` and a closed terminal reach this process alone
                    process.send_signal(number)
                continue


def _end_with_parent() -> Callable[[], object] | None:
    """Return the call by which a new process asks for SIGTERM when this one has ended; None on another system."""
    if sys.platform != "linux":
        return None
    # loaded here: between fork and exec a process should only make system calls
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, SIGTERM)
