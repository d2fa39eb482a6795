"""Measures what the gap between two price series moves with: the peg of two dollars, funding or a tick.  [venues V1]

Sources of one underlying differ by a few bps that come and go.  A price read in the wrong currency differs by the whole
peg, the last price of a perp from its index by what funding charges, a rounded price by half a tick: there the gap is a
slope times something that is known.  The slope is fitted on medians of blocks, by least squares with Huber's weights,
and its error allows for gaps that persist (Newey and West 1987).  Two series that drift may agree by chance: changes
have to agree too (Granger and Newbold 1974).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from engine.records import BoolArray, FloatArray, IntArray
from engine.units import NS_PER_HOUR

BLOCK_NS: Final = 8 * NS_PER_HOUR
"""Gaps are medians of such blocks: one bad print or a minute's lag does not move them."""
WINDOW: Final = 30
"""Blocks over which gap, peg and funding are centred (ten days): two slow trends would look like a relation."""
LEAST_BLOCKS: Final = 12
LEAST_SLOPE: Final = 0.25
"""A currency has slope 1, half a tick 0.5; what arbitrage leaves between two right prices stays under a tenth."""
MOST_SLOPE: Final = 1.5
"""A currency and a tick have at most slope 1: what moves the gap by more moves with them by chance, or by demand."""
LEAST_ERRORS: Final = 5.0
"""So many errors from zero: hundreds of pairs are compared, and errors of persistent gaps are too small by a third."""
LEAST_MOVE_BPS: Final = 1.0
"""A gap that the driver moves by less than this over the whole data changes no trade."""
CHANGE_BLOCKS: Final = {"USDC/USDT": 1, "funding": 3}
"""Changes over so many blocks must agree; a published rate is up to eight hours older than the premium it charges."""

_HUBER: Final = 1.345  # 95% as efficient as least squares where the residuals are normal
_ROUNDS: Final = 20
_LAGS: Final = 10
_ON_TICK: Final = 0.99
_QUESTION: Final = {
    "USDC/USDT": "is the price currency right",
    "funding": "is one of them the last price of a perp and the other its index or spot",
    "tick": "are the prices of one rounded, or one side of its book alone",
}


@dataclass(frozen=True, slots=True)
class Follow:
    """How the gap follows one driver, ``USDC/USDT``, ``funding`` or ``tick``: bps of the gap a bps of the driver.

    ``change_slope`` and ``change_error`` are of their changes over `CHANGE_BLOCKS`, of a tick as the others.
    ``low_bps`` and ``high_bps`` are the driver's smallest and largest block: the peg is USDC/USDT - 1, funding a rate
    for eight hours, a tick the coarser one of the two as a share of the price.  ``alarm`` says that the slope is large
    enough, surely not zero, and moves the gap.
    """

    driver: str
    blocks: int
    slope: float
    error: float
    change_slope: float
    change_error: float
    low_bps: float
    high_bps: float
    alarm: bool


@dataclass(frozen=True, slots=True)
class Level:
    """The gap between two sources, ln(second/first) in bps, both in USDT; USD is read as USDC.

    ``level_bps`` and ``spread_bps`` are the median of the blocks and their robust deviation; ``follows`` has the
    drivers that could be fitted.  ``warning`` is empty where no driver raises an alarm.
    """

    first: str
    second: str
    block_ns: int
    blocks: int
    level_bps: float
    spread_bps: float
    follows: tuple[Follow, ...]
    warning: str


