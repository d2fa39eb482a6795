"""Reads the files of a run directory; computes nothing that decides.  [S8.6]

Each number and text of a document knows the file and field it was read from (`reports.citation`).
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.registration.amend import apply
from engine.errors import MissingError
from reports.citation import sourced, with_sources

PLAN, SENSITIVITIES = "registration.toml", "sensitivities.json"
FILES = ("manifest.json", "verdicts.json", "funnel.json", "coverage_days.json", "quality.json", "folds.json")


@dataclass(frozen=True, slots=True)
class Run:
    """The files of one run.  The frames have the columns of `backtest.results.tables`; money is integer micro-USD.

    ``registration`` is the plan in force: the values after its amendments.  ``sensitivities`` is None before the
    window was judged.
    """

    path: Path
    manifest: dict[str, Any]
    registration: dict[str, Any]
    verdicts: dict[str, Any]
    funnel: dict[str, Any]
    coverage_days: dict[str, Any]
    quality: dict[str, Any]
    folds: dict[str, Any]
    returns: pd.DataFrame
    signals: pd.DataFrame
    trades: pd.DataFrame
    sensitivities: dict[str, Any] | None

    @property
    def synthetic(self) -> bool:
        return bool(self.manifest["synthetic"])

    @property
    def level(self) -> Any:
        """Return the registered level of the intervals."""
        return self.registration["statistics"]["level"]

    def stopped_by(self, code: str, reason: str) -> Any:
        """Return how many packages of a constraint one rule stopped; the file names no rule that stopped none."""
        return sourced(int(self.funnel[code]["reasons"].get(reason, 0)), f"funnel.json: {code}.reasons.{reason}")


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one run, and the plan in force."""

    funnel: dict[str, Any]
    registration: dict[str, Any]


def load_counts(path: Path) -> Counts:
    """Return the counts of the run in folder ``path`` without its tables.  Raises ``MissingError`` as `load` does."""
    try:
        return Counts(read_document(path, "funnel.json"), with_sources(plan_of(path), PLAN))
    except (OSError, ValueError) as problem:
        raise MissingError(f"{path}: expected whole files of a run, was: {problem}; run the window again") from problem


def load(path: Path) -> Run:
    """Return the run in folder ``path``.

    Raises ``MissingError`` naming the first missing file and the command that writes it, or the damaged file.
    """
    for name in (*FILES, PLAN, "returns.parquet"):
        if not (path / name).is_file():
            # The verdicts alone are written by another command.
            command = "cme judge" if name == "verdicts.json" else "cme run"
            raise MissingError(f"{path}: expected a run directory with {name}, found none; `{command}` writes it")
    try:
        return _read(path)
    # JSON, TOML and Parquet all raise one of these for damaged bytes
    except (OSError, ValueError) as problem:
        raise MissingError(f"{path}: expected whole files of a run, was: {problem}; run the window again") from problem


def _read(path: Path) -> Run:
    parts = {name.split(".")[0]: read_document(path, name) for name in FILES}
    return Run(
        path=path,
        registration=with_sources(plan_of(path), PLAN),
        returns=pd.read_parquet(path / "returns.parquet"),
        signals=_tables(path, "signals"),
        trades=_tables(path, "trades"),
        sensitivities=sensitivities_of(path),
        **parts,
    )


def read_document(path: Path, name: str) -> Any:
    """Return the JSON document ``name`` of the run in folder ``path``, each leaf with its source."""
    return with_sources(json.loads((path / name).read_text(encoding="utf-8")), name)


def sensitivities_of(path: Path) -> dict[str, Any] | None:
    """Return the sensitivities of the run in folder ``path``, each leaf with its source; None without the file."""
    return read_document(path, SENSITIVITIES) if (path / SENSITIVITIES).is_file() else None


def plan_of(path: Path) -> dict[str, Any]:
    """Return the plan in force of the run in folder ``path``, as a tree."""
    plan = path / PLAN
    return apply(plan, tomllib.loads(plan.read_text(encoding="utf-8")))


def _tables(path: Path, name: str) -> pd.DataFrame:
    """Return one kind of table of all test folds, in the order of the folds."""
    # Numbered folders only: `folds/history` is no test fold.
    files = sorted((path / "folds").glob(f"[0-9][0-9]/{name}.parquet"))
    if not files:
        raise MissingError(f"{path}: expected folds/NN/{name}.parquet, found none; `cme run` writes them")
    # without threads and pandas for each: the tables are many and small
    tables = [pq.ParquetFile(file).read(use_threads=False) for file in files]
    # permissive: an empty table that another program wrote has other types
    whole: pd.DataFrame = pa.concat_tables(tables, promote_options="permissive").to_pandas()
    return whole
