"""The machine: warm-up, live, breach, manual, frozen, reduce-only.  [covenants 6.4, 6.5, 7.3, 11]

One call advances one bar and is all the memory there is: a loop over a year's bars and a program that lives through
the year run the same function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from engine.covenants.base import Covenant, Mode
from engine.covenants.parameters import Parameters
from engine.covenants.spread_band import post_process
from engine.covenants.staleness import FRESH_BARS

COVENANT: Final = Covenant(
    "state_machine",
    "PairState machine",
    "WARMUP, LIVE, BREACH, MANUAL; FREEZE and REDUCE_ONLY return to the state before",
    "11",
)
REARM_SHARE: Final = 0.5
REARM_MIN: Final = 60
"""MANUAL ends after |S| has been at most half the band for an hour: the registered proxy of a person."""


@dataclass(frozen=True, slots=True)
class Machine:
    """State between two bars.

    ``band_pp`` is the band in force for the next bar; ``pending``: a reallocation was ordered and meets the next book;
    ``done``: reallocations since the breach began; ``recent``: bars of those in the last hour; ``before``: the state
    that a frozen machine returns to.
    """

    mode: Mode
    band_pp: float
    valid_bars: int = 0
    pending: bool = False
    done: int = 0
    recent: tuple[int, ...] = ()
    calm_bars: int = 0
    above_bars: int = 0
    fresh_bars: int = 0
    before: Mode = Mode.LIVE
    reason: str = ""


def start(p: Parameters) -> Machine:
    """Return the state before the first bar: warm-up, the initial band."""
    return Machine(Mode.WARMUP, p.sb_0_pp)


def executed(machine: Machine, bar: int, p: Parameters) -> Machine:
    """Return the machine after a pending reallocation met a book at ``bar``.

    MANUAL right after the one that makes the cumulative share ``1 - (1 - RR)^n`` reach ``manual_share``, or the
    ``manual_per_hour``-th within an hour.  [covenants 6.5]
    """
    hour = p.bars(60)
    recent = (*(b for b in machine.recent if bar - b < hour), bar)
    left = 1.0
    for _ in range(machine.done + 1):
        left *= 1.0 - p.rr
    many = len(recent) >= p.manual_per_hour
    spent = 1.0 - left >= p.manual_share
    after = replace(machine, pending=False, done=machine.done + 1, recent=recent)
    if spent or many:
        return replace(after, mode=Mode.MANUAL, calm_bars=0, reason="cumulative" if spent else "count")
    return after


def advance(
    machine: Machine,
    spread_abs: float,
    raw_band_pp: float,
    decorrelated: bool,
    stale: Mode,
    revise: bool,
    p: Parameters,
) -> Machine:
    """Return the machine after one bar.

    ``spread_abs`` is |S| (or the signed value), NaN where the bar is missing; ``raw_band_pp`` the reading's band of
    this bar before post-processing, NaN where an input is undefined; ``stale`` LIVE, FREEZE or REDUCE_ONLY;
    ``revise`` whether the schedule accepts a revision now.
    """
    if stale != Mode.LIVE:
        # A machine frozen already keeps the state it returns to; a pending order is dropped with the price.
        back = machine.before if machine.mode in (Mode.FREEZE, Mode.REDUCE_ONLY) else machine.mode
        return replace(machine, mode=stale, before=back, pending=False, fresh_bars=0, reason="stale")
    # A missing bar that is no staleness yet: no spread, no decision.
    if spread_abs != spread_abs:
        return replace(machine, fresh_bars=0)
    machine = replace(machine, valid_bars=machine.valid_bars + 1)
    if machine.mode in (Mode.FREEZE, Mode.REDUCE_ONLY):
        fresh = machine.fresh_bars + 1
        if fresh < FRESH_BARS:
            return replace(machine, fresh_bars=fresh)
        # the first revision after a freeze decides nothing in its own bar
        machine = replace(machine, mode=machine.before, fresh_bars=0, reason="fresh")
        return _revised(machine, raw_band_pp, revise, p)
    if machine.mode == Mode.WARMUP:
        warm = machine.valid_bars >= p.warmup_bars and raw_band_pp == raw_band_pp
        if warm:
            machine = replace(machine, mode=Mode.LIVE, reason="warm")
        return _revised(machine, raw_band_pp, revise and warm, p)
    revised = _revised(machine, raw_band_pp, revise, p)
    band = revised.band_pp if p.breach_rule == "same_bar" else machine.band_pp
    decided = (
        _manual(revised, spread_abs, band, p)
        if machine.mode == Mode.MANUAL
        else _watched(revised, spread_abs, band, decorrelated, p)
    )
    return decided


def _revised(machine: Machine, raw_band_pp: float, revise: bool, p: Parameters) -> Machine:
    if not revise or raw_band_pp != raw_band_pp:
        return machine
    return replace(machine, band_pp=post_process(raw_band_pp, machine.band_pp, p))


def _manual(machine: Machine, spread_abs: float, band: float, p: Parameters) -> Machine:
    calm = machine.calm_bars + 1 if spread_abs <= REARM_SHARE * band else 0
    if calm >= p.bars(REARM_MIN):
        return replace(machine, mode=Mode.LIVE, calm_bars=0, done=0, above_bars=0, recent=(), reason="re-armed")
    return replace(machine, calm_bars=calm)


def _watched(machine: Machine, spread_abs: float, band: float, decorrelated: bool, p: Parameters) -> Machine:
    above = machine.above_bars + 1 if spread_abs > band else 0
    if machine.mode == Mode.BREACH:
        if spread_abs <= p.hysteresis * band:
            return replace(machine, mode=Mode.LIVE, done=0, above_bars=0, pending=False, reason="hysteresis")
    elif above < p.confirmation:
        return replace(machine, above_bars=above)
    if spread_abs >= p.manual_ratio * band or decorrelated:
        reason = "ratio" if spread_abs >= p.manual_ratio * band else "decorrelation"
        return replace(machine, mode=Mode.MANUAL, pending=False, calm_bars=0, above_bars=0, reason=reason)
    reason = "breach" if machine.mode != Mode.BREACH else machine.reason
    return replace(machine, mode=Mode.BREACH, pending=True, above_bars=above, reason=reason)
