"""Tasks that misbehave, for the tests of `backtest.tasks.scheduler`; other processes find them by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from backtest.data.format.dataset import Dataset
from backtest.records import Registration
from backtest.tasks.scheduler import OnStep
from engine.errors import DataError


def double(_dataset: Dataset, _registration: Registration, tell: OnStep, number: int, folder: str) -> int:
    """Twice the number; leaves one byte more in its file each time it is asked."""
    with (Path(folder) / f"{number}.asked").open("ab") as file:
        file.write(b".")
    tell()
    return 2 * number


def die_once(dataset: Dataset, registration: Registration, tell: OnStep, number: int, folder: str) -> int:
    """As `double`, but the first process that is asked for 3 is killed."""
    if number == 3 and not (Path(folder) / "3.asked").exists():
        (Path(folder) / "3.asked").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return double(dataset, registration, tell, number, folder)


def die_elsewhere(dataset: Dataset, registration: Registration, tell: OnStep, number: int, folder: str) -> int:
    """As `double`, but only in the process whose number stands in the file ``home``."""
    if number == 3 and os.getpid() != int((Path(folder) / "home").read_text()):
        os.kill(os.getpid(), signal.SIGKILL)
    return double(dataset, registration, tell, number, folder)


def refuse(_dataset: Dataset, _registration: Registration, _tell: OnStep, number: int, folder: str) -> int:
    """Always an error of ours."""
    with (Path(folder) / f"{number}.asked").open("ab") as file:
        file.write(b".")
    raise DataError(f"expected another number, was {number}")
