"""Writes to stderr: a line of progress on a terminal, and the text of an error in one paragraph.  [interface]"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from engine.errors import CmeError

OnProgress = Callable[[str, int, int | None], None]
"""Called now and then with (what is being done, steps done, steps in all or None where that is not known)."""

WIDTH = 110
"""Most characters of the line: a longer one would wrap, and a wrapped line is not overwritten."""


@contextmanager
def progress(stage: str, quiet: bool) -> Iterator[OnProgress]:
    """Yield a function that redraws one line on stderr; it writes nothing if ``quiet`` or if stderr is no terminal.

    The line is removed at the end of the block, also where the block raises.
    """
    shown = not quiet and sys.stderr.isatty()

    def draw(what: str, done: int, of: int | None) -> None:
        if shown:
            bar = f"[{'#' * (24 * done // max(of, 1)):<24}] {done}/{of}" if of else ""
            click.echo(f"\r\x1b[K{f'{stage:<11}{bar} {what}'[:WIDTH]}", err=True, nl=False)

    try:
        yield draw
    finally:
        if shown:
            click.echo("\r\x1b[K", err=True, nl=False)


def usage_text(error: click.ClickException) -> str:
    """Return a wrong call as one paragraph: the command, what is wrong with it, and how to see an example."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else "cme"
    message = " ".join(error.format_message().split()).removesuffix(".")
    message = re.sub(r"\. \(?Did you mean (.*?)\??\)?\Z", r" (did you mean \1?)", message)
    return f"{where}: {message[:1].lower()}{message[1:]}; `{where} --help` shows how it is called, with an example"


def error_text(error: BaseException) -> tuple[str, int]:
    """Return the message of an error that ends a command, and its exit code; 70 is a defect of this program.

    A name too long for any file system is a missing file (3), whichever function meets it first.
    """
    if isinstance(error, CmeError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"{str(error.filename)[:80]}...: expected the path of a file, was a name too long for one: check it", 3
    return f"a defect of ours ({error!r}): please report it with what --debug prints", 70
