"""What a reader of hostile bytes may do: return, or raise an error of ours.  Everything else is a finding.

    finding = tried(lambda: read(data, place), place)      None, or a sentence

Watched: exceptions of another kind and code 70, writing, deleting, linking or connecting outside ``place``, starting a
program, CPU time, and the memory of the process.  The watch is an audit hook of the interpreter, so no library of
Python's goes around it.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from engine.errors import CmeError

MOST_CPU_S: Final = 30.0
MOST_GROWTH_KB: Final = 600_000
CODES: Final = frozenset((2, 3, 4, 5, *range(10, 19), *range(20, 27), 30, 31, 32, 40, 41, 42, 50))

_TOUCHING: Final = {
    "os.mkdir": ((0, 2),), "os.rename": ((0, 2), (1, 3)), "os.remove": ((0, 1),), "os.rmdir": ((0, 1),),
    "os.symlink": ((1, 2),), "os.link": ((1, 3),), "os.truncate": ((0, None),), "os.chmod": ((0, 2),),
    "sqlite3.connect": ((0, None),),
}  # fmt: skip
"""Event -> where its paths stand among its arguments, and the descriptors of folders that they are relative to."""
_STARTING: Final = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "socket.bind")
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """The one audit hook of this process; it looks only while a place is set."""

    def __init__(self) -> None:
        self.allowed: tuple[Path, ...] = ()
        self.seen: list[str] = []
        self.hooked = False

    def start(self, *places: Path) -> None:
        if not self.hooked:
            sys.addaudithook(self._hook)
            self.hooked = True
        self.seen.clear()
        self.allowed = tuple(place.resolve() for place in places)

    def stop(self) -> list[str]:
        self.allowed = ()
        return list(self.seen)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.allowed:
            return
        if event == "open":
            if isinstance(args[2], int) and args[2] & _WRITING:
                self._touch(event, args[0], -1)
        elif event in _TOUCHING:
            for at, folder in _TOUCHING[event]:
                self._touch(event, args[at], -1 if folder is None else args[folder])
        elif event in _STARTING and args[0] != "git":  # a report says which commit this is
            self.seen.append(f"{event} {args!r:.120}")

    def _touch(self, event: str, path: object, folder: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor: it was opened before, and looked at then
        given = Path(os.fsdecode(path))
        if isinstance(folder, int) and folder >= 0:
            given = Path(f"/proc/self/fd/{folder}").readlink() / given
        # a file is opened through links; what makes and removes names does not follow the last one
        place = given.resolve() if event == "open" else given.parent.resolve() / given.name
        if str(place) != os.devnull and not any(place.is_relative_to(one) for one in self.allowed):
            self.seen.append(f"{event} {place}")


WATCH: Final = Watch()


class TooLong(BaseException):
    """No exception that a reader may catch."""


def tried(read: Callable[[], object], place: Path) -> str | None:
    """Return what ``read`` did that no reader may do, None where there is nothing to say."""
    said = None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = signal.signal(signal.SIGVTALRM, _too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_CPU_S)
    WATCH.start(place)
    try:
        read()
    except CmeError as error:
        if error.exit_code not in CODES:
            said = f"an error of ours with exit code {error.exit_code}: {error}"
    except TooLong:
        said = f"more than {MOST_CPU_S:g} s of CPU time"
    except Exception as error:
        said = f"{error!r:.300}\n{''.join(traceback.format_tb(error.__traceback__)[-6:])}"
    finally:
        seen = WATCH.stop()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    if said is None and seen:
        said = f"touched what is not its own: {seen[0]}"
    if said is None and growth > MOST_GROWTH_KB:
        said = f"took {growth // 1000} MB"
    return said


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TooLong
