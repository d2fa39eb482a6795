"""Cells of N2's size by both of its statistics, on markets where moved and unmoved signals earn the same.

    n2-size/free    the whole engine on the small market without edge and without cost
    n2-size/law     the law of that market written out: a walk, a spike that is gone before entry, the exit of S4.5
    n2-size/NAME    signals at random days on resampled days of a real market

The rule that chooses N2's statistic was written before these were measured: a statistic qualifies if in no cell its
rejections at nominal 5% exceed the 99.5% point of the binomial law, 126 of 2,000.  The Sharpe ratio stays if it does;
else the mean of a day if that does; else the larger of both p-values.  [spec README "N2's statistic", decision 0601]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.stats import binom

from backtest.records import Statistic
from engine.records import FloatArray, IntArray
from hypotheses.calibration.base import PLANS, Cell, CellColumns, Columns, Context, RowSpec, Tier, replication
from hypotheses.calibration.distributions import BLOCK, DAYS, FOLDS, money
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.engine_cells import market_run
from hypotheses.calibration.market import PLANTED, WALK_BPS
from hypotheses.calibration.permutation_cells import NO_CHARGE
from hypotheses.calibration.resampled import RESAMPLED, charge_of, resample
from hypotheses.permutation_nulls import STREAM, PlacedSignals, n2, placed_signals
from hypotheses.records import STATISTIC_TEXT, PermutationNull, Proportion

SPIKE_BPS: Final = 250.0
HOURS: Final = 5
"""Hours of a position from its entry, at most."""
CONVERGED: Final = 0.25
LAW_STREAM: Final = "calibrate/n2/zero"
LAW_FIRST: Final = 50_000
"""The first replicate of the law: the series cell of the same stream takes those from 0 on."""
NONE: Final = Proportion(0, 1)
REPLICATIONS: Final = 2_000
"""Of each cell, without which the rule chooses nothing."""
Replicate = Callable[[Context, int], CellColumns]
STATISTICS: Final = {"ratio": "the Sharpe ratio", "mean": "the mean of a day", "larger": "the larger p-value"}
"""Measures of a cell and their names in its rows, in the order in which the rule asks for them."""


def law_earned(draw: Draw, wait_h: int = 1) -> FloatArray:
    """Return what the signal of day i earns on day j of one window, bps, ``[90, 90]``; zero without a signal.

    The gap of a perp is a walk that begins anew every day; on four days of five a spike fires at 02:00 and is gone at
    03:00, the entry.  A position ends ``wait_h`` hours after a quarter of its entry gross is left, else after five.
    """
    walk = np.cumsum(WALK_BPS * draw.normals(DAYS, HOURS + 2), axis=1)
    happens, side = draw.uniforms(2, DAYS)
    side = np.where(happens < PLANTED, np.where(side < 0.5, 1.0, -1.0), 0.0)
    gross = np.abs(walk[:, 0] + side * SPIKE_BPS)
    # the gap that a signal meets on its own day has the spike at the decision, on any other day its own or none
    gap = walk.copy()
    gap[:, 0] += side * SPIKE_BPS
    left = gross[:, None] - side[:, None] * (gap[None, :, 0] - gap[None, :, 1])
    profit = side[:, None, None] * (gap[None, :, 1, None] - gap[None, :, 1:])
    met = left[:, :, None] - profit <= CONVERGED * left[:, :, None]
    first = np.where(met.any(axis=2), met.argmax(axis=2) + wait_h, HOURS)
    return np.take_along_axis(profit, np.minimum(first, HOURS)[:, :, None], axis=2)[:, :, 0]


def placed(earned: FloatArray) -> PlacedSignals:
    """Return the placements of N2 that follow from ``earned``, bps ``[90, 90]``: what day i's signal earns on day j."""
    micro, day, per_fold = money(earned), np.arange(DAYS), DAYS // FOLDS
    place = (day // per_fold * per_fold)[:, None] + np.arange(per_fold)[None, :]
    batch = np.zeros((DAYS, per_fold, DAYS), dtype=np.int64)
    batch[day[:, None], np.arange(per_fold)[None, :], place] = micro[day[:, None], place]
    nowhere = np.zeros((0, DAYS), dtype=np.int64)
    return PlacedSignals(micro[day, day], batch, np.zeros(0, dtype=np.int64), nowhere, NONE, NONE)


def rejections(null: PermutationNull, context: Context) -> CellColumns:
    """Return whether N2 rejects at the registered level by each statistic."""

    def under(p: Proportion | None) -> bool:
        return p is not None and p.under(context.stats.alpha)

    by_ratio, by_mean = under(null.p_ratio), under(null.p_mean)
    # The larger of both p-values is under the level only where both are.
    return {"ratio": by_ratio, "mean": by_mean, "larger": by_ratio and by_mean}


def _judge(context: Context, moves: PlacedSignals, charge: IntArray) -> CellColumns:
    return rejections(n2(moves, charge, BLOCK, context.stats, context.streams(STREAM)), context)


def _free(context: Context, r: int) -> CellColumns:
    data, registration = market_run(context, "free", r)
    moves = placed_signals(data, registration.stats)
    if moves is None:
        raise ValueError("expected signals in the small market, was none")
    return _judge(context, moves, data.portfolio.profit - data.portfolio.x)


def _law(context: Context, r: int) -> CellColumns:
    return _judge(context, placed(law_earned(Draw(context.seeds, LAW_STREAM, LAW_FIRST + r))), NO_CHARGE)


def _resampled(name: str) -> Callable[[Context, int], CellColumns]:
    def replicate(context: Context, r: int) -> CellColumns:
        windows = context.finished(f"real/{name}")
        window = replication(windows, r % len(windows["signals"]))
        moves = resample(window["profile"], int(window["signals"]), Draw(context.seeds, "calibrate/resampled", r))
        return _judge(context, moves, charge_of(window, 0))

    return replicate


@dataclass(frozen=True, slots=True)
class Choice:
    """The statistic that the rule gives; ``statistic`` is "" where a cell is lacking or has too few replications."""

    statistic: Statistic | Literal[""]
    sentence: str


def most(replications: int) -> int:
    """Return the most rejections in so many replications with which a statistic qualifies.

    >>> most(2_000)
    126
    """
    return int(binom.ppf(0.995, replications, 0.05))


def choice(measured: Mapping[str, Columns]) -> Choice:
    """Return the statistic of N2 that the rule gives for the cells of this module, by name, and why in a sentence."""
    lacking = [cell.name for cell in CELLS if len(measured.get(cell.name, {}).get("ratio", ())) < REPLICATIONS]
    if lacking:
        few = ", ".join(lacking)
        return Choice("", f"N2's statistic is not chosen: fewer than {REPLICATIONS:,} replications of {few}.")
    worst = {name: max(int(measured[cell.name][name].sum()) for cell in CELLS) for name in STATISTICS}
    counts = ", ".join(f"{worst[name]:,} by {words}" for name, words in STATISTICS.items())
    limit = most(REPLICATIONS)
    counted = f"at most {limit} rejections of {REPLICATIONS:,} qualify; the most of a cell are {counts}"
    for name, statistic in (("ratio", "sharpe"), ("mean", "mean")):
        if worst[name] <= limit:
            return Choice(statistic, f"N2's statistic is {STATISTICS[name]}: {counted}.")  # type: ignore[arg-type]
    over = worst["larger"] - limit
    excess = f", {over} above the limit" if over > 0 else ""
    return Choice("larger", f"N2's statistic is {STATISTICS['larger']}{excess}: {counted}.")


def registered_text(registered: Statistic, chosen: Statistic | Literal[""]) -> str:
    """Return in a sentence which statistic the plan registers, and whether it is the ``chosen`` one, "" for none yet.

    >>> registered_text("mean", "mean")
    'The plan registers the mean of a day, as the rule gives.'
    """
    compared = {"": "", registered: ", as the rule gives"}.get(chosen, ", another than the rule gives")
    return f"The plan registers {STATISTIC_TEXT[registered]}{compared}."


def _cell(name: str, tier: Tier, title: str, chunk: int, replicate: Replicate, source: str = "") -> Cell:
    rows = tuple(
        RowSpec(f"N2 rejects by {words}, {title}", measure, "n2_size") for measure, words in STATISTICS.items()
    )
    reads = (PLANS["free"],) if tier == "engine" else ()
    seal: Literal["judging", "pipeline"] = "judging" if tier == "series" else "pipeline"
    return Cell(f"n2-size/{name}", tier, title, "n2_size", chunk, replicate, rows, seal, reads=reads, source=source)


CELLS: Final = (
    _cell("free", "engine", "zero edge and zero cost", 20, _free),
    _cell("law", "series", "the law of the market without edge", 100, _law),
    *(
        _cell(name, "resampled", f"signals at random days, {title}", 100, _resampled(name), f"real/{name}")
        for name, title in RESAMPLED.items()
    ),
)
