"""Environments in which one digest is required: threads, processor, libm, hash seed, zone, locale.  [audit 10.3]"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from engine.kernels.sources import NUMPY, VARIABLE


@dataclass(frozen=True, slots=True)
class Variation:
    """One environment: variables set over a plain one, a folder to stand in, and a number of workers."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    elsewhere: bool = False  # stand in another folder


VARIED: Final = (
    "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES",
    "GLIBC_TUNABLES", "PYTHONHASHSEED", "TZ", "LC_ALL", "LANG", VARIABLE,
)  # fmt: skip
"""Taken out of the environment before a variation sets its own."""


def variations() -> tuple[Variation, ...]:
    """Return the matrix; the features switched off are those that this NumPy dispatches on this processor."""
    features = dispatched()
    return (
        Variation("default"),
        Variation("one BLAS thread", {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}),
        Variation("two BLAS threads", {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}),
        Variation("OPENBLAS_CORETYPE Haswell", {"OPENBLAS_CORETYPE": "Haswell"}),
        Variation("OPENBLAS_CORETYPE Nehalem", {"OPENBLAS_CORETYPE": "Nehalem"}),
        *((Variation("no NumPy dispatch", {"NPY_DISABLE_CPU_FEATURES": " ".join(features)}),) if features else ()),
        Variation("libm without FMA and AVX2", {"GLIBC_TUNABLES": f"glibc.cpu.hwcaps={LIBM_OFF}"}),
        # Seed 0 switches the randomisation off, the others do not.
        *(Variation(f"hash seed {seed}", {"PYTHONHASHSEED": seed}) for seed in ("0", "1", "4242")),
        # 45 and 30 minutes off the hour: whole hours could hide a fault of rounding.
        *(Variation(f"TZ {zone}", {"TZ": zone}) for zone in ("Asia/Kathmandu", "America/St_Johns")),
        *(Variation(f"LC_ALL {name}", {"LC_ALL": name}) for name in ("C", "C.UTF-8")),
        Variation("another folder", elsewhere=True),
        Variation("2 workers", workers=2),
        Variation("NumPy in place of the compiled kernels", {VARIABLE: NUMPY}),
    )


LIBM_OFF: Final = "-AVX2_Usable,-FMA_Usable,-FMA4_Usable,-AVX512F_Usable,-AVX2,-FMA,-FMA4,-AVX512F"
"""Both spellings: the names of the tunable changed with glibc 2.33; unknown ones are ignored."""


def dispatched() -> tuple[str, ...]:
    """Return the processor features that NumPy chooses between at run time and finds here."""
    core = importlib.import_module("numpy._core._multiarray_umath")

    features: Mapping[str, bool] = getattr(core, "__cpu_features__", {})
    return tuple(name for name in getattr(core, "__cpu_dispatch__", ()) if features.get(name))


def environment_of(variation: Variation, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of a process under ``variation``."""
    start = os.environ if base is None else base
    # Without the caller's own settings: a variation must differ by itself alone.
    return {name: value for name, value in start.items() if name not in VARIED} | dict(variation.variables)


def differing_statistics() -> dict[str, str]:
    """Return statistics of the kinds the exact tier forbids, exactly as they come out here: they must differ somewhere.

    A matrix product and eigenvectors through BLAS, and exponentials through NumPy and libm.  [audit 15.3]
    """
    import math
    from hashlib import sha256

    words = np.random.PCG64(20_260_101).random_raw(300 * 41)
    grid = (words >> np.uint64(11)).astype(np.float64).reshape(300, 41) / 2.0**53 - 0.5
    product = grid.T @ grid
    sums = {
        "BLAS product": product,
        "LAPACK eigenvalues": np.linalg.eigvalsh(product),
        "NumPy exp": np.exp(grid * 7.0),
        "libm": np.array([f(x) for f in (math.exp, math.sin, math.tanh) for x in (grid.ravel() * 9.0).tolist()]),
    }
    return {name: sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16] for name, values in sums.items()}
