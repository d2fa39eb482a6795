"""Whether two runs say the same: everything that a change of names or of layout must not move.

Compared value by value: every table, every signal row's id, `provenance_hash` and `content_hash`, every resolution
row's content without `signal_row_hash`, `hypotheses` and `counts` of the results document, folds, fits, funnel,
coverage, quality, sensitivities and verdicts.  What covers the engine's tree (digest, heads, roots, ledger and run ids)
may differ, and so may what a run quotes of the calibration certificate, which is compared by itself.  What only the
second run has, a table, a column, a key, is an addition and no difference: it moves nothing that the first one says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from backtest.rundir.files import RESULTS

MOVING: Final = {"signal_row_hash", "signal_row", "row_hash"}
"""Columns and fields that cover the genesis, which names the engine's tree."""
TABLES: Final = ("*.parquet", "folds/*/*.parquet")
DOCUMENTS: Final = ("folds.json", "funnel.json", "coverage.json", "coverage_days.json", "quality.json", "data.json",
                    "sensitivities.json", "results.float.json", "folds/*/fitted.json")  # fmt: skip
LEDGERS: Final = ("emit", "resolution")
HEADERS: Final = ("run", "integrity")
"""Parts of verdicts.json that name digests, heads and ids."""
SHOWN: Final = 5
"""Fields of a document that a line names."""
QUOTED: Final = "calibration"
"""The part of sensitivities.json that quotes the certificate of the checkout."""


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What was compared of two runs, in numbers; a line a difference, and a line a thing that only the second has."""

    tables: int
    ledger_rows: int
    documents: int
    differences: tuple[str, ...]
    additions: tuple[str, ...]


def runs_of(folder: Path) -> dict[str, Path]:
    """Return the run directories below ``folder`` by their name without the hash at its end."""
    if (folder / "manifest.json").is_file():
        return {folder.name.rpartition("-")[0]: folder}
    paths = (path.parent for path in sorted(folder.glob("*/digest.txt")))
    return {path.name.rpartition("-")[0]: path for path in paths}


def compared(old: Path, new: Path) -> RunComparison:
    """Return what was compared of two run directories, each thing that must not move and did, and what was added."""
    lines: list[str] = []
    added: list[str] = []
    for name in _names(old, new, (*TABLES, *DOCUMENTS)):
        if not (new / name).is_file():
            lines.append(f"{name}: only in the first")
        elif not (old / name).is_file():
            added.append(name)
    tables, documents = (_names(old, old, patterns) for patterns in (TABLES, DOCUMENTS))
    for name in tables:
        if (new / name).is_file():
            left, right = (_table(base / name) for base in (old, new))
            added += [f"{name}: {column}" for column in right.column_names if column not in left.column_names]
            kept = [column for column in right.column_names if column in left.column_names]
            if _bytes(left) != _bytes(right.select(kept)):
                lines.append(f"{name}: values or columns differ")
    ledger_rows = 0
    for kind in LEDGERS:
        rows, other = (list(_rows(base / "ledger" / f"{kind}.jsonl")) for base in (old, new))
        ledger_rows += len(rows)
        if rows != other:
            first = next((n for n, pair in enumerate(zip(rows, other, strict=False)) if pair[0] != pair[1]), -1)
            lines.append(f"ledger/{kind}.jsonl: {len(rows)} and {len(other)} rows, first difference at row {first}")
    pairs = [(name, _document(old / name), _document(new / name)) for name in documents if (new / name).is_file()]
    pairs += [(f"results: {part}", _results(old, part), _results(new, part)) for part in ("hypotheses", "counts")]
    for name, before, after in [*pairs, ("verdicts.json", _verdicts(old), _verdicts(new))]:
        differing, extra = _fields(before, after, "")
        lines += [f"{name}: {', '.join(differing[:SHOWN])}"] if differing else []
        added += [f"{name}: {field}" for field in extra]
    return RunComparison(len(tables), ledger_rows, len(documents), tuple(lines), tuple(added))


def moved(run: Path) -> dict[str, Any]:
    """Return what may differ of a run: digest, heads, roots, ids."""
    manifest = _read(run / "manifest.json")
    return {
        "run": run.name, "engine": manifest["engine_hash"], "digest": (run / "digest.txt").read_text().strip(),
        **{f"{kind}.{key}": value for kind, facts in manifest["ledgers"].items() for key, value in facts.items()},
    }  # fmt: skip


def _names(old: Path, new: Path, patterns: tuple[str, ...]) -> list[str]:
    found = {p.relative_to(base).as_posix() for base in (old, new) for pattern in patterns for p in base.glob(pattern)}
    return sorted(found)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield kind and comparable part of each ledger row but the genesis."""
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        row = json.loads(line)["row"]
        content = {key: value for key, value in row["content"].items() if key not in MOVING}
        hashed = {"content_hash": row["content_hash"]} if row["kind"] == "signal" else {}
        yield row["kind"], {**content, **hashed}


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _table(path: Path) -> pa.Table:
    table = pq.read_table(path)
    return table.drop([name for name in table.column_names if name in MOVING])


def _bytes(table: pa.Table) -> bytes:
    """Return a table's columns as Arrow's stream format: NaN in a nested column equals itself there, bit by bit."""
    sink, whole = pa.BufferOutputStream(), table.combine_chunks()
    with pa.ipc.new_stream(sink, whole.schema.remove_metadata()) as writer:
        writer.write_table(whole.replace_schema_metadata(None))
    buffer: bytes = sink.getvalue().to_pybytes()
    return buffer


def _document(path: Path) -> Any:
    """Return a document without the part that quotes the certificate, which names source trees; parts by name."""
    document = _read(path)
    if path.name == "sensitivities.json":
        return {**document, "parts": {part["name"]: part for part in document["parts"] if part["name"] != QUOTED}}
    return document


def _results(run: Path, part: str) -> Any:
    """Return a part of the hashed document of a run; None where there is none."""
    documents = [_read(run / name) for name in RESULTS if (run / name).is_file()]
    return documents[0].get(part) if documents else None


def _verdicts(run: Path) -> dict[str, Any]:
    return {key: value for key, value in (_read(run / "verdicts.json") or {}).items() if key not in HEADERS}


def _fields(old: Any, new: Any, where: str) -> tuple[list[str], list[str]]:
    """Return the paths of what differs in a document and of what only the second has."""
    if isinstance(old, dict) and isinstance(new, dict):
        parts = [(str(key), old[key], new.get(key)) for key in old]
        differing: list[str] = []
        extra = [f"{where}.{key}".lstrip(".") for key in new if key not in old]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        parts = [(str(n), *pair) for n, pair in enumerate(zip(old, new, strict=True))]
        differing, extra = [], []
    else:
        return ([] if old == new else [where or "the whole"]), []
    for key, left, right in parts:
        of_part = _fields(left, right, f"{where}.{key}".lstrip("."))
        differing, extra = differing + of_part[0], extra + of_part[1]
    return differing, extra
