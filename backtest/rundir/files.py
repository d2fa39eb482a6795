"""Files of a run directory that may come from anybody, or from another version: each refusal names the file.  [S8.6]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from backtest import environment
from backtest.records import Registration
from backtest.registration.load import load_registration
from backtest.rundir import checksums
from engine.errors import CmeError, GateError, LedgerError, MissingError, UsageError
from engine.ledger.format.canonical_json import parse

RESULTS: Final = ("results.exact.json", "results.exploratory.json")
"""Of which a judged run has one: the first if it was confirmatory."""
PLAN: Final = "registration.toml"
FORCED_EXITS: Final = "forced_exits.json"
"""The orders from outside of a plan that puts a family over its book."""


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object of a small file.  Raises ``MissingError`` (3)."""
    try:
        if path.stat().st_size > checksums.MOST_TEXT:
            raise MissingError(f"{path.name}: expected at most {checksums.MOST_TEXT} bytes, was more")
        value = json.loads(path.read_text(encoding="utf-8"))
    # Deeply nested JSON exhausts the stack of the parser.
    except (OSError, ValueError, RecursionError) as error:
        raise MissingError(f"{path.name}: expected a JSON object, was: {error!r:.300}") from error
    if not isinstance(value, dict):
        raise MissingError(f"{path.name}: expected a JSON object, was {type(value).__name__}")
    return value


def results_of(run: Path) -> tuple[str, dict[str, Any]]:
    """Return name and content of the results document.  Raises ``MissingError`` (3), ``LedgerError`` (10)."""
    names = [name for name in RESULTS if (run / name).is_file()]
    if len(names) != 1:
        raise MissingError(f"expected one of {' and '.join(RESULTS)}, was {names}: judge the run")
    try:
        document: Any = parse((run / names[0]).read_bytes())
    except LedgerError as error:
        raise LedgerError(f"{names[0]}: {error}", exit_code=error.exit_code) from error
    return names[0], document


def registration_of(run: Path) -> Registration:
    """Return the plan that ``run`` holds.

    Raises ``GateError`` 26 where its text was changed after the run, and ``MissingError`` (3) where this version cannot
    read it: a plan that an older version accepted may lack what is required now.
    """
    try:
        return load_registration(run / PLAN)
    except UsageError as problem:
        if checksums.changed(run, PLAN):
            raise GateError(
                f"{PLAN}: expected the text that {checksums.NAME} lists, was another: changed after the run; take the "
                f"file from a copy ({problem})",
                exit_code=26,
            ) from problem
        raise MissingError(
            f"{PLAN}: expected a plan as this version reads them, was: {problem}; {elsewhere(run)}"
        ) from problem


def elsewhere(run: Path) -> str:
    """Return who wrote ``run`` and what to do with a directory of another version."""
    try:
        commit = read_object(run / "manifest.json").get("commit")
    except CmeError:
        commit = None
    writer = f"commit {commit:.40}" if isinstance(commit, str) else "a version its manifest does not name"
    return (
        f"the directory was written by {writer}, this is {environment.source()['commit'] or 'no checkout'}: run the "
        "plan again with this version, or check the other one out and verify it there"
    )


def require_same(what: str, expected: object, actual: object, code: int) -> None:
    """Raise ``LedgerError`` with ``code`` where ``actual`` is not what is expected of ``what``."""
    if expected != actual:
        raise LedgerError(f"{what}: expected {str(expected)[:300]}, was {str(actual)[:300]}", exit_code=code)
