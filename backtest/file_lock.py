"""The lock of an open file or folder, which the system gives back however the process ends.

Three places ask for one and answer differently where another process has it, so they share the asking alone: a writer
of a data set takes the folder for one in use and leaves it, `cme track` waits for a journal or a database for seconds,
and a run of a plan is refused with the process that runs it.
"""

from __future__ import annotations

import fcntl


def try_lock(handle: int) -> bool:
    """Take the lock of the open ``handle`` and return True; return False at once if another handle has it.

    Closing ``handle`` gives it back.  Raises ``OSError`` for a file system without locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
