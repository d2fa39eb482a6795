"""One tree of errors; each leaf is an exit code of the command line.  [audit.md 8.3, spec README "Records"]

    CmeError
    ├── UsageError         2   a wrong argument, or text of a configuration that cannot be accepted
    ├── MissingError       3   a file that is missing, unreadable or of an unknown format version
    ├── DataError          4   data out of schema, range or unit
    ├── WriteError         5   the disk refused; nothing half-written was left behind
    ├── LedgerError    10-18   a ledger is not valid (malformed, hash, chain, id, reference, checkpoint ...)
    ├── GateError      20-26   a confirmatory run may not start
    ├── ReproduceError 30-32   a recomputed number differs
    ├── AppendError    40-42   an append was refused
    └── TrackingError     50   MLflow could not be brought up to the journal

A message says what was expected, what was found ("was ..."), where, and what to do.
"""

from __future__ import annotations


class CmeError(Exception):
    """Base of every error this project raises on purpose; ``exit_code`` is stable."""

    exit_code: int = 70

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class UsageError(CmeError):
    """A wrong argument, or a configuration whose text cannot be accepted."""

    exit_code = 2


class MissingError(CmeError):
    """A file is missing, unreadable, or of a format version this program does not know."""

    exit_code = 3


class DataError(CmeError):
    """Data out of schema, range, order or unit."""

    exit_code = 4


class WriteError(CmeError):
    """The disk refused a write; nothing half-written was left behind."""

    exit_code = 5


class LedgerError(CmeError):
    """A ledger is not valid; ``exit_code`` 10 to 18 says which check failed."""

    exit_code = 10


class GateError(CmeError):
    """A confirmatory run may not start; ``exit_code`` 20 to 26 says why."""

    exit_code = 20


class ReproduceError(CmeError):
    """A recomputed number differs from the recorded one; ``exit_code`` 30 to 32."""

    exit_code = 30


class AppendError(CmeError):
    """An append to a ledger was refused; ``exit_code`` 40 to 42."""

    exit_code = 40


class TrackingError(CmeError):
    """MLflow could not be brought up to the journal, which is intact."""

    exit_code = 50
