"""Power loss at every system call of a writer, on a model of a disk.  [audit 6.4]"""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.errors import AppendError
from engine.ledger.store.export import export_lines
from engine.ledger.verification.verify import verify_ledger
from tests.helpers.ledgers import store
from tests.helpers.power_loss import BATCH, disks, files_of, record

MODES = ("drop", "keep", "some", "torn")


def traceable() -> bool:
    """Return whether system calls can be recorded here."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-e", "trace=none", "true"], capture_output=True, check=False).returncode == 0


def outcome(left: dict[str, bytes], source: Path, folder: Path, acknowledged: int) -> str:
    """Return what is broken in the files a power loss left, "" where nothing is."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "marks").mkdir(parents=True)
    for path, data in left.items():
        (folder / Path(path).relative_to(source)).write_bytes(data)
    with store(folder) as after:
        report = verify_ledger(io.BytesIO(b"".join(export_lines(after)))).report
        try:
            after.append("signal", [])
            ahead = ""
        except AppendError as error:
            ahead = f"mark ahead: {error}"
    if report.exit:
        return str(report.reason)
    if (report.rows - 1) % BATCH:
        return f"expected whole batches of {BATCH}, was {report.rows - 1} signals"
    lost = acknowledged * BATCH - (report.rows - 1)
    return f"lost {lost} acknowledged rows" if lost > 0 else ahead


def broken(tmp_path: Path, synchronous: str, batches: int) -> tuple[int, list[str]]:
    """Return how many different disks were looked at, and what was broken on them."""
    source = tmp_path / synchronous
    source.mkdir()
    with store(source):
        pass
    before = files_of(source)
    calls = record(source, synchronous, batches)
    seen: set[int] = set()
    found: list[str] = []
    for disk, acknowledged in disks(before, calls):
        for mode in MODES:
            left = disk.left(mode)
            key = hash((acknowledged, *sorted(left.items())))
            if key not in seen:
                seen.add(key)
                fault = outcome(left, source, tmp_path / "after", acknowledged)
                found += [fault] if fault else []
    assert batches == acknowledged
    return len(seen), found


@pytest.mark.slow
@pytest.mark.skipif(not traceable(), reason="strace is needed to record a writer's system calls")
def test_no_power_loss_loses_or_tears_what_was_acknowledged(tmp_path: Path) -> None:
    """After every call, unsynced work lost, kept, in part or torn: chain, batches and acknowledged rows are whole."""
    looked, found = broken(tmp_path, "FULL", 6)

    assert found == []
    assert looked > 100


@pytest.mark.slow
@pytest.mark.skipif(not traceable(), reason="strace is needed to record a writer's system calls")
def test_the_model_sees_what_a_weaker_setting_loses(tmp_path: Path) -> None:
    """Negative control: write-ahead logging without a sync at each commit loses acknowledged rows."""
    _, found = broken(tmp_path, "NORMAL", 3)

    assert any("lost" in fault for fault in found)
