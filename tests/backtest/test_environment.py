"""Facts of a run's surroundings: recorded, and never a reason to fail.  [S8.6]"""

from __future__ import annotations

import json
import subprocess
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from backtest import environment


def test_versions_are_those_that_compute() -> None:
    """Numpy's version is numpy's own; every package of the list has one."""
    found = environment.versions()

    assert found["numpy"] == np.__version__
    assert set(found) == {"python", *environment.PACKAGES}


def test_outside_a_checkout_git_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No checkout, or no git at all: None, which is not the same as clean."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    assert environment.source() == {"commit": None, "clean": None}
    assert environment.lock_sha256() is None

    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.git("status") is None


def test_a_changed_tracked_file_is_not_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is HEAD's; an untracked file leaves the tree clean, a changed one does not."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    (tmp_path / "a").write_text("1")
    (tmp_path / "requirements.lock").write_text("x")
    for words in (["init", "-q"], ["add", "a"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    head = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)

    assert environment.source() == {"commit": head.stdout.strip(), "clean": True}
    assert environment.lock_sha256() == sha256(b"x").hexdigest()
    (tmp_path / "a").write_text("2")
    assert environment.source()["clean"] is False


def test_machine_facts_are_plain_and_complete() -> None:
    """Only text and integers, so that any manifest can hold them."""
    facts = environment.machine()

    assert json.loads(json.dumps(facts)) == facts
    assert set(facts) >= {"processor", "cores", "platform", "libc", "byteorder", "locale", "time_zone", "threads"}
    assert set(facts) >= {"processor_features", "blas", "thread_pools"}
    assert all(facts["threads"].count(name) == 1 for name in environment.THREADS)  # type: ignore[union-attr]


def test_features_blas_and_threads_in_force_are_those_of_this_process() -> None:
    """Beside the kernel's own list of flags, numpy's own report, and a limit that is set while it is asked."""
    facts = environment.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and "flags" in info.read_text():
        flags = next(line for line in info.read_text().splitlines() if line.startswith("flags")).split()
        for name in ("AVX2", "AVX512F", "FMA3"):
            assert (name in str(facts["processor_features"]).split()) == (name.lower().replace("fma3", "fma") in flags)
    # another package may bring a BLAS of its own, of another version
    pools = [pool for pool in threadpool_info() if "numpy" in Path(pool["filepath"]).parent.name]
    assert [pool["version"] for pool in pools] == [str(facts["blas"]).split()[1]]
    with threadpool_limits(1, user_api="blas"):
        assert "openblas" in str(environment.machine()["thread_pools"])
        assert all(part.endswith(": 1 threads") for part in str(environment.machine()["thread_pools"]).split("; ")
                   if part.startswith("openblas"))  # fmt: skip


def test_a_fact_that_the_system_does_not_know_is_no_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime of OpenMP has no version and no kernel; a process may have no locale."""
    openmp = {"user_api": "openmp", "internal_api": "openmp", "version": None, "num_threads": 2}
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: [openmp])
    monkeypatch.setattr(environment.locale, "getlocale", lambda: (None, None))

    facts = environment.machine()

    assert (facts["thread_pools"], facts["locale"]) == ("openmp: 2 threads", "C")
    assert "None" not in str(facts)
