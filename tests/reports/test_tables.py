"""Parts of `sensitivities.json` as tables: cells by their units, no column of remarks without a remark."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from reports.base import Table
from reports.load import sensitivities_of
from reports.tables import parts
from reports.words import NONE


def shown(folder: Path, rows: list[dict[str, Any]]) -> Table:
    """The table of a part with these rows: a name, a count and a remark each."""
    columns = [
        {"key": key, "title": key, "unit": unit} for key, unit in (("name", "text"), ("n", "count"), ("why", "text"))
    ]
    table = {"caption": "c", "columns": columns, "rows": rows, "folded": False}
    part = {"name": "p", "title": "t", "label": "exploratory", "rule": "r", "tables": [table], "notes": []}
    (folder / "sensitivities.json").write_text(json.dumps({"parts": [part], "not_asked": []}))
    run: Any = SimpleNamespace(path=folder, sensitivities=sensitivities_of(folder))
    return next(block for block in parts(run, ["p"]) if isinstance(block, Table))


def test_a_column_of_remarks_without_a_remark_is_left_out(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"name": "C1", "n": 1200, "why": ""}, {"name": "C2", "n": None, "why": None}]
    table = shown(tmp_path, rows)
    assert (table.head, table.right) == (("name", "n"), (1,))
    assert table.rows == (("C1", "1,200"), ("C2", NONE))


def test_one_remark_keeps_its_column(tmp_path: Path) -> None:
    """Numbers that are all undefined keep theirs too: their absence is a finding."""
    rows: list[dict[str, Any]] = [{"name": "C1", "n": None, "why": "flat"}, {"name": "C2", "n": None, "why": ""}]
    assert shown(tmp_path, rows).rows == (("C1", NONE, "flat"), ("C2", NONE, NONE))
