"""Worker processes end with the process that began them, however that ends.

    end_workers_with_this_process()        before the first pool of joblib is made

A process that is killed cannot end its workers: they would wait for minutes for work, with its pipes and their folders
in /dev/shm.  So each worker watches it; after the last one joblib's resource tracker removes the folders.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from functools import partial
from typing import Final

_EVERY_S: Final = 0.5
NAME: Final = "loky-watched"
_LEAK_WARNING: Final = "ignore:resource_tracker:UserWarning"


def end_workers_with_this_process() -> None:
    """Make every process pool that joblib begins from now on, in any thread, one whose workers watch this process."""
    from joblib import register_parallel_backend
    from joblib.parallel import BACKENDS

    watched = partial(BACKENDS["loky"], initializer=watch, initargs=(os.getpid(),))
    register_parallel_backend(NAME, watched, make_default=True)
    # The tracker calls the folders it removes after an interrupted run leaked; only its own interpreter can be quiet.
    if _LEAK_WARNING not in sys.warnoptions:
        sys.warnoptions.append(_LEAK_WARNING)


def watch(parent: int) -> None:
    """Kill this process as soon as its parent, the process ``parent``, has ended; returns at once.

    Ctrl-C reaches every process of a terminal: it is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_kill_after, args=(parent,), daemon=True, name="parent-watch").start()


def _kill_after(parent: int) -> None:
    try:
        handle = os.pidfd_open(parent)
    except (AttributeError, OSError):  # not on Linux, forbidden, or it has ended already
        while os.getppid() == parent:
            time.sleep(_EVERY_S)
    else:
        if os.getppid() == parent:  # else the number is another process's by now
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            poll.poll()
    # not sys.exit: a thread's exit ends the thread alone, and the work of this process is of no use to anybody
    os.kill(os.getpid(), signal.SIGKILL)
