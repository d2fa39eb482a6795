"""A run on a Dask cluster of two processes, one of which is killed.

Run as ``python -m tests.helpers.dask_cluster CONFIG OUT``.

A process of its own, because a cluster leaves threads and warnings behind.  Prints the run directory and, where the
kill fell into the run, ``killed``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from backtest.tasks.scheduler import WorkerPool
from tests.helpers.small_run import make


def kill_when_begun(pid: int, out: Path, ended: threading.Event, said: list[str]) -> None:
    """Kill the worker ``pid`` as soon as the first part is kept."""
    while not ended.is_set():
        if any(out.glob(".work/*/*.piece")):
            os.kill(pid, signal.SIGKILL)
            said.append("killed")
            return
        time.sleep(0.01)


def main(config: Path, out: Path) -> None:
    """Make the run."""
    from distributed import Client, LocalCluster

    local = {"host": "127.0.0.1", "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **local) as cluster:
        with Client(cluster.scheduler_address) as client:
            pids = list(client.run(os.getpid).values())
        ended, said = threading.Event(), ["missed"]
        killer = threading.Thread(target=kill_when_begun, args=(pids[0], out, ended, said))
        killer.start()
        made = make(config, out, workers=WorkerPool(address=cluster.scheduler_address, out=out))
        ended.set()
        killer.join()
    print(made.folder, said[-1])  # noqa: T201  # read by the test


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
