"""The exact results do not depend on the processor, the number of threads, or the hash seed.  [audit 10.3]"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
from hypotheses import judge, results_documents
from tests.hypotheses.cases import streams
from tests.hypotheses.test_judge import registration, window
document = results_documents.exact_document(judge.judge(window(), registration(bootstrap_draws=199), streams), {})
print(results_documents.results_digest(document))
"""

# one process for all that differs: each costs seconds, and `cme reproduce` takes them one by one
PLACES = {
    "default": {},
    "old processor, two threads, plain libm": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX",
        "OPENBLAS_NUM_THREADS": "2",
        "PYTHONHASHSEED": "4242",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA",
    },
}


@pytest.fixture(scope="module")
def digests() -> dict[str, str]:
    """The digest of one judged window in each environment."""
    found = {}
    for name, extra in PLACES.items():
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **extra, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
        found[name] = done.stdout.strip()
    return found


@pytest.mark.slow
def test_one_digest_in_every_environment(digests: dict[str, str]) -> None:
    """Rounding could hide a difference; here nothing is rounded until integers and decimals are done."""
    assert len(digests["default"]) == 64
    assert set(digests.values()) == {digests["default"]}
