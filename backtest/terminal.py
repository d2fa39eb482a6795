"""The output door of every command: results, remarks, a line of progress, the text of an error.  [interface]

Whatever a command writes goes through `echo`, `remark` or `progress`, so that no name of a file, a column or a plan
brings control characters to the terminal.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import click

from engine.errors import CmeError, escaped, one_paragraph

OnProgress = Callable[[str, int, int | None], None]
"""Called now and then with (what is being done, steps done, steps in all or None where that is not known)."""

INTERRUPTED = 128
"""Plus the number of the signal that ended a command is its exit code: 129 SIGHUP, 130 SIGINT, 143 SIGTERM."""


class Interrupted(KeyboardInterrupt):  # as its base is named
    """A signal that ends the command: Ctrl-C, a closed terminal, `kill`.  ``exit_code`` is that of a shell."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = INTERRUPTED + number


def end_on_signals() -> None:
    """Make SIGINT, SIGTERM and SIGHUP raise `Interrupted` in this process; what is ignored stays so (`nohup`).

    A line says at once what is being closed; the warnings of libraries that are cut off are not shown after it.  A
    second signal ends the process as if this function did not exist.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signal_number) is _interrupt:
            signal.signal(signal_number, signal.SIG_DFL)
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    text = f"{clear}cme: {signal.Signals(number).name}: closing the worker processes and the journal\n"
    with suppress(OSError):  # a terminal that was closed
        # Not through `sys.stderr`, whose lock the interrupted code may hold.
        os.write(2, text.encode())
    warnings.simplefilter("ignore")
    raise Interrupted(number)


def end_interrupted(error: BaseException) -> NoReturn:
    """End an interrupted command with its line and its exit code; by a signal, without waiting for any thread."""
    cause = error.__cause__ if isinstance(error, click.Abort) else error
    with suppress(OSError):
        click.echo("cme: interrupted; what was finished is kept, and the same command takes it up again", err=True)
    if isinstance(cause, Interrupted):
        # Threads of process pools would be joined for seconds; the workers end with this process.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(cause.exit_code)
    sys.exit(INTERRUPTED + signal.SIGINT)


WIDTH = 110
"""Most characters of the line: a longer one would wrap, and a wrapped line is not overwritten."""


_CLEARED = "\r\x1b[K"
"""Removes the line of progress of a terminal."""


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Write ``text``, which may have several lines, to stdout, or to stderr if ``err``; other controls are escaped."""
    click.echo(escaped(text, keep="\n"), err=err, nl=nl)


def remark(sentence: str) -> None:
    """Write one line ``cme: sentence`` to stderr, in the place of a line of progress; values are cut."""
    click.echo(f"{_CLEARED if sys.stderr.isatty() else ''}cme: {one_paragraph(sentence)}", err=True)


def overwrite(line: str, *, nl: bool = False) -> None:
    """Write ``line`` over the line of progress on stderr, cut to ``WIDTH``; only for a terminal."""
    click.echo(f"{_CLEARED}{escaped(line)[:WIDTH]}", err=True, nl=nl)


@contextmanager
def progress(stage: str, quiet: bool) -> Iterator[OnProgress]:
    """Yield a function that redraws one line on stderr; it writes nothing if ``quiet`` or if stderr is no terminal.

    The line is removed at the end of the block, also where the block raises.
    """
    shown = not quiet and sys.stderr.isatty()

    def draw(what: str, done: int, of: int | None) -> None:
        if shown:
            bar = f"[{'#' * (24 * done // max(of, 1)):<24}] {done}/{of}" if of else ""
            overwrite(f"{stage:<11}{bar} {what}")

    draw("", 0, None)
    try:
        yield draw
    finally:
        if shown:
            overwrite("")


def first_line(text: str, quiet: bool) -> None:
    """Write ``text`` at once on a terminal, to be overwritten by the first line of progress or by `remark`."""
    if not quiet and sys.stderr.isatty():
        click.echo(escaped(text)[:WIDTH], err=True, nl=False)


def usage_text(error: click.ClickException) -> str:
    """Return a wrong call as one paragraph: the command, what is wrong with it, and how to see an example."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else "cme"
    message = " ".join(error.format_message().split()).removesuffix(".")
    message = re.sub(r"\. \(?Did you mean (.*?)\??\)?\Z", r" (did you mean \1?)", message)
    return one_paragraph(
        f"{where}: {message[:1].lower()}{message[1:]}; `{where} --help` shows how it is called, with an example"
    )


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def error_text(error: BaseException) -> tuple[str, int]:
    """Return the message of an error that ends a command, and its exit code; 70 is a defect of this program.

    A name too long for any file system is a missing file (3), a disk that has no room or may not be written is 5,
    whichever function meets it first.
    """
    if isinstance(error, CmeError):
        return str(error), error.exit_code
    if isinstance(error, click.ClickException):
        return usage_text(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", getattr(error, "exit_code", INTERRUPTED + signal.SIGINT)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return one_paragraph(f"{error.filename}: expected the path of a file, was a name too long for one: check it"), 3
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        where = error.filename or "a file"
        return one_paragraph(f"expected to write {where}, was refused: {error.strerror}; make room and call again"), 5
    return one_paragraph(f"a defect of ours ({error!r}): please report it with what --debug prints"), 70
