"""A disk that is full from any call on: exit 5, nothing acknowledged lost, nothing half-written, and it goes on.

Here a sample of the calls; `results(folder, operation)` tries each one.  [live L4, decision 0682]
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers.disk_full import results

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("cc") is None, reason="a C compiler is needed to stand between a writer and its disk"
    ),
]


@pytest.mark.parametrize(("operation", "step"), [
    ("record", 3), ("record, room again", 5), ("emit", 89), ("resolve", 71), ("join", 19),
])  # fmt: skip
def test_a_full_disk_loses_nothing(tmp_path: Path, operation: str, step: int) -> None:
    found = results(tmp_path, operation, step)
    assert found["broken"] == []
    assert found["calls"] > 40
    assert found["codes"].get("5", 0) > 0
    assert set(found["codes"]) <= {"0", "5"}
