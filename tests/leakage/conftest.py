"""The tiny market, run once: what all tests of the battery alter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from backtest.data.format.dataset import Dataset
from backtest.leakage.battery import BatteryCell, Read
from backtest.leakage.observables import Observe
from backtest.leakage.survey import Run, observers_of, reader_of, run_plainly
from backtest.records import Registration
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.leakage import small_study


@dataclass(frozen=True)
class World:
    """A data set, its registration, its plain run, and what tells a cell."""

    dataset: Dataset
    registration: Registration
    run: Run
    carried: Callable[[BatteryCell], Observe]
    flat: Callable[[BatteryCell], Observe]
    short: Callable[[BatteryCell], Observe]
    read: Read

    def cells(self, count: int, seed: int) -> list[BatteryCell]:
        """Random days of history and window, each with a time inside it, not on the grid."""
        draw = np.random.default_rng(seed)
        first, last = (t // NS_PER_DAY for t in (self.registration.plan.history_ns, self.registration.plan.t1_ns))
        days = draw.integers(first + 1, last, count)
        return [
            BatteryCell("BTC", int(d), int(d) * NS_PER_DAY + int(draw.integers(NS_PER_HOUR, NS_PER_DAY))) for d in days
        ]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("tiny")
    dataset = small_study.market(folder, small_study.text())
    registration = small_study.registered(folder, small_study.text())
    run = run_plainly(dataset, registration, registration.plan, ("BTC",), lambda *_: None)
    carried, flat, short = observers_of(registration, run)
    return World(dataset, registration, run, carried, flat, short, reader_of(registration))
