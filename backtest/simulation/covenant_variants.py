"""The accounts of the three-way study and the configurations of its specification curve.  [covenants 9.2, 9.6, 15.3]"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from backtest.simulation.covenant_config import Accounts
from backtest.simulation.covenant_data import PairBars
from backtest.simulation.covenant_records import Orders, Track
from backtest.simulation.covenant_signals import Signals, signals
from engine.covenants.base import Mode
from engine.covenants.measures import Measures, measure
from engine.covenants.parameter_engine import FittedCovenant, Revision, Training
from engine.covenants.parameters import Parameters
from engine.covenants.reallocation import share_of
from engine.exact.rounded import Floats

SIDES: Final = {"short_a": -1.0, "long_a": 1.0}
"""The two orientations: A short against B long, and the reverse."""


@dataclass(frozen=True)
class Variant:
    """One configuration: its name, parameters, L_0, and whether MANUAL closes the pair at once."""

    name: str
    p: Parameters
    leverage: float = 1.0
    closes: bool = False
    static: bool = False


def configurations(p: Parameters, leverage: float) -> list[Variant]:
    """Return the configurations of the curve: each reading, and one change at a time of each."""
    variants = []
    for reading in ("literal", "scaled", "principled"):
        q = replace(p, reading=reading)
        changes: list[tuple[str, dict[str, object]]] = [
            ("", {}),
            ("same_bar", {"breach_rule": "same_bar"}),
            *((f"alpha={a}", {"alpha_rule": "constant", "alpha": a}) for a in (0.3, 0.5, 0.7)),
            ("alpha=monotone", {"alpha_rule": "monotone"}),
            ("beta=0.25", {"beta_rule": "constant"}),
            ("H=6h", {"anchor_half_life_h": 6.0}),
            ("H=72h", {"anchor_half_life_h": 72.0}),
            ("h=ols", {"hedge_rule": "ols"}),
            ("h=kalman", {"hedge_rule": "kalman"}),
            ("n=1d", {"sigma_window_d": 1.0}),
            ("n=30d", {"sigma_window_d": 30.0}),
            ("rr=0.05", {"rr": 0.05}),
            ("rr=0.3", {"rr": 0.30}),
            ("rr=adaptive", {"rr_rule": "adaptive"}),
            ("phi=1", {"phi_min": 1.0}),
            ("confirm=2", {"confirmation": 2}),
        ]
        for label, change in changes:
            name = f"{reading} {label}".strip()
            variants.append(Variant(name, replace(q, **change), leverage))  # type: ignore[arg-type]
        variants.append(Variant(f"{reading} close at MANUAL", q, leverage, closes=True))
    variants.extend(Variant(f"{p.reading} L0={k}", p, float(k)) for k in (2, 3) if k != leverage)
    return variants


@dataclass(frozen=True)
class Static:
    """Static covenants: a band of 2.5 pp and the largest cap, never revised.  [covenants 10]"""

    p: Parameters
    name: str = "static"

    def fit(self, training: Training) -> FittedCovenant:  # noqa: ARG002
        """Return nothing learnt."""
        return FittedCovenant(1.0, float("nan"), self.p.funding_spike)

    def revise(self, measures: Measures, funding: Floats, fitted: FittedCovenant) -> Revision:  # noqa: ARG002
        """Return constants."""
        n = measures.t_ns.size
        return Revision(np.full(n, self.p.sb_0_pp), np.full(n, self.p.l_max), measures.alpha, measures.beta)


class SignalStore:
    """Signals of variants over the same bars; measures that two variants share are computed once."""

    def __init__(self, bars: PairBars, first: int) -> None:
        self.bars, self.first = bars, first
        self._measures: dict[tuple[object, ...], Measures] = {}

    def of(self, variant: Variant) -> Signals:
        """Return the signals of a variant."""
        p = variant.p
        # Every parameter of `measure` that a variant changes.
        key = (p.hedge_rule, p.anchor_half_life_h, p.sigma_window_d, p.alpha_rule, p.alpha, p.beta_rule, p.beta)
        if key not in self._measures:
            self._measures[key] = measure(self.bars.t_ns, self.bars.price_a, self.bars.price_b, p)
        engine = Static(replace(p, reading="literal")) if variant.static else None
        p = replace(p, reading="literal") if variant.static else p
        return signals(self.bars, p, self.first, engine=engine, known=self._measures[key])


def orders_of(variants: list[tuple[Variant, Signals]], track: Track, begin: int) -> Orders:
    """Return the orders of every variant in both orientations: all short A first, then all long A."""
    bars, n = track.new_day.size, len(variants)
    days = track.days
    columns = [s for _, s in variants]
    executes = np.stack([s.machine.executes[begin:] for s in columns], axis=1)
    reduces = np.stack([s.restricted[begin:] for s in columns], axis=1)
    closes = np.zeros((bars, n), np.bool_)
    share = np.empty((bars, n))
    for k, (variant, s) in enumerate(variants):
        share[:, k] = _shares(s)[begin:] if variant.p.rr_rule == "adaptive" else variant.p.rr
        if variant.closes:
            manual = s.machine.mode[begin:] == Mode.MANUAL
            # At the first bar of MANUAL: from then on the pair may only reduce, and nothing is left.
            closes[1:, k] = manual[1:] & ~manual[:-1]
    caps = np.stack([s.caps[begin:] for s in columns], axis=1)
    target = np.tile(np.array([v.leverage for v, _ in variants]), (days, 2))
    side = np.repeat([-1.0, 1.0], n)
    hedge = None
    if any(v.p.hedge_rule != "ratio" for v, _ in variants):
        hedge = np.tile(
            np.stack([s.measures.hedge[begin : begin + bars] for s in columns], axis=1)[track.opens], (1, 2)
        )
    return Orders(
        side, -side, target, np.tile(executes, (1, 2)), np.tile(reduces, (1, 2)), np.tile(closes, (1, 2)), caps,
        np.tile(np.arange(n), 2), np.tile(share, (1, 2)), hedge,
    )  # fmt: skip


def _shares(s: Signals) -> Floats:
    """Return the adaptive RR of an execution at each bar: of the bar before, whose breach ordered it."""
    size = np.abs(s.measures.spread)
    at_breach = [share_of(s.p, a, b) for a, b in zip(size.tolist(), s.in_force.tolist(), strict=True)]
    return np.concatenate(([s.p.rr], np.nan_to_num(np.array(at_breach[:-1]), nan=s.p.rr)))


def plain_orders(
    target: Floats, sides: Floats, caps: Floats | None = None, *, both_long: bool = False, hedge: Floats | None = None
) -> Orders:
    """Return orders of accounts without SB and RR; ``target`` and ``hedge`` (days, paths), ``caps`` (bars,) for all."""
    group = None if caps is None else np.zeros(sides.size, np.int64)
    return Orders(
        sides,
        sides if both_long else -sides,
        target,
        caps=None if caps is None else caps[:, None],
        group=group,
        hedge=hedge,
    )


def with_depth(terms: Accounts, share: float) -> Accounts:
    """Return the terms with the share of volume that an account may take scaled by ``share``.  [covenants 10]"""
    return replace(terms, volume_share=terms.volume_share * share)
