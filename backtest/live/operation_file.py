"""``LIVE/operation.toml``: what `cme emit` does beside the ledger; a file that may be absent.  [live L2.3]

    tracking = ""            an MLflow server or store; "" is LIVE/journals/mlflow.db, "off" shows nothing
    anchor = "none"          "rfc3161": requests for a time-stamp authority, in LIVE/anchors

Neither is registered: no id, no row and no verdict depends on them, and what fails here fails no emission.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from backtest.toml_tables import Table, TableError, read_table
from engine.errors import UsageError

NAME: Final = "operation.toml"
OFF: Final = "off"


class OperationFile(Table):
    """The two keys of the module."""

    tracking: Annotated[str, Field(max_length=1000)] = ""
    anchor: Literal["none", "rfc3161"] = "none"


def read_operation_file(live: Path) -> OperationFile:
    """Return the keys of ``live/operation.toml``, their defaults where there is no file.

    Raises ``UsageError`` (2) naming each key that cannot be accepted.
    """
    path = live / NAME
    if not path.exists():
        return OperationFile()
    try:
        return read_table(OperationFile, tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TableError) as problem:
        raise UsageError(f"{path}: expected the keys tracking and anchor, was: {problem}") from problem
