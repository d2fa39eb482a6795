"""Reports the progress of work in other processes: a task adds bytes to its own file, the parent reads the sizes.

Files work the same for threads, processes and a cluster on a shared disk, need no server, and cannot change what is
computed.  `backtest.terminal` draws the bar.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

OnDayDone = Callable[[int, int], None]
"""Called now and then with (steps done, steps in all)."""


def step(file: Path | None) -> None:
    """Count one more step of the task that owns ``file``; None counts nothing."""
    if file is not None:
        with file.open("ab") as handle:
            handle.write(b".")


@contextmanager
def watched(total: int, report: OnDayDone | None, every_s: float = 0.2) -> Iterator[Path | None]:
    """Yield a folder for the tasks' files and call ``report`` while the block runs; None without ``report``."""
    if report is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="cme-progress-") as folder:
        done = threading.Event()

        def look() -> None:
            while not done.wait(every_s):
                report(_size(Path(folder)), total)

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield Path(folder)
        finally:
            done.set()
            watcher.join()
            report(_size(Path(folder)), total)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
