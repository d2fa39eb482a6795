"""`cme verify` of a covenant run: every file against the listing, and what its documents say of each other.  [S8.6]"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from backtest.rundir import checksums
from backtest.simulation.covenant_metrics import summary
from backtest.simulation.run_document import check_entry, document_of, has_schema
from engine.errors import CmeError

CHANGED = 16
"""Exit code of a file that is not what the listing says, as for ledger runs."""
CLOSE = 1e-9


def is_covenant_run(path: Path) -> bool:
    """Return whether a folder is a run of `cme covenants`."""
    return has_schema(path, "covenants-run/1")


def verify_covenant_run(path: Path) -> dict[str, Any]:
    """Return the document of `cme verify --json`: one entry a check, the exit code of the first that fails."""
    checks = [check_entry(name, problem, CHANGED) for name, problem in _problems(path)]
    return document_of(checks, ["results are not computed again: run the study in study.toml for that"])


def _problems(path: Path) -> Iterator[tuple[str, str]]:
    try:
        actual, listed = checksums.file_digests(path), checksums.listed_digests(path / checksums.NAME)
    except CmeError as error:
        yield "files", str(error)
        return
    for name in sorted(set(actual) | set(listed)):
        if actual.get(name) != listed.get(name):
            word = "was added" if name not in listed else "is missing" if name not in actual else "was changed"
            yield "files", f"{name} {word} since the run was finished"
            return
    yield "files", ""
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    same = sha256((path / "study.toml").read_bytes()).hexdigest() == manifest["config"]
    yield "study", "" if same else "study.toml is not the plan that manifest.json names"
    equity = pd.read_parquet(path / "equity.parquet")
    facts = pd.read_csv(path / "accounts.csv").set_index("account")
    for name in facts.index:
        again = summary(equity[name].to_numpy())
        off = [key for key, value in again.items() if abs(float(facts.loc[name, key]) - value) > CLOSE]
        if off:
            yield "accounts", f"accounts.csv: {off[0]} of {name} is not that of equity.parquet"
            return
    yield "accounts", ""
