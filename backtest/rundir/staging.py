"""A run directory that is being made lies beside the finished one and takes its place when it is complete.  [S8.6]

    folder = staged_path(out, name)     out/.NAME.unfinished, which a later attempt makes anew
    run = publish(folder)               out/NAME; the one that was there before is gone

Whoever is killed between the two leaves the finished run as it was; killed inside `publish`, the old or the new one,
each whole: the exchange is one call of the kernel.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backtest.data.format.atomic_write import refusing_half
from engine.errors import WriteError

_SUFFIX: Final = ".unfinished"
_BEFORE: Final = ".previous"
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


def staged_path(out: Path, name: str) -> Path:
    """Return the folder below ``out`` in which the run ``name`` is made."""
    return out / f".{name}{_SUFFIX}"


def name_of(folder: Path) -> str:
    """Return the name of the run whose files are in ``folder``, finished or not."""
    name = folder.name
    return name[1:].removesuffix(_SUFFIX) if is_staged(folder) else name


def is_staged(folder: Path) -> bool:
    """Return whether ``folder`` is one of `staged_path`."""
    return folder.name.startswith(".") and folder.name.endswith(_SUFFIX)


def publish(folder: Path) -> Path:
    """Give the staged ``folder`` its name and return the new path; a run directory of that name is replaced.

    Raises ``WriteError`` (5) if the disk refuses.
    """
    target = folder.with_name(name_of(folder))
    with refusing_half(target):
        if not target.exists():
            folder.rename(target)
        elif _exchanged(folder, target):
            shutil.rmtree(folder)
        else:  # a file system without exchange: `restore` takes the old one back if this is cut off in the middle
            # One that an earlier attempt left behind is in the way of the rename.
            before = folder.with_name(f".{target.name}{_BEFORE}")
            shutil.rmtree(before, ignore_errors=True)
            target.rename(before)
            folder.rename(target)
            shutil.rmtree(before)
    return target


@contextmanager
def unless_removed(out: Path, journal: Path) -> Iterator[None]:
    """Turn any error of the block into a ``WriteError`` (5) about ``out`` if the ``journal`` below it is gone by then.

    A folder that is removed while a run works fails wherever the run touches it next.
    """
    try:
        yield
    except Exception as error:
        if journal.exists():
            raise
        raise WriteError(
            f"expected the folder {out} to stay while a run writes there, was removed or renamed: leave it, or name "
            "another with --out, and run the same command again"
        ) from error


def restore(out: Path) -> None:
    """Bring back a run directory of ``out`` that was moved away by a `publish` which was cut off."""
    for before in out.glob(f".*{_BEFORE}"):
        target = before.with_name(before.name[1:].removesuffix(_BEFORE))
        # Cut off after the new one had its name: the old one is of no more use.
        if target.exists():
            shutil.rmtree(before, ignore_errors=True)
        else:
            before.rename(target)


def _exchanged(first: Path, second: Path) -> bool:
    """Exchange two folders in one step; return False, with nothing done, where this cannot be done."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):  # another system than Linux
        return False
    done = rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    return bool(done == 0)
