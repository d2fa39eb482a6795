"""MLflow in a process of its own, beside the run: a store and imports take seconds that a run need not wait for.

    tracker = Tracker(runs, address)
    tracker.prepare()                   begins the imports, and makes a default store, when the run nears its end
    warning = tracker.sync(journal)     waits, never raises

Nothing is written but by `backtest.tracking.mlflow_sync`, under its locks and its bounds of waiting.  [audit 13.4]
What goes wrong before a journal is handed over is tried again with it.

A run that has nothing else to do waits `PATIENCE_S` seconds in which MLflow's process waits too, for a server, a lock
or a disk; seconds in which it computes (imports, a migration) are needed and not counted, up to `MOST_S` in all.  Then
the process is left behind, with the journal: it is not killed, goes on by itself, and `cme track sync` does later what
it did not.  [audit 15.5]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from queue import SimpleQueue
from selectors import EVENT_READ, DefaultSelector
from threading import Event, Thread
from typing import Final

from backtest.terminal import remark
from backtest.tracking.mlflow_sync import behind, sync, sync_after
from backtest.tracking.view import HANGUP, INTERRUPTED, TERMINATED
from engine.errors import CmeError

PATIENCE_S: Final = 9.0
"""How long a run waits while MLflow's process waits: with a second for the ends, the ten of audit 15.5."""
MOST_S: Final = 60.0
"""How long a run waits for a process that computes all the time."""
BEAT_S: Final = 0.5
WORKING_SHARE: Final = 0.1
"""Share of a beat spent computing from which on it is no waiting."""
LONGEST: Final = 8192
"""Bytes of a line that are read; a longer one says nothing of ours, and nothing more of it is kept."""
ROOT: Final = Path(__file__).resolve().parents[2]
DOOR: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from backtest.tracking.background import main; main(*sys.argv[1:])"
)
Process = subprocess.Popen[bytes]
_LEFT: Final[list[Process]] = []
"""Processes that are no longer waited for."""


class Tracker:
    """The process that serves one run."""

    def __init__(self, runs: Path, address: str | None) -> None:
        self._runs, self._address = runs, address
        self._syncer: Process | None = None

    def prepare(self) -> None:
        """Begin to import MLflow and to open the store; again changes nothing.

        Not sooner than needed: the imports hold some 170 MB for as long as the process waits.
        """
        self._syncer = self._syncer or self._begun()

    def sync(self, journal: Path) -> str:
        """Sync one journal; return "" where it worked and otherwise the warning to print.  Never raises."""
        self.prepare()
        # The machine has no process to spare.
        if self._syncer is None:
            return sync_after(self._runs, journal, self._address)
        try:
            # Closed after it, so that no process writes into a pipe for ever.
            with self._syncer.stdout or nullcontext():
                answer = _answer(self._syncer, journal)
            # What has answered ends at once; nothing is left of it.
            with suppress(subprocess.TimeoutExpired):
                self._syncer.wait(BEAT_S)
            return answer
        except (OSError, ValueError) as problem:
            return behind(f"its process {self._syncer.pid} could not be talked to: {problem}")

    def finish(self, journal: Path, exit_code: int) -> str:
        """Sync the journal of a command that ended with ``exit_code``; return "" or the warning to print.

        An interrupt from the terminal is not kept waiting: the process goes on by itself.  Whoever ends a command by
        SIGTERM or SIGHUP wants nothing of it to go on.  Never raises.
        """
        if exit_code in (HANGUP, TERMINATED) or not journal.exists():
            return ""
        if exit_code == INTERRUPTED:
            self._leave(journal)
            return ""
        return self.sync(journal)

    def conclude(self, journal: Path, exit_code: int, quiet: bool) -> None:
        """Finish a command as `finish` does, and print its warning on stderr unless ``quiet``."""
        if (warning := self.finish(journal, exit_code)) and not quiet:
            remark(warning)

    def _leave(self, journal: Path) -> None:
        """Hand the journal over without waiting."""
        self.prepare()
        if self._syncer is not None and self._syncer.stdin is not None:
            _LEFT.append(self._syncer)
            with suppress(OSError):
                self._syncer.stdin.write(json.dumps(str(journal)).encode() + b"\n")
                self._syncer.stdin.close()

    def _begun(self) -> Process | None:
        """Return a process of `main`, which an interrupt from the terminal does not reach: that run is shown too."""
        command = [sys.executable, "-W", "ignore", "-c", DOOR, str(ROOT), str(self._runs), self._address or ""]
        with suppress(OSError):
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                start_new_session=True,
            )  # fmt: skip
        return None


