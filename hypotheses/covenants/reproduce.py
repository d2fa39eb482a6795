"""`cme reproduce` of a covenant run: its own plan computed again and compared file by file.  [audit 8.3]"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backtest.rundir.files import read_object
from backtest.simulation.covenant_parts import StudyParts
from backtest.simulation.covenant_verify import result_files, verify_covenant_run
from backtest.simulation.run_document import DIFFERENT, check_entry, document_of
from engine.errors import CmeError, MissingError
from hypotheses.covenants.run import study_files, study_job


def reproduce_covenant_run(path: Path, data_root: Path | None, progress: Callable[[str], None]) -> dict[str, Any]:
    """Return the document of `cme reproduce --json`: the checks of `cme verify`, then the results computed again.

    ``claims`` has C1 and C2 as reported and as recomputed (of a three-way study).  The exit code is that of the first
    check that fails: 16 for a changed file, 2 or 3 without the data, 30 for another result.
    """
    checks = verify_covenant_run(path)["checks"]
    if any(check["exit"] for check in checks):
        return document_of(checks, []) | {"claims": []}
    try:
        job = study_job(path / "study.toml", data_root)
        manifest = read_object(path / "manifest.json")
        if job.inputs["sources"] != manifest["sources"]:
            raise MissingError("the market data are not the files that manifest.json names: give their folder")
        again = study_files(job, StudyParts(progress=progress))
    except CmeError as error:
        return document_of([*checks, check_entry("recomputed", str(error), error.exit_code)], []) | {"claims": []}
    before = result_files(path)
    other = sorted(name for name in before if before[name] != again.get(name))
    problem = f"{other[0]}: computed again it has other bytes" if other else ""
    # A run of older code may differ for that reason alone; the reader is told which.
    if other and job.inputs["code"] != manifest["code"]:
        problem += "; the code is another too: check out the one that made the run"
    figures = [json.loads(files["figures.json"]) for files in (before, again)]
    return document_of([*checks, check_entry("recomputed", problem, DIFFERENT)], []) | {"claims": _claims(*figures)}


def _claims(reported: dict[str, Any], recomputed: dict[str, Any]) -> list[dict[str, Any]]:
    names = [name for name in ("C1", "C2") if name in reported]
    return [
        {"claim": name, "reported": reported[name]["mean"]["p1"], "recomputed": recomputed[name]["mean"]["p1"]}
        for name in names
    ]
