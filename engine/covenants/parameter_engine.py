"""The parameter engine as an interface, and the closed forms that any learner must beat.  [covenants 4, 5, 15.5]

    engine.fit(training) -> FittedCovenant           once a block, from 90 days that end a day before it
    engine.revise(measures, fitted) -> Revision       bar by bar, or whole arrays at once

A learner replaces the closed form only by the rule of `covenants 4`: better in 60% of blocks and in the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engine.covenants.drift_monitor import quantile
from engine.covenants.leverage_cap import cap, funding_factor
from engine.covenants.measures import Measures
from engine.covenants.parameters import Parameters
from engine.covenants.spread_band import fit_zeta, literal_pp, principled_pp, scaled_pp
from engine.exact.rounded import Floats

TRAIN_D, PURGE_D, BLOCK_D = 90, 1, 7
"""Days of training, of the purge between, and of the test block; one block a step."""


@dataclass(frozen=True)
class Training:
    """What a fit may see: measures and the costly funding rate (a fraction of 8 h) of the training window."""

    measures: Measures
    funding: Floats


@dataclass(frozen=True)
class FittedCovenant:
    """Fitted quantities: factor of the principled band, reference volatility, funding spike, and a learner's own."""

    zeta: float
    reference_volatility: float
    funding_spike: float
    model: Any = None


@dataclass(frozen=True)
class Revision:
    """New parameters of each bar, shape (bars,): band before post-processing (pp), cap, alpha, beta."""

    band_pp: Floats
    leverage_cap: Floats
    alpha: Floats
    beta: Floats


class ParameterEngine(Protocol):
    """Fits on a training window, revises from what is known at each bar."""

    @property
    def name(self) -> str:
        """The engine's name in results."""
        ...

    def fit(self, training: Training) -> FittedCovenant:
        """Return what is learnt from ``training``."""
        ...

    def revise(self, measures: Measures, funding: Floats, fitted: FittedCovenant) -> Revision:
        """Return the revisions of the bars of ``measures``."""
        ...


@dataclass(frozen=True)
class ClosedForm:
    """The three readings of the printed formula and the cap of section 5."""

    p: Parameters
    name: str = "closed_form"

    def fit(self, training: Training) -> FittedCovenant:
        """Return zeta (1 but for the principled reading), the median volatility and the 95% point of |funding|."""
        m, p = training.measures, self.p
        zeta = p.zeta
        if p.reading == "principled":
            base = unscaled_band(m, p)
            # The band in force is that of the bar before.  [covenants 3.6]
            ratio = np.abs(m.spread[1:]) / base[:-1]
            zeta = fit_zeta(ratio, m.t_ns.size * p.bar_min / 1440.0, p)
        spike = quantile(np.abs(training.funding), 0.95)
        known = np.isfinite(spike)
        return FittedCovenant(
            zeta, quantile(m.volatility, 0.5), max(p.funding_spike, spike) if known else p.funding_spike
        )

    def revise(self, measures: Measures, funding: Floats, fitted: FittedCovenant) -> Revision:
        """Return band, cap, alpha and beta of each bar of ``measures``."""
        phi = funding_factor(funding, fitted.funding_spike, self.p.phi_min)
        scale = fitted.zeta if self.p.reading == "principled" else 1.0
        return Revision(
            scale * unscaled_band(measures, self.p),
            cap(measures.volatility, fitted.reference_volatility, phi, self.p),
            measures.alpha,
            measures.beta,
        )


def unscaled_band(m: Measures, p: Parameters) -> Floats:
    """Return the reading's band in pp before zeta and post-processing, shape (bars,)."""
    spread = m.spread if p.sign_mode == "signed" else np.abs(m.spread)
    if p.reading == "literal":
        return literal_pp(m.alpha, m.beta, m.sigma, spread, m.rho)
    if p.reading == "scaled":
        return scaled_pp(m.alpha, m.beta, m.sigma, spread, m.rho)
    return principled_pp(m.alpha, m.beta, m.sigma, m.rms, m.rho, m.rho_bar, 1.0)


def blocks(bars: int, first: int, p: Parameters) -> list[tuple[int, int, int, int]]:
    """Return (train begin, train end, block begin, block end) in bars, for blocks from bar ``first`` to the end.

    Raises ValueError if ``first`` leaves less than the training window and its purge before it.
    """
    day = 1440 // p.bar_min
    if first < (TRAIN_D + PURGE_D) * day:
        raise ValueError(f"expected at least {TRAIN_D + PURGE_D} days before the first block, was {first / day:.1f}")
    plan = []
    for begin in range(first, bars, BLOCK_D * day):
        # The gap keeps what training measures ahead of its bars out of the block.
        end = begin - PURGE_D * day
        plan.append((end - TRAIN_D * day, end, begin, min(begin + BLOCK_D * day, bars)))
    return plan
