"""Records what a run was made with: commit, lock, interpreter, packages, processor.  A freeze checks it.  [S8.6]"""

from __future__ import annotations

import hashlib
import importlib
import locale
import os
import platform
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("numpy", "pandas", "pyarrow", "scipy", "statsmodels", "arch", "scikit-learn", "joblib", "mlflow")
_REPOSITORY = re.compile(r"""^repository-code:\s*["']?(https?://[^\s"']+)["']?\s*$""", re.MULTILINE)
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def git(*arguments: str) -> str | None:
    """Return what git prints for ``arguments`` in the checkout, or None where this is no checkout or git is absent."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    # A copy without git can run too: its commit is then unknown.
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def source() -> dict[str, str | bool | None]:
    """Return the commit and whether every tracked file is as committed; None where git cannot say."""
    status = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD"), "clean": None if status is None else not status}


def repository() -> str | None:
    """Return the address that CITATION.cff of the checkout gives as ``repository-code``; None if it gives none."""
    citation = ROOT / "CITATION.cff"
    match = _REPOSITORY.search(citation.read_text(encoding="utf-8")) if citation.is_file() else None
    return match[1] if match else None


def now_us() -> int:
    """Return the time of this machine in microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


def lock_sha256() -> str | None:
    """Return the SHA-256 of requirements.lock, or None where the checkout does not hold it."""
    lock = ROOT / "requirements.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None


def versions() -> dict[str, str]:
    """Return the versions of the interpreter and of the packages that compute."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}


def kernels() -> dict[str, str | None]:
    """Return which path computed, compiled or NumPy's, and the warning where the compiled one was refused.

    Both have the same bits: part of no digest.
    """
    # loaded here: no help of a command needs numpy
    from engine.kernels.choose import kernel_path

    return kernel_path().facts()


def machine() -> dict[str, str | int]:
    """Return facts of the machine: shown in the report, never part of a digest."""
    path = kernels()
    return {
        "kernels": path["warning"] or f"{path['path']}: {path['reason']}, known answers {path['known_answers']}",
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "platform": platform.platform(),
        "libc": " ".join(platform.libc_ver()),
        "byteorder": sys.byteorder,
        "locale": locale.getlocale()[0] or "C",
        "time_zone": time.tzname[0],
        "threads": ", ".join(f"{name}={os.environ.get(name, 'unset')}" for name in THREADS),
        "processor_features": " ".join(name for name, present in sorted(_processor_features().items()) if present),
        "blas": _blas_build(),
        "thread_pools": "; ".join(_thread_pools()) or "none",
    }


def _processor_features() -> dict[str, bool]:
    """Return the instruction sets that numpy looks for in this processor, and whether it has them."""
    features: dict[str, bool] = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    return features


def _blas_build() -> str:
    """Return name, version and build options of the BLAS that numpy was built with."""
    import numpy as np

    config: Any = np.show_config(mode="dicts")
    built = config["Build Dependencies"]["blas"]
    return " ".join(str(built.get(key, "")) for key in ("name", "version", "openblas configuration")).strip()


_POOL: Final = ("internal_api", "version", "architecture")


def _thread_pools() -> list[str]:
    """Return the thread pools that are loaded, with the kernel and the number of threads in force in this process.

    A runtime of OpenMP tells neither version nor kernel: its name stands alone.
    """
    from threadpoolctl import threadpool_info

    return sorted(
        f"{' '.join(filter(None, (pool.get(k) for k in _POOL)))}: {pool['num_threads']} threads"
        for pool in threadpool_info()
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
