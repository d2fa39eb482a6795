"""Where MLflow's store is, whether it can be reached, and the environment it is used in.  No import of MLflow.

What is down or locked is found out here in seconds; MLflow itself would wait for minutes.  [audit 13.4]
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from backtest.file_lock import try_lock
from engine.errors import TrackingError

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
WAIT_S = 3.0
"""How long an unreachable server, a locked database or another process's migration is waited for."""

_SQLITE = re.compile(r"sqlite(?:\+[a-z0-9]+)?:///([^?]+)")
_OURS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "DO_NOT_TRACK": "true",
}


def store_of(runs: Path, address: str | None) -> str:
    """Return the tracking URI: ``address``, else an SQLite file under ``runs``; that of a file is absolute."""
    if address is None or not address:
        return f"sqlite:///{(runs / DATABASE).resolve()}"
    database = database_of(runs, address)
    return (
        address if database is None else f"sqlite:///{database}{address.partition('?')[1]}{address.partition('?')[2]}"
    )


def database_of(runs: Path, address: str | None) -> Path | None:
    """Return the absolute path of the store's SQLite file; None for a server or a database that is no file."""
    if not address:
        return (runs / DATABASE).resolve()
    # as SQLAlchemy reads it: three slashes and a relative path, or four and an absolute one
    match = _SQLITE.match(address)
    return Path(match[1]).resolve() if match else None


@contextmanager
def environment() -> Iterator[None]:
    """Replace the caller's ``MLFLOW_*`` variables by ours, and put them back."""
    kept = {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_") or key in _OURS}
    # The caller's own would send runs to another store, or wait for minutes.
    for key in kept:
        del os.environ[key]
    os.environ.update(_OURS)
    try:
        yield
    finally:
        for key in _OURS:
            os.environ.pop(key, None)
        os.environ.update(kept)


def reach(uri: str) -> None:
    """Raise ``TrackingError`` (50) at once for a server that is down and a database that is locked or no database."""
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):  # MLflow would take it for its retired store of files
        raise TrackingError(f"expected --tracking http://HOST:PORT or sqlite:///PATH, was {uri!r}")
    try:
        if parts.scheme in ("http", "https"):
            kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
            with closing(kind(parts.hostname or "", parts.port, timeout=WAIT_S)) as server:
                server.request("GET", parts.path.rstrip("/") + "/health")
                server.getresponse()  # one that takes connections and never answers is down as well
        elif (match := _SQLITE.match(uri)) and Path(match[1]).exists():
            with closing(sqlite3.connect(match[1], timeout=WAIT_S)) as base:
                # The lock of a writer: reading alone succeeds beside another one's.
                base.execute("BEGIN IMMEDIATE")
                base.rollback()
    except (OSError, ValueError, HTTPException, sqlite3.Error) as problem:
        raise TrackingError(
            f"expected MLflow's store at {uri} within {WAIT_S:g} s, was: {problem}: start it or name another with "
            "--tracking, and try again"
        ) from problem


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold the lock on the file ``path``, which is only read.

    A database is made or migrated under one, and a journal brought up to under another: of two processes at it at the
    same time the second waits, then finds the work done.  Raises ``TrackingError`` (50) after ``WAIT_S``.
    """
    with path.open("rb") as stream:
        lock, until = stream.fileno(), time.monotonic() + WAIT_S
        # Asked again and again, because a lock that is waited for cannot be given up after a time.
        while not try_lock(lock):
            if time.monotonic() > until:
                raise TrackingError(
                    f"expected to hold {path}, {what}, within {WAIT_S:g} s, was held by another process: wait until "
                    f"it is done, or see which it is (`fuser {path}`)"
                )
            time.sleep(0.05)
        yield
