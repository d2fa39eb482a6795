"""Whether two outputs say the same: everything that a change of names or of layout must not move.

    python benchmarks/same_results.py OLD NEW        (make same-results OLD=... NEW=...)

OLD and NEW are `--out` folders of `cme run` (or single run directories), or `--out` folders of `cme calibrate`.  Runs
are paired by study and first day.  Compared value by value: every table, every signal row's id, `provenance_hash` and
`content_hash`, every resolution row's content without `signal_row_hash`, `hypotheses` and `counts` of the results
document, folds, fits, funnel, coverage, quality, sensitivities and verdicts; of a certificate each cell.  What covers
the engine's tree (digest, heads, roots, ledger and run ids) may differ and is printed for both.  Exits with 1 where
anything else differs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MOVING = {"signal_row_hash", "signal_row", "row_hash"}
"""Columns and fields that cover the genesis, which names the engine's tree."""
TABLES = ("*.parquet", "folds/*/*.parquet")
DOCUMENTS = ("folds.json", "funnel.json", "coverage.json", "coverage_days.json", "quality.json", "data.json",
             "sensitivities.json", "results.float.json", "folds/*/fitted.json")  # fmt: skip
HEADERS = ("run", "integrity")
"""Parts of verdicts.json that name digests, heads and ids."""


def runs_of(folder: Path) -> dict[str, Path]:
    """Return the run directories below ``folder`` by their name without the hash at its end."""
    if (folder / "manifest.json").is_file():
        return {folder.name.rpartition("-")[0]: folder}
    paths = (path.parent for path in sorted(folder.glob("*/digest.txt")))
    return {path.name.rpartition("-")[0]: path for path in paths}


def rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield kind and comparable part of each ledger row but the genesis."""
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        row = json.loads(line)["row"]
        content = {key: value for key, value in row["content"].items() if key not in MOVING}
        hashed = {"content_hash": row["content_hash"]} if row["kind"] == "signal" else {}
        yield row["kind"], {**content, **hashed}


def read(path: Path) -> Any:
    """Return the JSON document in ``path``; None where it is not there."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def table_bytes(path: Path) -> bytes:
    """Return a table's columns as Arrow's stream format: NaN in a nested column equals itself there, bit by bit."""
    table = pq.read_table(path)
    table = table.drop([name for name in table.column_names if name in MOVING]).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata(None))
    buffer: bytes = sink.getvalue().to_pybytes()
    return buffer


def without_seals(document: Any) -> Any:
    """Return a document without what it says of the seal of the calibration certificate, which names source trees."""
    if isinstance(document, dict):
        return {key: without_seals(value) for key, value in document.items() if key != "seal"}
    if isinstance(document, list):
        return [without_seals(item) for item in document if not str(item).startswith("The certificate is of ")]
    return document


def results(run: Path) -> dict[str, Any]:
    """Return the hashed document of a run."""
    files = sorted(run.glob("results.exact.json")) + sorted(run.glob("results.exploratory.json"))
    document: dict[str, Any] = read(files[0]) if files else {}
    return document


def differences(old: Path, new: Path) -> Iterator[str]:
    """Yield one line for each thing of a run that must not move and did."""
    for pattern in TABLES:
        names = {p.relative_to(base).as_posix() for base in (old, new) for p in base.glob(pattern)}
        for name in sorted(names):
            if not (old / name).is_file() or not (new / name).is_file():
                yield f"{name}: only in one of the two"
                continue
            if table_bytes(old / name) != table_bytes(new / name):
                yield f"{name}: values or columns differ"
    for kind in ("emit", "resolution"):
        left_rows, right_rows = (list(rows(base / "ledger" / f"{kind}.jsonl")) for base in (old, new))
        if left_rows != right_rows:
            first = next(
                (n for n, pair in enumerate(zip(left_rows, right_rows, strict=False)) if pair[0] != pair[1]), -1
            )
            yield f"ledger/{kind}.jsonl: {len(left_rows)} and {len(right_rows)} rows, first difference at row {first}"
    for part in ("hypotheses", "counts"):
        if results(old).get(part) != results(new).get(part):
            yield f"results: {part} differ"
    for pattern in DOCUMENTS:
        for name in sorted({p.relative_to(base).as_posix() for base in (old, new) for p in base.glob(pattern)}):
            if without_seals(read(old / name)) != without_seals(read(new / name)):
                yield f"{name}: differs"
    left, right = (
        {k: v for k, v in (read(base / "verdicts.json") or {}).items() if k not in HEADERS} for base in (old, new)
    )
    if left != right:
        yield f"verdicts.json: {', '.join(key for key in left if left.get(key) != right.get(key)) or 'other keys'}"


def moved(run: Path) -> dict[str, Any]:
    """Return what may differ: digest, heads, roots, ids."""
    manifest = read(run / "manifest.json")
    return {
        "run": run.name, "engine": manifest["engine_hash"], "digest": (run / "digest.txt").read_text().strip(),
        **{f"{kind}.{key}": value for kind, facts in manifest["ledgers"].items() for key, value in facts.items()},
    }  # fmt: skip


def cells(folder: Path) -> dict[str, Any]:
    """Return the rows of a certificate without seals and times."""
    document = read(folder / "certificate.json")
    return {f"{row['cell']} | {row['name']} | {row['role']}": row for row in document["rows"]} if document else {}


def main(old: Path, new: Path) -> int:
    """Print what is compared and what differs; return 1 where something differs or nothing was compared."""
    wrong = compared = 0
    if (old / "certificate.json").is_file():
        left, right = cells(old), cells(new)
        bad = sorted(key for key in {*left, *right} if left.get(key) != right.get(key))
        print(f"certificate: {len(left)} and {len(right)} cells, {len(bad)} differ", *bad[:20], sep="\n  ")
        return int(bool(bad) or not left)
    olds, news = runs_of(old), runs_of(new)
    for name in sorted({*olds, *news}):
        if name not in olds or name not in news:
            print(f"{name}: only in {'the first' if name in olds else 'the second'}")
            wrong += 1
            continue
        found = list(differences(olds[name], news[name]))
        compared, wrong = compared + 1, wrong + bool(found)
        print(f"{name}: {'the same' if not found else 'DIFFERS'}", *found, sep="\n  ")
        before, after = moved(olds[name]), moved(news[name])
        for key in before:
            print(f"    {key:<22} {before[key]}  ->  {after.get(key)}")
    print(f"{compared} runs compared, {wrong} differ")
    return int(bool(wrong) or not compared)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("expected two folders: python benchmarks/same_results.py OLD NEW")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
