"""A run whose whole command is killed, and killed again, ends like one that was left alone.  [S8.5]"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.small_run import ROOT, Tiny

KILLS = 2


def begin(tiny: Tiny, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", "cme", "run", str(tiny.config), "--out", str(out)]
    return subprocess.Popen(
        [*command, "--workers", "1", "--tracking", "http://127.0.0.1:9"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_killed_at_any_moment_is_resumed_to_the_same_digest(tiny: Tiny, tmp_path: Path) -> None:
    """SIGKILL at random moments, after random numbers of finished parts: each attempt takes up what the last left."""
    chance = random.Random(288_615)  # when to kill, no secret
    out = tmp_path / "runs"
    (out / "data").mkdir(parents=True)
    (out / "data" / tiny.dataset.path.name).symlink_to(tiny.dataset.path)  # the market is not what is tested here
    least = 1
    for _ in range(KILLS):
        running = begin(tiny, out)
        while len(list(out.glob(".work/*/*.piece"))) < least and running.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.3)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        least = chance.randint(2, 4)
    assert running.returncode == -signal.SIGKILL
    kept = len(list(out.glob(".work/*/*.piece")))

    last = begin(tiny, out)
    _, said = last.communicate()

    assert last.returncode == 0, said
    assert kept >= 1
    assert f"its {kept} finished parts are taken up" in said
    (folder,) = (path.parent for path in out.glob("*/digest.txt") if path.parent.name == tiny.folder.name)
    for name in ("digest.txt", "ledger/emit.jsonl", "ledger/resolution.jsonl", "placements.parquet", "returns.parquet"):
        assert (folder / name).read_bytes() == (tiny.folder / name).read_bytes(), name
    assert not (out / ".work").exists()
