"""What the covenants say over a study, before any account: measures, fits block by block, the machine's path.

The parameter engine is fitted on 90 days that end a day before each block of 7; a study that has no such days behind
it runs on the constants of its parameters, and says so.  [covenants 4, 15.2]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backtest.simulation.covenant_data import PairBars
from engine.covenants.base import Mode
from engine.covenants.drift_monitor import quantile
from engine.covenants.leverage_cap import costly_funding
from engine.covenants.measures import Measures, measure
from engine.covenants.parameter_engine import (
    PURGE_D,
    TRAIN_D,
    ClosedForm,
    FittedCovenant,
    ParameterEngine,
    Training,
    blocks,
)
from engine.covenants.parameters import Parameters
from engine.covenants.paths import MachinePath, run_machine
from engine.exact.rounded import Floats

RESTRICTED = (Mode.WARMUP, Mode.BREACH, Mode.MANUAL, Mode.FREEZE, Mode.REDUCE_ONLY)
"""States in which an account may only reduce."""


@dataclass(frozen=True)
class Signals:
    """Arrays over all bars (bars,); ``first`` is the first bar of the study, ``fits`` one row a block."""

    p: Parameters
    first: int
    measures: Measures
    raw_band: Floats
    caps: Floats
    funding: Floats
    machine: MachinePath
    fits: tuple[tuple[int, FittedCovenant], ...]

    @property
    def restricted(self) -> NDArray[np.bool_]:
        return np.isin(self.machine.mode, [int(mode) for mode in RESTRICTED])

    @property
    def in_force(self) -> Floats:
        """The band in force at each bar: that of the bar before."""
        return np.concatenate(([self.p.sb_0_pp], self.machine.band_pp[:-1]))


def signals(
    bars: PairBars, p: Parameters, first: int, side_a: int = -1, engine: ParameterEngine | None = None,
    known: Measures | None = None,
) -> Signals:  # fmt: skip
    """Return the signals of a study that begins at bar ``first``.

    ``known`` are the measures where the caller has them already; ``engine`` the closed form of ``p`` where not given.
    """
    m = measure(bars.t_ns, bars.price_a, bars.price_b, p) if known is None else known
    fitter = closed_form(p) if engine is None else engine
    funding = costly_funding(bars.predicted_a, bars.predicted_b, side_a, p.payer_only)
    day = 1440 // p.bar_min
    # Before the first block nothing is fitted: the constants of the parameters hold.
    begun = FittedCovenant(p.zeta, quantile(m.volatility[:first], 0.5), p.funding_spike)
    revision = fitter.revise(m.part(0, first), funding[:first], begun)
    bands, caps, fits = [revision.band_pp], [revision.leverage_cap], []
    enough = first >= (TRAIN_D + PURGE_D) * day
    plan = blocks(m.t_ns.size, first, p) if enough else [(0, 0, first, m.t_ns.size)]
    for train, until, begin, end in plan:
        fitted = fitter.fit(Training(m.part(train, until), funding[train:until])) if until else begun
        revision = fitter.revise(m.part(begin, end), funding[begin:end], fitted)
        bands.append(revision.band_pp)
        caps.append(revision.leverage_cap)
        fits.append((begin, fitted))
    raw, cap = np.concatenate(bands), np.concatenate(caps)
    machine = run_machine(m.spread, raw, m.decorrelated, m.stale, p)
    return Signals(p, first, m, raw, cap, funding, machine, tuple(fits))


def closed_form(p: Parameters) -> ParameterEngine:
    """Return the closed forms as a parameter engine."""
    return ClosedForm(p)


@dataclass(frozen=True)
class Episode:
    """One breach: bars [begin, end) in which the account is restricted or a reallocation is due."""

    begin: int
    end: int
    executions: tuple[int, ...]
    manual: bool


def episodes(s: Signals) -> list[Episode]:
    """Return the breaches from the study's first bar on, in order; offsets of executions count from the begin."""
    busy = (s.restricted | s.machine.executes)[s.first :]
    # A zero at each end, so that a breach at the first or the last bar has both edges.
    edges = np.diff(np.concatenate(([0], busy.astype(np.int8), [0])))
    breaches = []
    for begin, end in zip(np.flatnonzero(edges == 1) + s.first, np.flatnonzero(edges == -1) + s.first, strict=True):
        fills = np.flatnonzero(s.machine.executes[begin:end])
        manual = bool((s.machine.mode[begin:end] == Mode.MANUAL).any())
        breaches.append(Episode(int(begin), int(end), tuple(fills.tolist()), manual))
    return breaches
