"""Detection gives the same bits wherever it runs.  [audit 10.3]"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import hashlib
import numpy as np
from engine.constraints.detect import detect
from engine.market.curve import fit_curve
from engine.market.view import prepare
from tests.helpers.builders import params
from tests.engine.constraints.test_linear_against_slow import noisy
from tests.engine.market.test_curve import registered, walk
from tests.helpers.markets import fitted, flat_history

digest = hashlib.sha256()
for seen in detect(prepare(noisy(41, 3e-3), params(), flat_history()), fitted(), floor=-np.inf):
    for column in (seen.net_bps, seen.packages.quantity, seen.packages.column, seen.costs.impact_bps):
        digest.update(np.ascontiguousarray(column).tobytes())
digest.update(repr(fit_curve(walk(), registered(), fold=0, z_threshold=2.0)).encode())
print(digest.hexdigest())
"""


def digest(**environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    return run.stdout.strip()


@pytest.fixture(scope="module")
def plain() -> str:
    return digest()


@pytest.mark.parametrize(
    "environment",
    [
        {"OPENBLAS_CORETYPE": "Nehalem", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3", "PYTHONHASHSEED": "1", "PYTHONWARNINGS": "ignore"},
        {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA", "OPENBLAS_NUM_THREADS": "2"},
    ],
    ids=["blas", "simd", "libm"],
)
def test_violations_and_fit_do_not_depend_on_the_machine(environment: dict[str, str], plain: str) -> None:
    """Other BLAS kernels, vector units, math library, hash seed and time zone: one digest of all seven constraints."""
    assert digest(**environment) == plain
