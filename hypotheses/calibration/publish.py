"""A certificate issued: the cells that were asked for, the table of their rows, and the files it is kept in.  [S9.1]"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from backtest import environment
from backtest.data.format.atomic_write import write_whole
from backtest.gate.freeze.import_closure import ROOT
from backtest.seeds import streams
from engine.errors import CmeError, MissingError, UsageError
from engine.ledger.format.canonical_json import parse_any_spelling
from hypotheses.calibration import certificate, page, registry
from hypotheses.calibration.base import Cell
from hypotheses.calibration.plan import load_plan
from hypotheses.calibration.run import Job, cells_of, finished, size, spent_s

NAME: Final = "certificate.json"
PUBLISHED: Final = ROOT / "docs" / "calibration.md"


def wanted(names: Sequence[str], data_root: Path | None) -> list[Cell]:
    """Return the cells of these names, all where there are none; resampled ones only with a folder of real data.

    Raises ``UsageError`` for a name that no cell has.
    """
    unknown = sorted(set(names) - set(registry.BY_NAME))
    if unknown:
        raise UsageError(f"--cell: expected some of {', '.join(registry.BY_NAME)}, was {', '.join(unknown)}")
    # A cell that reads another needs it: its name alone asks for both.
    sources = [registry.BY_NAME[name].source for name in names if registry.BY_NAME[name].source]
    return [cell for cell in cells_of((*names, *sources)) if data_root is not None or cell.tier != "resampled"]


def certificate_of(job: Job, cells: list[Cell]) -> dict[str, Any]:
    """Return the certificate of the finished chunks of ``cells``."""
    # Cells without rows are read by others; of resampled ones the certificate names the data too.
    measured = {cell.name: finished(job, cell.name) for cell in cells if cell.rows or cell.tier == "resampled"}
    plan = load_plan(job.config, job.quick)
    return certificate.document(plan, cells, measured, streams.load(ROOT / "seeds.lock").seeds_hash)


def write(content: dict[str, Any], job: Job, cells: list[Cell], publish: bool) -> str:
    """Write certificate and cost into the job's folder, and where reports find them if published; return its text."""
    cost = _cost(job, cells)
    written = {NAME: certificate.text(content), "certificate.md": page.markdown(content, cost).encode()}
    for name, data in {**written, "cost.json": (json.dumps(cost, indent=1) + "\n").encode()}.items():
        write_whole(job.out / name, data)
    if publish:
        write_whole(job.config.parent / NAME, written[NAME])
        write_whole(PUBLISHED, written["certificate.md"])
    return written[NAME].decode()


def kept_certificate(path: Path) -> dict[str, Any]:
    """Return the content of the certificate at ``path``.  Raises ``MissingError`` (3) where there is none to read."""
    try:
        content = parse_any_spelling(path.read_bytes())
    except (OSError, CmeError) as problem:
        raise MissingError(f"{path}: expected a certificate, was: {problem}; `cme calibrate` writes one") from problem
    if not isinstance(content, dict) or content.get("schema") != certificate.SCHEMA:
        raise MissingError(f"{path}: expected a certificate of the form {certificate.SCHEMA}, was another")
    return content


def keep_carried(content: dict[str, Any], kept: Path, published: Path) -> None:
    """Write a certificate that was carried over in place of ``kept``, and its page in place of ``published``."""
    text = page.changed(content, published.read_text(encoding="utf-8") if published.is_file() else "")
    write_whole(kept, certificate.text(content))
    write_whole(published, text.encode())


def table(content: dict[str, Any]) -> str:
    """Return one line a row: tier, share, interval, replications, whether its limit is met, name."""
    lines = []
    for row in content["rows"]:
        share = "-" if row["share"] is None else page.percent(row["share"])
        ends = f"[{page.percent(row['low'])}, {page.percent(row['high'])}]"
        lines.append(f"{row['tier']:<9} {share:>6} {ends:<16} {row['of']:>6,}  {row['met']:<13} {row['name']}")
    return "\n".join([*lines, *([content["n2_choice"]["says"]] if content["n2_choice"] else [])])


def cpu_by_cell(job: Job, cells: list[Cell]) -> dict[str, float]:
    """Return the processor time of one replication of each measured cell, seconds."""
    plan = load_plan(job.config, job.quick)
    counts = {cell: size(job, plan, cell) for cell in cells}
    return {cell.name: spent_s(job, cell) / count for cell, count in counts.items() if count}


def _cost(job: Job, cells: list[Cell]) -> dict[str, Any]:
    machine = environment.machine()
    spent = {cell.name: round(spent_s(job, cell), 1) for cell in cells}
    return {
        "cpu_s": round(math.fsum(spent.values()), 1),
        "processor": machine["processor"],
        "cores": machine["cores"],
        "versions": environment.versions(),
        "cells_cpu_s": spent,
    }
