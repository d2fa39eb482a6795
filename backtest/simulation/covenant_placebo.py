"""Placebos that carry the same leverage or the same reallocations without the covenant's timing.  [covenants 9.3]

p1: constant leverage equal to the covenanted account's time-average; p2: volatility targeting with the same average;
p3: the breaches themselves, each with its reallocations and its reduce-only bars, moved to random times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backtest.simulation.covenant_records import AccountRuns, Orders
from backtest.simulation.covenant_signals import Episode
from backtest.simulation.covenant_streams import uniforms
from engine.exact.rounded import Floats

ROUNDS = 3
"""Corrections of the leverage; the third leaves less than one part in ten thousand."""


def matched(
    shape: Floats, wanted: Floats, orders: Orders, run: Callable[[Orders], AccountRuns]
) -> tuple[Orders, AccountRuns]:
    """Return orders and result whose time-average leverage is ``wanted`` (paths,), the target in time being ``shape``.

    ``shape`` (days, paths) is scaled as a whole for each path: ones give p1, reference over volatility gives p2.
    """
    scale = wanted / np.maximum(np.mean(shape, axis=0), 1e-12)
    for _ in range(ROUNDS):
        plan = replace(orders, target=shape * scale)
        result = run(plan)
        scale = scale * wanted / np.maximum(result.leverage, 1e-12)
    plan = replace(orders, target=shape * scale)
    return plan, run(plan)


def moved_episodes(
    breaches: list[Episode], first: int, bars: int, draws: int, root_text: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (executes, reduces), each of shape [bars - first, draws]: the episodes in a random order with random gaps.

    Count, size and length of every episode are kept and episodes do not overlap; what is random is when.  Draw d uses
    replicate d of the stream ``covenants/p3``.
    """
    length = bars - first
    executes, reduces = np.zeros((length, draws), np.bool_), np.zeros((length, draws), np.bool_)
    count = len(breaches)
    spare = length - sum(e.end - e.begin for e in breaches)
    for draw in range(draws):
        u = uniforms(root_text, "covenants/p3", 2 * count, draw)
        order = np.argsort(u[:count], kind="stable")
        # One more than the spare bars: the last episode may also end with the window.
        gaps = np.sort((u[count:] * (spare + 1)).astype(np.int64))
        bar = 0
        for place, number in enumerate(order.tolist()):
            episode = breaches[number]
            begin = int(gaps[place]) + bar
            size = episode.end - episode.begin
            reduces[begin : begin + size, draw] = True
            for offset in episode.executions:
                executes[begin + offset, draw] = True
            bar += size
    return executes, reduces
