"""Where MLflow's store keeps artifacts, and a store that was copied or moved put right.  No import of MLflow.

    expected_location(runs, address)    below the database's own folder; None where a server decides
    displaced(database, location)       experiments of ours that keep their files elsewhere; nothing is written
    relocate(database, location)        the same, with their addresses written anew

MLflow writes the absolute address of the artifacts into each experiment and each run.  In a copy of the folder these
still name the original, which would take the copy's files.  [audit 13.4]
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from backtest.tracking.store import ARTIFACTS, WAIT_S, database_of
from engine.errors import TrackingError

_OURS: Final = re.compile(rf"/({ARTIFACTS}|mlruns/[0-9]+)\Z")
"""What this package writes, and what MLflow writes if no location is given."""
_SELECT: Final = "SELECT experiment_id, name, artifact_location FROM experiments WHERE name LIKE 'cme/%' ORDER BY name"


def expected_location(runs: Path, address: str | None) -> str | None:
    """Return the address below which experiments keep their files: beside the database.

    None for a server, or a database that is no file, which decide themselves.
    """
    database = database_of(runs, address)
    return None if database is None else (database.parent / ARTIFACTS).as_uri()


def displaced(database: Path, location: str) -> dict[str, str]:
    """Return the experiments of ours whose files are on this machine but not at ``location``: name -> address.

    A location that is no folder of this machine, such as a bucket, is somebody's choice and is left out.  Empty without
    a database.  Raises ``TrackingError`` (50) if it cannot be read.
    """
    if not database.is_file():
        return {}
    try:
        with closing(sqlite3.connect(database, timeout=WAIT_S)) as base:
            return {name: place for _, name, place in base.execute(_SELECT) if _is_elsewhere(place, location)}
    except sqlite3.Error as problem:
        raise TrackingError(f"expected experiments in MLflow's store {database}, was: {problem}") from problem


def relocate(database: Path, location: str) -> None:
    """Make every experiment of ours, and its runs, keep its files at ``location``.

    The files came along with a store that was copied or moved whole; what is missing there is uploaded again from the
    journals by the next sync.  Raises ``TrackingError`` (50), and changes nothing, for an experiment whose location is
    neither of this package nor MLflow's own: how to make the store anew is in the message.
    """
    elsewhere = displaced(database, location)
    if not elsewhere:
        return
    foreign = {name: place for name, place in elsewhere.items() if not _OURS.search(place)}
    if foreign:
        name, place = next(iter(foreign.items()))
        raise TrackingError(
            f"{database}: expected the experiment {name} to keep its artifacts at {location}, was {place!s:.200}: "
            f"remove {database} and sync again, which makes it anew from the journals, or name another with --tracking"
        )
    try:
        with closing(sqlite3.connect(database, timeout=WAIT_S, isolation_level=None)) as base:
            base.execute("BEGIN IMMEDIATE")  # two processes that find the same copy write the same addresses
            for experiment, _, place in base.execute(_SELECT).fetchall():
                if _is_elsewhere(place, location):
                    base.execute(
                        "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                        "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                        # With the slash: another address may begin with the same text.
                        (location, len(place) + 1, experiment, len(place) + 1, f"{place}/"),
                    )
                    base.execute(
                        "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (location, experiment)
                    )
            base.execute("COMMIT")
    except sqlite3.Error as problem:
        raise TrackingError(
            f"{database}: expected to write the addresses of artifacts of a store that was copied or moved, was: "
            f"{problem}: remove it and sync again, which makes it anew from the journals"
        ) from problem


def _is_elsewhere(place: str, location: str) -> bool:
    parts = urlsplit(place)
    return parts.scheme in ("", "file") and unquote(parts.path) != unquote(urlsplit(location).path)
