"""One tree of errors; each leaf is an exit code of the command line.  [audit.md 8.3, spec README "Records"]

    CmeError
    ├── UsageError         2   a wrong argument, or text of a configuration that cannot be accepted
    ├── MissingError       3   a file that is missing, unreadable or of an unknown format version
    ├── DataError          4   data out of schema, range or unit
    ├── WriteError         5   the disk refused; nothing half-written was left behind
    ├── LedgerError    10-18   a ledger is not valid (malformed, hash, chain, id, reference, checkpoint ...)
    ├── GateError      20-28   a confirmatory run may not start, an outcome may not be read
    ├── ReproduceError 30-32   a recomputed number differs
    ├── AppendError    40-42   an append was refused
    └── TrackingError     50   MLflow could not be brought up to the journal

A message says what was expected, what was found ("was ..."), where, and what to do.  It is one paragraph whatever it
quotes: `one_paragraph` escapes control characters and cuts long values, for every error of the tree.
"""

from __future__ import annotations

import re
from typing import Final

MOST_SHOWN: Final = 200
"""Characters of a value that a message shows; of a longer one, its beginning and its end."""

MOST_MESSAGE: Final = 4_000
"""Characters of a whole message."""

_GAP: Final = "..."  # without a space: what is cut stays one value
# C0, C1, zero-width and bidirectional controls, line separators, lone surrogates of undecodable file names
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
# an apostrophe inside a word opens no literal
_LITERAL: Final = re.compile(r"""(?<![\w\\])(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_RUN: Final = re.compile(rf"\S{{{MOST_SHOWN + 1},}}")
_BRACKETS: Final = re.compile(r"[\[\]{}]")


def escaped(text: str, keep: str = "") -> str:
    r"""Return ``text`` with every control character but those of ``keep`` as its escape, ``\x1b``.

    A terminal obeys control characters and a page is reordered by some, so no name may bring its own.

    >>> escaped("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _CONTROLS.sub(lambda match: match[0] if match[0] in keep else repr(match[0])[1:-1], text)


def one_paragraph(text: str) -> str:
    """Return ``text`` as a message: on one line, controls escaped, values cut at ``MOST_SHOWN`` characters.

    A value is a literal in quotes, a list or table in brackets, or a run without a space.

    >>> one_paragraph("expected a number, was '" + "9" * 300 + "'")[:60]
    "expected a number, was '999999999999999999999999999999999999"
    >>> len(one_paragraph("was " + "9" * 10**6))
    204
    """
    if len(text) > 10 * MOST_MESSAGE:  # so that a value of megabytes costs no time in what follows
        text = text[: 5 * MOST_MESSAGE] + _GAP + text[-MOST_MESSAGE:]
    text = escaped(text)
    text = _RUN.sub(_cut, _without_long_brackets(_LITERAL.sub(_cut, text)))
    if len(text) > MOST_MESSAGE:
        text = f"{text[: 3 * MOST_MESSAGE // 4]} {_GAP} {text[-MOST_MESSAGE // 8 :]}"
    return text


def _cut(match: re.Match[str]) -> str:
    return _shortened(match[0])


def _shortened(value: str) -> str:
    if len(value) <= MOST_SHOWN:
        return value
    end = MOST_SHOWN // 5
    return value[: MOST_SHOWN - end - len(_GAP)] + _GAP + value[-end:]


def _without_long_brackets(text: str) -> str:
    """Return ``text`` with each outermost pair of brackets or braces shortened; one that is not closed is left."""
    out, opened, last = [], [], 0
    for match in _BRACKETS.finditer(text):
        if match[0] in "[{":
            opened.append(match.start())
        elif opened:
            start = opened.pop()
            if not opened:
                out += [text[last:start], _shortened(text[start : match.end()])]
                last = match.end()
    return "".join([*out, text[last:]])


class CmeError(Exception):
    """Base of every error this project raises on purpose; ``exit_code`` is stable."""

    exit_code: int = 70

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(one_paragraph(message))
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
    """A confirmatory run may not start, or an outcome may not be read yet; ``exit_code`` 20 to 28 says why."""

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
