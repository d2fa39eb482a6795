"""Two runs compared: what may move may, a changed value is named, what was added is no difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtest.rundir.same_results import compared, moved, runs_of

TRADES = {"signal_id": ["a", "b"], "net": [1.0, float("nan")], "row_hash": ["x", "y"]}
FILES: dict[str, Any] = {
    "manifest.json": {"engine_hash": "e", "ledgers": {"emit": {"head": "h"}}},
    "folds.json": [{"fold": 0, "z": "1.5"}],
    "verdicts.json": {"run": {"id": "1"}, "integrity": {"head": "h"}, "H1": {"verdict": "supported"}},
    "results.exact.json": {"hypotheses": {"h1": "1"}, "counts": {"days": 90}, "run": "1"},
    "sensitivities.json": {"parts": [{"name": "calibration", "notes": ["old"]}, {"name": "delay", "tables": [1]}]},
}


def run(folder: Path, name: str, trades: dict[str, Any] = TRADES, net: str = "1", **files: Any) -> Path:
    """Write a small run directory; ``files`` replace documents, dots in their names written as ``_``."""
    place = folder / name
    (place / "ledger").mkdir(parents=True)
    (place / "digest.txt").write_text(f"{name}\n")
    for file, document in {**FILES, **{key.replace("_", "."): value for key, value in files.items()}}.items():
        (place / file).write_text(json.dumps(document))
    pq.write_table(pa.table(trades), place / "trades.parquet")
    for kind in ("emit", "resolution"):
        content = {"net": net, "signal_row_hash": name}
        rows = [{"kind": "genesis", "content": {"engine": name}}]
        rows.append({"kind": "signal", "content": content, "content_hash": net})
        (place / "ledger" / f"{kind}.jsonl").write_text("\n".join(json.dumps({"row": row}) for row in rows))
    return place


def test_what_names_the_code_may_differ(tmp_path: Path) -> None:
    """Another genesis, digest, row hash and quoted certificate: everything was compared and is the same."""
    old = run(tmp_path, "demo-2026-01-01-aaaa")
    quoted = {"parts": [{"name": "calibration", "notes": ["new"]}, {"name": "delay", "tables": [1]}]}
    other = {**TRADES, "row_hash": ["p", "q"]}
    new = run(tmp_path, "demo-2026-01-01-bbbb", other, sensitivities_json=quoted)
    found = compared(old, new)
    assert (found.tables, found.ledger_rows, found.documents) == (1, 2, 2)
    assert (found.differences, found.additions) == ((), ())
    assert moved(old) != moved(new)
    assert runs_of(old) == {"demo-2026-01-01": old}
    assert runs_of(tmp_path) == {"demo-2026-01-01": new}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"trades": {**TRADES, "net": [1.0, 2.0]}}, "trades.parquet: values or columns differ"),
        ({"trades": {key: TRADES[key] for key in ("net", "row_hash")}}, "trades.parquet: values or columns differ"),
        ({"net": "2"}, "ledger/emit.jsonl: 1 and 1 rows, first difference at row 0"),
        ({"folds_json": [{"fold": 0, "z": "2.0"}]}, "folds.json: 0.z"),
        ({"verdicts_json": {"H1": {"verdict": "refuted"}}}, "verdicts.json: H1.verdict"),
        ({"verdicts_json": {}}, "verdicts.json: H1"),
        ({"sensitivities_json": {"parts": []}}, "sensitivities.json: parts.delay"),
    ],
)
def test_a_value_that_differs_is_named_by_file_and_field(tmp_path: Path, change: dict[str, Any], line: str) -> None:
    """One change, in its file; a ledger differs in both files."""
    found = compared(run(tmp_path, "old"), run(tmp_path, "new", **change))
    assert found.differences[0] == line
    assert len(found.differences) == (2 if line.startswith("ledger") else 1)


def test_results_of_the_document_that_is_hashed_are_compared(tmp_path: Path) -> None:
    """Its hypotheses and counts, not the rest of it."""
    document = {"hypotheses": {"h1": "1"}, "counts": {"days": 89}, "run": "2"}
    new = run(tmp_path, "new")
    (new / "results.exact.json").write_text(json.dumps(document))
    assert compared(run(tmp_path, "old"), new).differences == ("results: counts: days",)


def test_what_only_one_has_is_lost_or_added(tmp_path: Path) -> None:
    """A table, a column and a key of the later run are additions; the other way round they are differences."""
    old = run(tmp_path, "old")
    verdicts = {**FILES["verdicts.json"], "H4": {}}
    new = run(tmp_path, "new", {**TRADES, "wait_s": [1, 2]}, verdicts_json=verdicts, funnel_json={})
    found, back = compared(old, new), compared(new, old)
    assert found.differences == ()
    assert found.additions == ("funnel.json", "trades.parquet: wait_s", "verdicts.json: H4")
    assert back.differences == (
        "funnel.json: only in the first",
        "trades.parquet: values or columns differ",
        "verdicts.json: H4",
    )
