"""Which path computes: the compiled kernels where they can be had and give the known answers, else NumPy.

Both give the same bits, so no result depends on the choice, and it is recorded beside the facts of the machine.
``CME_KERNELS=numpy`` takes the NumPy path whatever is built: workers inherit the variable.
"""

from __future__ import annotations

import os
from ctypes import CDLL, c_char_p, c_int64
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from engine.errors import UsageError
from engine.kernels import sources
from engine.kernels.known_answers import wrong_answers
from engine.kernels.sources import NUMPY, VARIABLE

COMPILED: Final = "compiled"
_COUNTING: Final = (
    "butterfly_scan", "vertical_scan", "pair_parity_scan", "prepare_quotes", "quotes_asof", "value_asof",
)  # fmt: skip
"""Functions that return an int64."""


@dataclass(frozen=True, slots=True)
class KernelPath:
    """The path that was taken, and why where it is NumPy's.

    ``known_answers`` is "passed", "failed" or "not asked"; ``warning`` is None where there is no need to look.
    """

    library: CDLL | None
    reason: str
    known_answers: str = "not asked"
    compiler: str | None = None
    warning: str | None = None

    def facts(self) -> dict[str, str | None]:
        """Return what a manifest says of it; part of no digest."""
        return {
            "path": NUMPY if self.library is None else COMPILED,
            "reason": self.reason,
            "known_answers": self.known_answers,
            "compiler": self.compiler,
            "sources": sources.digest(),
            "warning": self.warning,
        }


def compiled() -> CDLL | None:
    """Return the compiled kernels, None where NumPy computes.

    Raises ``UsageError`` (2) for an unknown value of the variable.
    """
    return kernel_path().library


def required() -> CDLL:
    """Return the compiled kernels, for what is called where they compute.  Raises ``RuntimeError`` where NumPy does."""
    if (library := compiled()) is None:
        raise RuntimeError("expected the compiled kernels, was the NumPy path: ask `compiled` first")
    return library


@cache
def kernel_path() -> KernelPath:
    """Return the path of this process, chosen once.  Raises ``UsageError`` (2) for an unknown value of the variable."""
    asked = os.environ.get(VARIABLE, "")
    if asked not in ("", NUMPY):
        raise UsageError(f"{VARIABLE}: expected {NUMPY!r} or nothing, was {asked!r}: unset it for the compiled kernels")
    if asked == NUMPY:
        return KernelPath(None, f"{VARIABLE}={NUMPY}")
    if not sources.BUILT.is_file():
        return KernelPath(None, "not compiled: no C compiler was there when this was installed")
    return load(sources.BUILT)


def load(built: Path) -> KernelPath:
    """Return the path of a library: it is taken if it was built from these sources and gives the known answers."""
    try:
        library = CDLL(str(built))
        library.kernel_sources.restype = library.kernel_compiler.restype = c_char_p
        made_from, compiler = library.kernel_sources().decode(), library.kernel_compiler().decode()
        for name in _COUNTING:
            getattr(library, name).restype = c_int64
    except (OSError, AttributeError) as problem:
        return _refused(f"the compiled kernels cannot be loaded: {problem}")
    if made_from != sources.digest():
        return _refused("the compiled kernels were built from other sources")
    if wrong := wrong_answers(library):
        return _refused(f"the compiled kernels give another answer than NumPy: {', '.join(wrong)}", "failed", compiler)
    return KernelPath(library, "built from these sources", "passed", compiler)


def _refused(reason: str, known_answers: str = "not asked", compiler: str | None = None) -> KernelPath:
    remedy = "NumPy computes, slower and with the same bits; run `make run`, or build again with `pip install -e .`"
    return KernelPath(None, reason, known_answers, compiler, f"{reason}: {remedy}")
