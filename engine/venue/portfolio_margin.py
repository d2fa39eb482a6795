"""Portfolio margin: the worst of a grid of scenarios.  [risk.md 6.7, Deribit]

Only the structure is specified; moves, shocks and damping are configuration.  What an option is worth under a scenario
is computed where floats live; here losses are integer quanta, so the worst of them is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import DataError
from engine.venue.integers import PPM, Ints, div_ceil


@dataclass(frozen=True, slots=True)
class Grid:
    """Scenarios as (underlying move in ppm, volatility shock in ppm, share of the loss that counts in ppm)."""

    moves_ppm: tuple[int, ...]
    shocks_ppm: tuple[int, ...]
    weights_ppm: tuple[int, ...]


def grid(range_ppm: int, buckets: int, shocks_ppm: Sequence[int], extended: Sequence[tuple[int, int]]) -> Grid:
    """Return ``buckets`` equal moves in +-range incl. 0, crossed with shocks, then the damped extended moves.  [6.7]

    ``extended`` are (move, share of the loss) under the first shock, which is the one of higher volatility.
    Raises `DataError` for an even number of buckets: then 0 is not among them.
    """
    if buckets % 2 == 0 or buckets < 1:
        raise DataError(f"expected an odd number of buckets, so that no move is one of them; was {buckets}")
    half = buckets // 2
    moves = [range_ppm * i // half if half else 0 for i in range(-half, half + 1)]
    rows = [(move, shock, PPM) for move in moves for shock in shocks_ppm]
    rows += [(move, shocks_ppm[0], share) for move, share in extended]
    return Grid(*(tuple(column) for column in zip(*rows, strict=True)))


def linear_profits(size: int, price_ticks: int, quanta_per_lot_tick: int, scenarios: Grid) -> list[int]:
    """Return the profit of a linear position in each scenario, floored."""
    value = size * price_ticks * quanta_per_lot_tick
    return [value * move // PPM for move in scenarios.moves_ppm]


def maintenance(profits: Ints, scenarios: Grid, shocks_quanta: int = 0) -> int:
    """Return ``max(0, worst weighted loss) + delta and roll shocks``, rounded up.  [6.7]

    ``profits`` is [positions, scenarios] in quanta.  Non-negative, sub-additive over merged accounts, monotone in the
    grid.  Raises `DataError` if the columns do not match the grid or a shock is negative.
    """
    if profits.ndim != 2 or profits.shape[1] != len(scenarios.moves_ppm) or shocks_quanta < 0:
        raise DataError(
            f"expected profits [positions, {len(scenarios.moves_ppm)}] and shocks >= 0, was {profits.shape}, "
            f"{shocks_quanta}"
        )
    # Summed before the worst is taken: within a scenario positions hedge each other.  [risk.md 6.7]
    totals = profits.sum(axis=0, dtype=np.int64).tolist()
    losses = [div_ceil(-p * w, PPM) for p, w in zip(totals, scenarios.weights_ppm, strict=True)]
    return max(0, *losses) + shocks_quanta


def initial(maintenance_quanta: int, factor_ppm: int) -> int:
    """Return maintenance x factor, rounded up.  [6.7]"""
    return div_ceil(maintenance_quanta * factor_ppm, PPM)
