"""The data set the engine's benchmarks run on: the demonstration's, made once, and one day of it."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from backtest.data.format.dataset import Dataset
from backtest.pipeline.dataset import prepare_dataset
from backtest.records import Registration
from backtest.registration.load import load_registration
from backtest.seeds import streams
from engine.units import NS_PER_DAY

ROOT = Path(__file__).resolve().parent.parent
UNDERLYING = "BTC"


@cache
def demo() -> tuple[Registration, Dataset]:
    """Return the demonstration's registration and its data set, in a temporary folder that is kept between runs."""
    registration = load_registration(ROOT / "configs" / "demo.toml")
    kept = Path(tempfile.gettempdir()) / "cme-benchmarks"
    return registration, prepare_dataset(registration, None, streams.load(ROOT / "seeds.lock"), kept, 1, None)


def day() -> tuple[int, int]:
    """Return the first day of the test window, [from, to) in ns."""
    start = demo()[0].plan.t0_ns
    return start, start + NS_PER_DAY
