"""`cme verify` of a covenant run: every file against the listing, and what its documents say of each other.  [S8.6]"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pandas as pd

from backtest.rundir import checksums
from backtest.rundir.files import read_object
from backtest.simulation.covenant_metrics import summary
from backtest.simulation.result import digest_of_files
from backtest.simulation.run_document import CHANGED, check_entry, document_of, files_entry, has_schema

SCHEMA: Final = "covenants-run/1"
CLOSE: Final = 1e-9
_NOT_RESULTS: Final = {"manifest.json", "study.toml", "speed.json", "report.html", "report.md", checksums.NAME}
"""What names the run, what a machine took, and what is drawn from results."""


def results_digest(files: Mapping[str, bytes]) -> str:
    """Return the digest of a study's results among its ``files``: those that the same inputs make the same."""
    return digest_of_files({name: data for name, data in files.items() if name not in _NOT_RESULTS})


def result_files(path: Path) -> dict[str, bytes]:
    """Return the results of the run directory ``path`` by name."""
    return {name: (path / name).read_bytes() for name in checksums.file_digests(path) if name not in _NOT_RESULTS}


def is_covenant_run(path: Path) -> bool:
    """Return whether a folder is a run of `cme covenants`."""
    return has_schema(path, SCHEMA)


def verify_covenant_run(path: Path) -> dict[str, Any]:
    """Return the document of `cme verify --json`: one entry a check, the exit code of the first that fails."""
    checks = [files_entry(path)]
    # What is in a damaged run is not looked into.
    if not checks[0]["exit"]:
        checks += [check_entry(name, problem, CHANGED) for name, problem in _problems(path)]
    return document_of(checks, [f"results are not computed again: cme reproduce {path} does that"])


def _problems(path: Path) -> Iterator[tuple[str, str]]:
    manifest = read_object(path / "manifest.json")
    same = sha256((path / "study.toml").read_bytes()).hexdigest() == manifest.get("config")
    yield "study", "" if same else "study.toml is not the plan that manifest.json names"
    digest = results_digest(result_files(path))
    same = digest == manifest.get("digest")
    yield "digest", "" if same else f"digest: expected {manifest.get('digest')} as in manifest.json, was {digest}"
    yield "accounts", _other_account(path)


def _other_account(path: Path) -> str:
    """Return what is wrong with the first measure of ``accounts.csv`` that ``equity.parquet`` does not give."""
    equity = pd.read_parquet(path / "equity.parquet")
    facts = pd.read_csv(path / "accounts.csv").set_index("account")
    for name in facts.index:
        if name not in equity:
            return f"accounts.csv: {name}: expected a column of equity.parquet, found none"
        for key, value in summary(equity[name].to_numpy()).items():
            listed = float(facts.loc[name, key])
            # Both undefined is agreement; NaN is equal to nothing.
            if abs(listed - value) > CLOSE or (listed != listed) != (value != value):
                return f"accounts.csv: {key} of {name} is not that of equity.parquet"
    return ""