def _answer(syncer: Process, journal: Path) -> str:
    """Hand over ``journal`` and return what the process answers, or the warning that it did not."""
    if syncer.stdin is None or syncer.stdout is None:
        raise ValueError("it has no pipes")
    # It has ended: what it said before is still there to be read.
    with suppress(BrokenPipeError):
        syncer.stdin.write(json.dumps(str(journal)).encode() + b"\n")
    with suppress(OSError):
        syncer.stdin.close()
    stage, idle, last, rest = "starting", 0.0, time.monotonic(), b""
    until = last + MOST_S
    with DefaultSelector() as selector:
        selector.register(syncer.stdout, EVENT_READ)
        while idle < PATIENCE_S and last < until:
            heard = bool(selector.select(min(PATIENCE_S - idle, until - last)))
            piece = os.read(syncer.stdout.fileno(), LONGEST) if heard else b""
            *lines, rest = (rest + piece).split(b"\n")
            rest = rest[:LONGEST]
            words = [line.split(b" ", 1) for line in lines]
            now = time.monotonic()
            idle, last = idle + (0.0 if [b"working"] in words else now - last), now
            stage = next((_text(word[1]) for word in reversed(words) if word[0] == b"stage" and word[1:]), stage)
            for word in words:
                if word[0] == b"answer" and word[1:]:
                    return _text(word[1])
            if heard and not piece:
                return behind(f"its process ended without an answer, while {stage}")
    return behind(
        f"after {PATIENCE_S:g} s of waiting its process {syncer.pid} was still {stage}; it was left to go on by itself"
    )


def _text(encoded: bytes) -> str:
    """Return what `_say` wrote; other bytes are returned with a remark."""
    with suppress(ValueError, RecursionError):
        decoded = json.loads(encoded)
        if isinstance(decoded, str):
            return decoded
    return f"saying {encoded[:40]!r}"


def main(runs: str, address: str) -> None:
    """Open the store; then sync the journal that standard input names, if it names one, and answer with the warning.

    The run may be gone by then: nothing that is said to it matters to what is done.
    """
    out = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        # What a library prints is no answer.
        os.dup2(nowhere.fileno(), 1)
    Thread(target=_beat, args=(out,), daemon=True).start()
    lines: SimpleQueue[str] = SimpleQueue()
    safe = Event()
    safe.set()
    Thread(target=_listen, args=(lines, safe), daemon=True).start()
    place, where = Path(runs), address or None

    def prepare(stage: str) -> None:
        if stage.startswith("opening"):
            safe.clear()
        _say(out, "stage", stage)

    with suppress(CmeError):
        sync(place, [], where, prepare)
    safe.set()
    _say(out, "stage", "waiting for the journal")
    if line := lines.get():
        warning = sync_after(place, Path(json.loads(line)), where, lambda stage: _say(out, "stage", stage))
        _say(out, "answer", warning)
    # All is committed, and the libraries would take a second and a half to take themselves down.
    os._exit(0)


def _listen(lines: SimpleQueue[str], safe: Event) -> None:
    """Put the line of standard input into ``lines``; if the run ended without one, end this process when ``safe``.

    It is not safe while a store is made: half a migration is no store.
    """
    line = sys.stdin.readline()
    if not line:
        safe.wait()
        os._exit(0)
    lines.put(line)


def _beat(out: int) -> None:
    """Say ``working`` for every beat in which this process computed rather than waited."""
    before = time.process_time()
    while True:
        time.sleep(BEAT_S)
        now = time.process_time()
        if now - before >= WORKING_SHARE * BEAT_S:
            _say(out, "working")
        before = now


def _say(out: int, word: str, text: str | None = None) -> None:
    """Write one whole line; if the run has ended, no process reads it and no error is raised."""
    tail = "" if text is None else " " + json.dumps(text[: LONGEST // 16])
    with suppress(OSError):
        os.write(out, f"{word}{tail}\n".encode())
