"""The journal of every command that writes.  [audit 13.1]

    run, emit, resolve, record, covenants, simulate     keep one of their own: stages, numbers, artifacts
    the commands decorated with `leaves_journal`        one of their options and of how they ended

``start`` is on the disk before any work begins, so that a call that was refused, failed or interrupted is on record
too.  A call that writes nothing leaves none.  The daily operation's commands keep theirs below LIVE, the others in
``runs`` or in the folder that ``$CME_JOURNALS`` names; `cme track sync --out FOLDER` shows them in MLflow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import click

from backtest.terminal import remark
from engine.errors import WriteError

if TYPE_CHECKING:
    from backtest.tracking.journal import Journal

FOLDER_VARIABLE: Final = "CME_JOURNALS"
Options = Mapping[str, Any]
"""The options of a call by the names of their parameters."""
Command = Callable[..., Any]


def commands_folder(_: Options) -> Path:
    """Return where commands keep their journals that belong to no live folder."""
    return Path(os.environ.get(FOLDER_VARIABLE) or "runs")


def leaves_journal(
    writes: Callable[[Options], object] = lambda _: True, folder: Callable[[Options], Path] = commands_folder
) -> Callable[[Command], Command]:
    """Return the decorator of a command whose calls leave a journal where ``writes`` of their options holds.

    The study of the journal is the name of the command, its parameters are the options given.  Raises ``WriteError``
    (5), before any work, if the journal cannot be begun.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(*arguments: Any, **options: Any) -> Any:
            if not writes(options):
                return command(*arguments, **options)
            return _journaled_call(command, arguments, options, folder(options))

        return call

    return decorate


def _journaled_call(command: Command, arguments: tuple[Any, ...], options: Options, folder: Path) -> Any:
    from backtest.tracking import journal

    words = click.get_current_context().command_path.split()[1:]
    uid = str(uuid4())
    try:
        log = journal.start(folder / uid, "-".join(words), "exploratory", " ".join(words), run_uid=uid)
    except WriteError as problem:
        raise WriteError(
            f"{problem}; a call that writes leaves its journal first, in the folder that ${FOLDER_VARIABLE} names"
        ) from problem
    stopped = None
    with journal.ended(log) as ending:
        for key, value in options.items():
            if value not in (None, False, ()):
                log.param(key, " ".join(map(str, value)) if isinstance(value, tuple) else str(value))
        try:
            result = command(*arguments, **options)
            ending.code = result if isinstance(result, int) else 0
        except click.exceptions.Exit as stop:
            ending.code, stopped = stop.exit_code, stop
    if stopped is not None:
        raise stopped
    return result


@contextmanager
def journaled(
    folder: Path, study: str, command: str, quiet: bool, at_end: Callable[[Journal, int], None]
) -> Iterator[Journal]:
    """Yield the journal of a command of the daily operation, below ``folder``; it ends with the command's exit code.

    ``at_end`` is called with the closed journal and that code; it must not raise.
    """
    from backtest.tracking import journal

    uid = str(uuid4())
    log = journal.start(folder / uid, study, "live", command, run_uid=uid)

    def say_where(code: int) -> None:
        if code and not quiet:
            remark(f"the journal of this command: {log.path}")
        at_end(log, code)

    with journal.ended(log, say_where):
        yield log
