"""The small form of ``benchmarks/recorder_kills.py``: nothing acknowledged is lost by kill -9."""

from __future__ import annotations

from pathlib import Path

from benchmarks.recorder_kills import kill


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    """Two recorders of one recording; `kill` compares every byte and checks the chain."""
    results = kill(2, tmp_path)

    assert all(0 < result.acknowledged <= result.stored for result in results)
