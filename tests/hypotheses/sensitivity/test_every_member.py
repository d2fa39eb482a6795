"""Every sensitivity, whatever the window holds: shown, never an exception, and no number out of nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hypotheses.sensitivity.base import Sensitivity
from hypotheses.sensitivity.registry import SENSITIVITIES
from hypotheses.sensitivity.write import NAME, write
from tests.hypotheses.sensitivity.window import judged, trade


@pytest.mark.parametrize("member", SENSITIVITIES, ids=lambda member: member.name)
def test_a_window_in_which_nothing_was_traded_is_no_error(member: Sensitivity, tmp_path: Path) -> None:
    """One void signal: every table has the columns it names, and what is undefined is null."""
    run = judged(tmp_path, [trade("v", "C1", 1.0, 0.0, status="void", gross_usd_micro=0, fees_usd_micro=0)])

    part = member.build(run)

    for table in part.tables:
        for row in table.rows:
            assert {column.key for column in table.columns} <= set(row)
            assert row.get("sharpe") in (None, (0.0, 0.0))
    assert part.tables or part.notes


def test_the_file_holds_no_number_that_json_has_not(tmp_path: Path) -> None:
    """No NaN and no infinity reaches the file; its names are those of the registry."""
    write(judged(tmp_path, [trade("v", "C1", 1.0, 0.0, status="void")]))

    text = (tmp_path / NAME).read_text()
    found = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in the file"))
    assert found["schema"] == "sensitivities/1"
    assert (
        len({part["name"] for part in found["parts"]})
        == len(found["parts"])
        == sum(not member.market for member in SENSITIVITIES)
    )
