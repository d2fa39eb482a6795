"""MLflow in a process of its own, beside the run: a store and imports take seconds that a run need not wait for.

    tracker = Tracker(runs, address)
    tracker.prepare()                   begins the imports, and makes a default store, when the run nears its end
    warning = tracker.sync(journal)     waits, never raises

Nothing is written but by `backtest.tracking`, under its lock and its bounds of waiting.  [audit 13.4]  What goes wrong
before a journal is handed over is tried again with it; a process that dies costs a warning, one that hangs `PATIENCE_S`
and a warning.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from backtest.tracking import behind, sync, sync_after
from engine.errors import CmeError

PATIENCE_S: Final = 60.0
"""How long the process is waited for; what it waits for itself is bounded by seconds."""
ROOT: Final = Path(__file__).resolve().parents[1]
DOOR: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); from backtest.tracker import main; main(*sys.argv[1:])"
Process = subprocess.Popen[str]


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
        if self._syncer is None:  # the machine has no process to spare
            return sync_after(self._runs, journal, self._address)
        try:
            said, _ = self._syncer.communicate(f"{journal}\n", PATIENCE_S)
        except (OSError, subprocess.TimeoutExpired) as problem:
            return behind(problem)  # nobody is killed: in the middle of a migration that would break the store
        return said.strip() if self._syncer.returncode == 0 else behind("its process died")

    def _begun(self) -> Process | None:
        """Return a process of `main`, which an interrupt from the terminal does not reach: that run is shown too."""
        command = [sys.executable, "-W", "ignore", "-c", DOOR, str(ROOT), str(self._runs), self._address or ""]
        with suppress(OSError):
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                start_new_session=True,
            )  # fmt: skip
        return None


def main(runs: str, address: str) -> None:
    """Open the store; then sync the journal that standard input names, if it names one, and say the warning."""
    with suppress(CmeError):
        sync(Path(runs), [], address or None)
    for line in sys.stdin:
        sys.stdout.write(sync_after(Path(runs), Path(line.rstrip("\n")), address or None))
    sys.stdout.flush()
    os._exit(0)  # all is committed, and the libraries would take a second and a half to take themselves down
