"""One process at a time runs a plan below one output folder.

    with sole_runner(out, registration, now_us): ...
    with sole_writer(out, run_name, config.name, now_us): ...

Two would write the same data set, the same finished parts and the same run directory.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from backtest.file_lock import try_lock
from backtest.records import Registration
from backtest.rundir.staging import restore
from engine.errors import AppendError, WriteError
from engine.units import MICRO


@contextmanager
def sole_runner(out: Path, registration: Registration, now_us: int) -> Iterator[None]:
    """Keep every other process from running ``registration`` below ``out`` while the block runs.

    A run directory that an earlier process was cut off in exchanging is brought back.  The system gives the lock back
    however the process ends.  Raises ``AppendError`` (42) with process, host and time
    of the one that has it, ``WriteError`` (5) if the lock's file cannot be made.
    """
    lock = f"{registration.study}-{registration.config_hash[:12]}"
    with sole_writer(out, lock, registration.path.name, now_us):
        yield


@contextmanager
def sole_writer(out: Path, name: str, plan: str, now_us: int) -> Iterator[None]:
    """Keep every other process from the lock ``name`` below ``out``, as `sole_runner`; ``plan`` names it in errors."""
    stream = _locked(out / f".{name}.lock", plan)
    path = Path(stream.name)
    with stream:
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since_us": now_us}
        # One that was killed leaves its name there.
        stream.truncate(0)
        stream.write(json.dumps(holder).encode())
        stream.flush()
        restore(out)
        try:
            yield
        finally:
            with suppress(OSError):  # the folder may be gone
                path.unlink()


def _locked(path: Path, plan: str) -> BinaryIO:
    while True:
        try:
            # a: opening must not empty the file in which the holder has its name.
            stream = path.open("a+b")
        except OSError as problem:
            raise WriteError(
                f"expected to make the lock {path}, was: {problem}; make room or name another --out"
            ) from (problem)
        if not try_lock(stream.fileno()):
            with stream:
                stream.seek(0)
                holder = _holder(stream.read())
            raise AppendError(
                f"expected to be the only process that runs {plan} below {path.parent}, was {holder}"
                ": wait until it has ended, or name another folder with --out",
                exit_code=42,
            )
        # the one before removes the file: a lock on a removed file excludes no process
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return stream
        stream.close()


def _holder(text: bytes) -> str:
    """Return the words for the process that wrote ``text`` into its lock."""
    with suppress(ValueError, LookupError, TypeError, OverflowError):
        facts = json.loads(text)
        since = datetime.fromtimestamp(facts["since_us"] // MICRO, UTC)
        return f"process {int(facts['pid'])} on host {facts['host']!s:.100}, since {since:%Y-%m-%d %H:%M:%S} UTC"
    return "another one that has just begun"
