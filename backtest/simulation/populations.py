"""Synthetic accounts of named streams: leverages, sizes, liquidation prices.  [risk.md 7.2]"""

from __future__ import annotations

import numpy as np

from backtest.simulation.covenant_streams import uniforms
from engine.exact.rounded import Floats


def leverages(seed: int, stream: str, count: int, most: float) -> Floats:
    """Return ``count`` leverages from 1 to ``most``, uniform in their inverse: in the room that a price has.

    A long of leverage L is liquidated after a fall of about 1 / L, so falls of any size meet as many accounts.
    """
    room = 1.0 / most + (1.0 - 1.0 / most) * uniforms(f"seed {seed}", stream, count)
    return 1.0 / room


def long_liquidation_prices(entry: float, leverage: Floats, maintenance: float) -> Floats:
    """Return the liquidation price of isolated longs, ``E (1 - 1/L) / (1 - m)``; 0 or less means none.  [7.2]"""
    return entry * (1.0 - 1.0 / leverage) / (1.0 - maintenance)


def shares(flags: np.ndarray) -> float:
    """Return the share of accounts that are flagged; 0 for none at all."""
    return float(np.count_nonzero(flags)) / len(flags) if len(flags) else 0.0
