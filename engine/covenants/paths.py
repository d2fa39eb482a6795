"""A whole path of the state machine: the loop over bars that studies run.  [covenants 3.5, 6.4, 11]

`walk_machine` calls `state_machine.advance` bar by bar and is the definition; `run_machine` leaves out the records and
is what a year of minutes can afford.  A test holds the two equal in every bar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Mode
from engine.covenants.parameters import Parameters
from engine.covenants.spread_band import post_process, published
from engine.covenants.state_machine import REARM_MIN, REARM_SHARE, Machine, advance, executed, start
from engine.exact.rounded import Floats


@dataclass(frozen=True)
class MachinePath:
    """Arrays of shape (bars,): the state after each bar, the band in force for the next, reallocations executed."""

    mode: NDArray[np.int64]
    band_pp: Floats
    executes: NDArray[np.bool_]


def walk_machine(
    spread: Floats, raw_band: Floats, decorrelated: NDArray[np.bool_], stale: NDArray[np.int64], p: Parameters
) -> MachinePath:
    """Return the machine's path [N], one revision a bar; every ordered reallocation is filled at the next close.

    All inputs are [N]: ``spread`` and ``raw_band`` in percentage points, NaN if missing; ``stale`` of `Mode`.
    """
    machine: Machine = start(p)
    modes, bands, fills = [], [], []
    for t in range(spread.size):
        fill = machine.pending and stale[t] == Mode.LIVE and spread[t] == spread[t]
        machine = executed(machine, t, p) if fill else machine
        machine = advance(
            machine, abs(float(spread[t])), float(raw_band[t]), bool(decorrelated[t]), Mode(int(stale[t])), True, p
        )
        modes.append(int(machine.mode))
        bands.append(machine.band_pp)
        fills.append(fill)
    return MachinePath(np.array(modes, np.int64), np.array(bands), np.array(fills, np.bool_))


def run_machine(
    spread: Floats, raw_band: Floats, decorrelated: NDArray[np.bool_], stale: NDArray[np.int64], p: Parameters
) -> MachinePath:
    """Return the path [N] of `walk_machine`, faster: quiet stretches of LIVE bars at once, `advance` at other bars.

    A stretch is quiet while no bar is stale, missing, undefined or above its band.  The literal reading's band has no
    memory, so its stretches are found on arrays; the other readings' bands are followed bar by bar.
    """
    n = spread.size
    size = np.abs(spread)
    modes, bands = np.empty(n, np.int64), np.empty(n)
    fills = np.zeros(n, np.bool_)
    plain = (stale == int(Mode.LIVE)) & np.isfinite(spread) & np.isfinite(raw_band)
    # Only there is a bar's band free of its past, so that stretches are found without a loop.
    skip = _quiet_literal if not p.post_processed and p.breach_rule == "lagged" and p.confirmation == 1 else None
    machine, t = start(p), 0
    marks = skip(size, raw_band, plain) if skip else None
    numbers, raws, usable = size.tolist(), raw_band.tolist(), plain.tolist()
    while t < n:
        if machine.mode == Mode.LIVE and machine.above_bars == 0 and not machine.pending:
            end = (
                _end_marked(marks, t, machine, numbers)
                if marks is not None
                else _end_followed(t, machine.band_pp, numbers, raws, usable, bands, p)
            )
            if end > t:
                if marks is not None:
                    bands[t:end] = marks.band[t:end]
                modes[t:end] = int(Mode.LIVE)
                machine = _after(machine, end - t, float(bands[end - 1]))
                t = end
                continue
        elif machine.mode == Mode.MANUAL and usable[t]:
            end, calm, band = _end_manual(t, machine, numbers, raws, usable, bands, p)
            if end > t:
                modes[t:end] = int(Mode.MANUAL)
                machine = _after(machine, end - t, band, calm)
                t = end
                continue
        fills[t] = machine.pending and stale[t] == Mode.LIVE and spread[t] == spread[t]
        machine = executed(machine, t, p) if fills[t] else machine
        machine = advance(machine, numbers[t], raws[t], bool(decorrelated[t]), Mode(int(stale[t])), True, p)
        modes[t], bands[t] = int(machine.mode), machine.band_pp
        t += 1
    return MachinePath(modes, bands, fills)


@dataclass(frozen=True)
class _Marks:
    """The literal band of each bar as published, and the next bar at or after each that is not quiet."""

    band: Floats
    next_loud: NDArray[np.int64]


def _quiet_literal(size: Floats, raw_band: Floats, plain: NDArray[np.bool_]) -> _Marks:
    band = published(raw_band)
    before = np.concatenate(([np.nan], band[:-1]))
    # Negated: after a bar without a band the next one is loud.
    loud = ~plain | ~(size <= before)
    positions = np.where(loud, np.arange(size.size), size.size)
    return _Marks(band, np.minimum.accumulate(positions[::-1])[::-1])


def _end_marked(marks: _Marks, t: int, machine: Machine, numbers: list[float]) -> int:
    """Return the end of the quiet stretch from ``t``: the first bar is judged by the band the machine carries."""
    if not numbers[t] <= machine.band_pp or not np.isfinite(marks.band[t]):
        return t
    if marks.next_loud[t] == t and t + 1 <= marks.next_loud.size:
        return t
    return int(marks.next_loud[t])


def _end_followed(
    t: int, band: float, numbers: list[float], raws: list[float], usable: list[bool], bands: Floats, p: Parameters
) -> int:
    """Follow the band from ``t`` while the bars are quiet, writing it to ``bands``; return where the stretch ends."""
    while t < len(numbers) and usable[t]:
        revised = post_process(raws[t], band, p)
        if numbers[t] > (revised if p.breach_rule == "same_bar" else band):
            break
        band = revised
        bands[t] = band
        t += 1
    return t


def _end_manual(
    t: int, machine: Machine, numbers: list[float], raws: list[float], usable: list[bool], bands: Floats, p: Parameters
) -> tuple[int, int, float]:
    """Follow a MANUAL stretch up to the bar that re-arms, itself left to `advance`; return end, calm bars, band."""
    band, calm, need = machine.band_pp, machine.calm_bars, p.bars(REARM_MIN)
    while t < len(numbers) and usable[t]:
        revised = post_process(raws[t], band, p)
        now = calm + 1 if numbers[t] <= REARM_SHARE * (revised if p.breach_rule == "same_bar" else band) else 0
        if now >= need:
            break
        calm, band = now, revised
        bands[t] = band
        t += 1
    return t, calm, band


def _after(machine: Machine, bars: int, band: float, calm: int = 0) -> Machine:
    return Machine(
        machine.mode, band, machine.valid_bars + bars, machine.pending, machine.done, machine.recent, calm,
        machine.above_bars, machine.fresh_bars, machine.before, machine.reason,
    )  # fmt: skip
