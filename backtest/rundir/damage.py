"""Tells a damaged run directory from a defect of ours: whoever reads its files names what differs from its listing.

with damage_named(run): page = render(load(run))
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from backtest.rundir import checksums
from engine.errors import CmeError, DataError

_SHOWN: Final = 5


@contextmanager
def damage_named(run: Path) -> Iterator[None]:
    """Turn an error that is not ours into ``DataError`` (4) if files of ``run`` are not as it lists them.

    The message names those files, or says that nothing lists them.  If every file is as listed the error is a defect
    and is raised as it is; so is ``OSError`` for a name that is too long for a file, which no run can have.
    """
    try:
        yield
    except CmeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            raise
        differing = _differing(run)
        if not differing:
            raise
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise DataError(
            f"{run}: expected whole files of one run, was {type(error).__name__}: {error!s:.200} while they were read; "
            f"{', '.join(differing[:_SHOWN])}{more}: bring them back, or run its command again"
        ) from error


def _differing(run: Path) -> list[str]:
    try:
        listed, actual = checksums.listed_digests(run / checksums.NAME), checksums.file_digests(run)
    except (CmeError, OSError) as problem:
        return [f"its listing cannot be read ({problem!s:.200})"]
    changed = [f"{name} differs from {checksums.NAME}" for name in listed if actual.get(name, "") != listed[name]]
    return changed + [f"{name} is not in {checksums.NAME}" for name in actual if name not in listed]
