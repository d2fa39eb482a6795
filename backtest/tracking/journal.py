"""The journal of a command: its parameters, its numbers and how it ended.  MLflow only shows a copy of it.

    journal = start(folder, study="demo", mode="exploratory", command="run", now_us=clock)
    journal.param("workers", "2");  journal.metric("h1/net_sharpe", 1.25, step=0)
    journal.stage("folds");  journal.artifact("report.html")
    journal.end(0)

``journal.jsonl`` holds CJ1 lines ``{seq, prev_hash, event, at_us, data}``, chained with the tag ``journal``
(`engine.ledger.hash_chain`) and flushed to the disk at the start, at every stage and at the end.  Every run has one,
failed, refused and interrupted runs too: the ``start`` is on disk before any work begins.  [audit 13.1]
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from io import BufferedWriter
from itertools import chain, count
from pathlib import Path
from typing import Any

from backtest.environment import now_us
from backtest.terminal import error_text
from backtest.tracking.events import DATA, EVENT, is_metric_key
from backtest.tracking.windows import WINDOW, Points, Stages, WindowRecord, points_of, stages_of, tags_of, windows_of
from engine.errors import CmeError, DataError, LedgerError, MissingError, UsageError, WriteError
from engine.ledger.format.canonical_json import decimal_text
from engine.ledger.format.closed_tables import closed
from engine.ledger.hash_chain import ChainFormat, ChainWriter, read_chain

NAME = "journal.jsonl"
FORMAT = ChainFormat("journal")
_NAME = re.compile(r"journal(-[0-9]+)?\.jsonl")
_TEXT_LENGTH = 1024
_NOT_FINITE = {"nan", "inf", "-inf"}

Clock = Callable[[], int]
"""Microseconds since 1970-01-01 UTC."""


class Journal:
    """An open journal: events are appended, in order, by one process."""

    def __init__(self, path: Path, run_uid: str, clock: Clock, stream: BufferedWriter) -> None:
        self.path = path
        self.run_uid = run_uid
        self._clock = clock
        self._lines = ChainWriter(FORMAT, stream)

    @property
    def head(self) -> str:
        """The hash of the last line, 64 hex characters; zeros before the first."""
        return self._lines.head.hash

    def begin(self, study: str, mode: str, command: str) -> None:
        """Record what is being run, on the disk before any work begins."""
        self._append("start", {"run_uid": self.run_uid, "study": study, "mode": mode, "command": command})
        self._sync()

    def param(self, key: str, value: str) -> None:
        """Record a parameter as text."""
        self._append("param", {"key": key, "value": value})

    def metric(self, key: str, value: float | Decimal | int, step: int = 0) -> None:
        """Record a number as its exact decimal text; nan and infinities as those words.  [audit 13.1]

        Raises ``UsageError`` for a key outside ``[a-z0-9_]+`` segments joined by ``.`` or ``/``.  [audit 13.2]
        """
        if not is_metric_key(key):
            raise UsageError(f"metric: expected [a-z0-9_]+ segments joined by . or /, at most 250, was {key!r}")
        self._append("metric", {"key": key, "value": number_text(value), "step": step})

    def tag(self, key: str, value: str) -> None:
        """Record a fact that names the run: a hash, the look, the commit."""
        self._append("tag", {"key": key, "value": value})

    def artifact(self, path: str) -> None:
        """Record a file of the journal's folder by its SHA-256 and size; ``path`` is relative to it and uses ``/``.

        Raises ``MissingError`` (3) if the file cannot be read.
        """
        try:
            body = (self.path.parent / path).read_bytes()
        except OSError as problem:
            raise MissingError(f"journal: expected the artifact {path} beside {self.path}, was: {problem}") from problem
        self._append("artifact", {"path": path, "sha256": sha256(body).hexdigest(), "size": len(body)})

    def stage(self, name: str) -> None:
        """Record, as the tag ``stage``, that a stage begins, and flush all of the one before to the disk."""
        self._append("tag", {"key": "stage", "value": name})
        self._sync()

    def window(self, start: str) -> None:
        """Record, as the tag ``window``, that what follows is of the test window whose first day is ``start``."""
        self._append("tag", {"key": WINDOW, "value": start})

    def end(self, exit_code: int, reason: str = "") -> None:
        """Record how the command ended and close the journal; nothing can be added afterwards.

        ``reason`` may be any text, as messages of errors are; it is recorded as one line.
        """
        self._append("end", {"exit": exit_code, "reason": one_line(reason)})
        self._lines.close()

    def _sync(self) -> None:
        try:
            self._lines.sync()
        except WriteError as problem:
            raise WriteError(f"{problem}; make room and call the command again") from problem

    def _append(self, event: str, data: dict[str, Any]) -> None:
        self._lines.append({"event": event, "at_us": self._clock(), "data": data})


def start(folder: Path, study: str, mode: str, command: str, clock: Clock = now_us, run_uid: str = "") -> Journal:
    """Return the journal of a new run in ``folder``, its ``start`` on the disk.

    The file is ``journal.jsonl``; a run that is repeated or resumed in the same folder is another event and writes
    ``journal-2.jsonl`` and so on.  ``run_uid`` is a random UUIDv4 where none is given.  Raises ``WriteError``.
    """
    uid = run_uid or str(uuid.uuid4())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = _first_free(folder)
        journal = Journal(Path(stream.name), uid, clock, stream)
        journal.begin(study, mode, command)
    except OSError as problem:
        raise WriteError(
            f"journal: {folder / NAME} could not be created: {problem}; make room or choose another place"
        ) from problem
    return journal


class Ending:
    """The exit code of a block that is left as it should be: 0, unless the block sets another."""

    code: int = 0


@contextmanager
def ended(log: Journal, at_end: Callable[[int], None] = lambda _: None) -> Iterator[Ending]:
    """Write the end of ``log`` however the block is left; then call ``at_end`` with the exit code.  [S8.7]

    Raises ``WriteError`` (5) if the disk refuses the end of a block that ended well; what the block did stands.
    """
    ending = Ending()
    code, reason = 70, ""  # a defect of ours, unless a line below says otherwise
    try:
        yield ending
        code = ending.code
    # BaseException: an interrupted command has an end in the journal as well.
    except BaseException as error:
        code, reason = error_text(error)[1], str(error)
        raise
    finally:
        try:
            log.end(code, reason)
        except WriteError as problem:
            # An error of the block says more than that its journal has no end either.
            if not code:
                code = problem.exit_code
                raise WriteError(
                    f"{problem}: the command did its work and its journal lacks the end; make room and call it again"
                ) from problem
        finally:
            at_end(code)


def _first_free(folder: Path) -> BufferedWriter:
    for name in chain((NAME,), (f"journal-{n}.jsonl" for n in count(2))):
        try:
            # x: of two runs that begin at once each has a journal of its own.
            return (folder / name).open("xb")
        except FileExistsError:
            continue
    raise AssertionError("there is always another number")


def journals(runs: Path) -> list[Path]:
    """Return every journal under ``runs``, sorted by path."""
    # The pattern of `glob` alone would take journal-old.jsonl too.
    return sorted(path for path in runs.glob("*/journal*.jsonl") if _NAME.fullmatch(path.name))


@dataclass(frozen=True, slots=True)
class Record:
    """A journal as read back.  ``exit_code`` is None where the run has no end: killed, or still running."""

    path: Path
    head: str
    run_uid: str
    study: str
    mode: str
    command: str
    start_us: int
    end_us: int  # of the last event
    exit_code: int | None
    params: Mapping[str, str]
    metrics: Points
    tags: Mapping[str, str]
    artifacts: Mapping[str, tuple[str, int]]  # path -> (sha256, size)
    stages: Stages = ()  # name, at_us, in the order in which they began
    windows: tuple[WindowRecord, ...] = ()  # in the order in which they were run


def read(path: Path) -> Record:
    """Return the journal at ``path``, its form and chain checked line by line.

    A last line without its end, as a killed process leaves it, is not part of the journal.  Raises ``MissingError`` (3)
    if the file cannot be read, ``DataError`` (4) with the number of a line that is not canonical, not next in sequence
    or not on the chain.
    """
    try:
        body = path.read_bytes()
    except OSError as problem:
        raise MissingError(f"expected a journal at {path}, was: {problem}") from problem
    lines = list(_events(path, body))
    if not lines or lines[0][1]["event"] != "start":
        raise DataError(f"{path}: expected a journal that begins with start, was another")
    events = [event for _, event in lines]
    first, last = events[0], events[-1]
    ended = last["event"] == "end"
    params, artifacts = ([e["data"] for e in events if e["event"] == kind] for kind in ("param", "artifact"))
    return Record(
        path=path,
        head=lines[-1][0],
        run_uid=first["data"]["run_uid"],
        study=first["data"]["study"],
        mode=first["data"]["mode"],
        command=first["data"]["command"],
        start_us=first["at_us"],
        end_us=last["at_us"],
        exit_code=last["data"]["exit"] if ended else None,
        params={param["key"]: param["value"] for param in params},
        metrics=points_of(events),
        tags=tags_of(events),
        artifacts={artifact["path"]: (artifact["sha256"], artifact["size"]) for artifact in artifacts},
        stages=stages_of(events),
        windows=tuple(windows_of(events)),
    )


def _events(path: Path, body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each event with the head after it; a torn last line, as a killed process leaves it, is left out."""
    try:
        for head, event in read_chain(FORMAT, body, _check_event):
            yield head.hash, event
    except LedgerError as problem:
        raise DataError(f"{path}: {problem}") from problem


def _check_event(event: Any) -> None:
    closed(event, EVENT, "event")
    closed(event["data"], DATA[event["event"]], f"{event['event']}.data")


def one_line(text: str) -> str:
    """Return free text in the domain of CJ1: one line of printable characters, at most 1,024, in NFC.  [audit 2.1]"""
    printable = "".join(char if char.isprintable() else " " for char in text)
    # Cut last: a normalised text may be longer.
    return unicodedata.normalize("NFC", " ".join(printable.split()))[:_TEXT_LENGTH]


def number_text(value: float | Decimal | int) -> str:
    """Return the exact decimal text of a number, or ``nan``, ``inf``, ``-inf``.

    A float so small or large that its decimal is longer than a quantity may be keeps its own shortest text.
    """
    text = str(value).lower().replace("infinity", "inf")
    if text in _NOT_FINITE:
        return text
    try:
        return decimal_text(value)
    except CmeError:
        return repr(float(value)) if isinstance(value, float) else str(value)
