"""A synthetic pair of minute closes for the tests: correlated random walks with a jump of the ratio."""

from __future__ import annotations

import numpy as np

from engine.units import NS_PER_SECOND


def closes(bars: int, seed: int = 3, bar_min: int = 1, vol: float = 4e-4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return close times (ns) and both prices; every few thousand bars the ratio jumps, so bands are broken."""
    rng = np.random.Generator(np.random.PCG64(seed))
    common, own = rng.normal(size=bars), rng.normal(size=bars)
    scale = vol * np.sqrt(bar_min)
    jumps = np.where(rng.random(bars) < 4.0 / 2000, rng.normal(size=bars) * 0.03, 0.0)
    a = 60000.0 * np.exp(np.cumsum(scale * common + jumps))
    b = 3000.0 * np.exp(np.cumsum(scale * (0.8 * common + 0.6 * own)))
    t_ns = (np.arange(1, bars + 1, dtype=np.int64)) * bar_min * 60 * NS_PER_SECOND
    return t_ns, a, b