def follow(driver: str, gap_bps: FloatArray, x_bps: FloatArray, control_bps: FloatArray | None = None) -> Follow | None:
    """Return how ``gap_bps`` follows the driver ``x_bps``, shape (blocks,) each, NaN where unknown.

    All are centred over each `WINDOW`, but for a tick, which moves as slowly as a price: its share of the gap is
    fitted through zero.  ``control_bps`` is fitted beside the driver where it moves.  None where under `LEAST_BLOCKS`
    blocks are known, or the driver does not move.
    """
    moves = control_bps is not None and float(np.nanmax(control_bps, initial=0) - np.nanmin(control_bps, initial=0)) > 0
    columns = [gap_bps, x_bps, control_bps] if control_bps is not None and moves else [gap_bps, x_bps]
    values = np.array(columns)
    known: BoolArray = np.asarray(np.isfinite(values).all(axis=0))
    if known.sum() < LEAST_BLOCKS:
        return None
    window = np.arange(len(gap_bps)) // WINDOW
    level = _fit(
        values[:, known] if driver == "tick" else np.array([_centred(row[known], window[known]) for row in values])
    )
    change = level
    if driver in CHANGE_BLOCKS:
        step = CHANGE_BLOCKS[driver]
        changes = values[:, step:] - values[:, :-step]
        change = _fit(changes[:, np.isfinite(changes).all(axis=0)])
    if level is None or change is None:
        return None
    low, high = float(x_bps[known].min()), float(x_bps[known].max())
    alarm = (
        all(abs(slope) >= max(LEAST_SLOPE, LEAST_ERRORS * error) for slope, error in (level, change))
        and level[0] * change[0] > 0.0
        and (driver == "funding" or abs(level[0]) <= MOST_SLOPE)
        # a tick moves the gap by its own size, the others by their range
        and abs(level[0]) * (high if driver == "tick" else high - low) >= LEAST_MOVE_BPS
    )
    return Follow(driver, int(known.sum()), *level, *change, low, high, alarm)


def warned(level: Level, quotes: tuple[str, str]) -> Level:
    """Return ``level`` with a warning that names every driver with an alarm; ``quotes``: the declared currencies."""
    said = []
    for found in level.follows:
        if found.alarm:
            ask = _QUESTION[found.driver]
            declared = f" (declared {quotes[1]} and {quotes[0]})" if found.driver == "USDC/USDT" else ""
            said.append(
                f"follows {found.driver} with slope {found.slope:.2f} +- {found.error:.2f} ({found.blocks} blocks, "
                f"{found.driver} from {found.low_bps:+.1f} to {found.high_bps:+.1f} bps): {ask}{declared}?"
            )
    if not said:
        return level
    return replace(level, warning=f"{level.second} against {level.first}: the median gap {'; '.join(said)}")


def tick_of(price: FloatArray) -> float:
    """Return the coarsest 1, 2 or 5 times a power of ten of which nearly all prices are multiples, shape (T,).

    NaN where that is under a bps of the price, which moves no gap, or over a hundredth of it.

    >>> tick_of(np.array([20_100.0, 20_400.0, 21_300.0])), tick_of(np.array([20_100.5, 20_400.25]))
    (100.0, nan)
    """
    known = np.unique(price[np.isfinite(price)])
    if len(known) < 2:
        return float("nan")
    middle = float(np.median(known))
    top = int(np.floor(np.log10(middle))) - 1
    for tick in (part * 10.0**power for power in range(top, top - 4, -1) for part in (5, 2, 1)):
        if not middle * 1e-4 <= tick <= middle * 1e-2:
            continue
        multiple = known / tick
        if (np.abs(multiple - np.rint(multiple)) < 1e-6).mean() >= _ON_TICK:
            return float(tick)
    return float("nan")


def _centred(values: FloatArray, window: IntArray) -> FloatArray:
    count = np.maximum(np.bincount(window), 1)
    return np.asarray(values - (np.bincount(window, weights=values) / count)[window])


def _fit(values: FloatArray) -> tuple[float, float] | None:
    """Return the first coefficient of row 0 on the others, shape (1 + k, n), and its error; None if undetermined."""
    y, x = values[0], values[1:].T
    if len(y) < LEAST_BLOCKS or np.linalg.matrix_rank(x) < x.shape[1]:
        return None
    weight = np.ones(len(y))
    for _ in range(_ROUNDS):
        weighted = x * weight[:, None]
        coefficient = np.linalg.solve(weighted.T @ x, weighted.T @ y)
        rest = y - x @ coefficient
        scale = 1.4826 * float(np.median(np.abs(rest)))
        if scale == 0.0:
            break
        weight = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(rest), 1e-300))
    score = x * (weight * rest)[:, None]
    alone = middle = score.T @ score
    lags = min(_LAGS, len(y) // 4)
    for lag in range(1, lags + 1):
        crossed = score[lag:].T @ score[:-lag]
        middle = middle + (1.0 - lag / (lags + 1.0)) * (crossed + crossed.T)
    bread = np.linalg.inv((x * weight[:, None]).T @ x)
    # of few blocks the covariances come out too small: never less than independent blocks give
    variance = max(float((bread @ each @ bread)[0, 0]) for each in (alone, middle))
    return float(coefficient[0]), float(np.sqrt(variance))
