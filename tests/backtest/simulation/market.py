"""A synthetic study for the tests: hourly bars of a pair, its accounts and random orders."""

from __future__ import annotations

import numpy as np

from backtest.simulation.covenant_config import Accounts
from backtest.simulation.covenant_records import Orders, Track, last_other_sign
from engine.covenants.measures import measure
from engine.covenants.parameters import Parameters
from tests.engine.covenants.pair import closes

TERMS = Accounts()
HOURLY = Parameters(bar_min=60)


def track(days: int = 60, seed: int = 11, vol: float = 9e-4) -> Track:
    t_ns, a, b = closes(24 * days, seed=seed, bar_min=60, vol=vol)
    m = measure(t_ns, a, b, HOURLY)
    rng = np.random.Generator(np.random.PCG64(seed))
    every = np.arange(24 * days) % 8 == 0
    since = last_other_sign(m.spread)
    return Track(
        (a, b), (rng.uniform(1e5, 1e9, a.size), rng.uniform(1e5, 1e9, a.size)),
        (np.where(every, rng.normal(size=a.size) * 1e-4, 0.0), np.where(every, rng.normal(size=a.size) * 1e-4, 0.0)),
        (a[since], b[since]), t_ns % 86_400_000_000_000 == 0,
    )  # fmt: skip


def orders(path: Track, paths: int = 12, leverage: float = 1.0, seed: int = 5) -> Orders:
    rng = np.random.Generator(np.random.PCG64(seed))
    bars, days = path.new_day.size, int(path.new_day.sum()) + 1
    side = np.where(rng.random(paths) < 0.5, 1.0, -1.0)
    return Orders(
        side, -side, rng.uniform(0.5, 1.5, (days, paths)) * leverage, rng.random((bars, paths)) < 0.02,
        rng.random((bars, paths)) < 0.2, rng.random((bars, paths)) < 0.001,
        np.round(rng.uniform(1.0, 6.0, (bars // 100 + 1, 2)).repeat(100, axis=0)[:bars], 1),
        np.arange(paths) % 3 - 1, np.full(paths, 0.15),
    )  # fmt: skip
