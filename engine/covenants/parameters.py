"""The numbers of a covenant, with their units and origins, and the checks that refuse an impossible one.

Rules: [covenants 12], coarser bars [covenants 15.1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args, get_origin, get_type_hints

from engine.covenants.base import BandReading
from engine.errors import UsageError

ALPHA_RANGE: Final = (0.3, 0.7)
BETA_RANGE: Final = (0.1, 0.4)
"""The ranges the framework's text gives."""
MINUTES_A_DAY: Final = 1440
MOST_COUNT: Final = 1_000_000
MOST_SPAN: Final = 100_000.0
"""Of the half life in hours and of the window of sigma in days."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of a pair's covenants.  Spreads and bands in percentage points, rates a fraction of 8 hours.

    ``alpha`` and ``beta`` hold constants and are used where their rule is ``constant``.
    """

    bar_min: int = 1
    reading: BandReading = "literal"
    sb_0_pp: float = 2.5
    alpha_rule: Literal["constant", "u_shaped", "monotone"] = "constant"
    alpha: float = 0.5
    beta_rule: Literal["constant", "regime"] = "constant"
    beta: float = 0.25
    sign_mode: Literal["magnitude", "signed"] = "magnitude"
    zeta: float = 1.0
    anchor_half_life_h: float = 24.0
    sigma_window_d: float = 7.0
    hedge_rule: Literal["ratio", "ols", "kalman"] = "ratio"
    breach_rule: Literal["lagged", "same_bar"] = "lagged"
    confirmation: int = 1
    hysteresis: float = 0.9
    rr: float = 0.15
    rr_rule: Literal["constant", "adaptive"] = "constant"
    l_max: float = 10.0
    l_min: float = 1.0
    gamma: float = 1.0
    phi_min: float = 0.25
    funding_spike: float = 0.0003
    payer_only: bool = False
    kappa: float = 2.0
    participation: float = 0.25
    slip: float = 0.005
    manual_share: float = 0.5
    manual_ratio: float = 2.0
    manual_per_hour: int = 6
    freeze_after_s: float = 10.0
    reduce_only_after_s: float = 30.0
    drift_pp: float = 0.5

    def __post_init__(self) -> None:
        check(self)

    def bars(self, minutes: float) -> int:
        """Return the number of bars in ``minutes`` of clock time, at least 1."""
        return max(1, round(minutes / self.bar_min))

    @property
    def anchor_half_life_bars(self) -> float:
        return self.anchor_half_life_h * 60.0 / self.bar_min

    @property
    def sigma_bars(self) -> int:
        """Bars of the window of sigma: its clock time, at least 100 bars.  [covenants 15.1]"""
        return max(100, self.bars(self.sigma_window_d * MINUTES_A_DAY))

    @property
    def warmup_bars(self) -> int:
        """Valid bars before the first decision: one day, at least 24 bars.  [covenants 1.5, 15.1]"""
        return max(24, self.bars(MINUTES_A_DAY))

    @property
    def least_sigma_bars(self) -> int:
        """Spreads that sigma needs: a day of them, at least 100.  [covenants 1.5, 15.1]"""
        return min(self.sigma_bars, max(100, self.bars(MINUTES_A_DAY)))

    @property
    def grid_min(self) -> int:
        """Minutes of one return of correlation and volatility: five, or the bar.  [covenants 2.3, 15.1]"""
        return max(5, self.bar_min)

    @property
    def rho_returns(self) -> int:
        """Returns in the correlation: 24 h of them where that gives 96 or more, else 7 d.  [covenants 15.1]"""
        day = MINUTES_A_DAY // self.grid_min
        return day if day >= 96 else 7 * day

    @property
    def post_processed(self) -> bool:
        """The literal reading is the printed formula and nothing else.  [covenants 3.5]"""
        return self.reading != "literal"


_CHOICES: Final = {
    name: get_args(kind) for name, kind in get_type_hints(Parameters).items() if get_origin(kind) is Literal
}


def check(p: Parameters) -> None:
    """Raises `UsageError` naming the parameter, what was expected and what it was."""
    for field in fields(p):
        value = getattr(p, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"covenants: {field.name}: expected a finite number, was {value}")
    for name, known in _CHOICES.items():
        if getattr(p, name) not in known:
            raise UsageError(f"covenants: {name}: expected {', '.join(known)}, was {getattr(p, name)!r}")
    _within("alpha", p.alpha, ALPHA_RANGE)
    _within("beta", p.beta, BETA_RANGE)
    _within("rr", p.rr, (0.01, 0.9))
    _within("hysteresis", p.hysteresis, (0.1, 1.0))
    _within("phi_min", p.phi_min, (0.01, 1.0))
    _within("participation", p.participation, (0.0001, 1.0))
    _within("bar_min", p.bar_min, (1, MINUTES_A_DAY))
    # Bars that do not fill a day would move against the UTC grid from day to day.
    if MINUTES_A_DAY % p.bar_min:
        raise UsageError(f"covenants: bar_min: expected a divisor of a day's 1,440 minutes, was {p.bar_min}")
    for name in ("sb_0_pp", "zeta", "anchor_half_life_h", "sigma_window_d", "kappa", "slip", "funding_spike"):
        if getattr(p, name) <= 0:
            raise UsageError(f"covenants: {name}: expected more than 0, was {getattr(p, name)}")
    if not 0 < p.l_min <= p.l_max:
        raise UsageError(
            f"covenants: leverage cap: expected 0 < l_min <= l_max, was [{p.l_min}, {p.l_max}]: no leverage can meet it"
        )
    if not p.freeze_after_s < p.reduce_only_after_s:
        raise UsageError(
            f"covenants: staleness: expected freeze before reduce-only, was {p.freeze_after_s} s and "
            f"{p.reduce_only_after_s} s"
        )
    for name in ("confirmation", "manual_per_hour"):
        _within(name, getattr(p, name), (1, MOST_COUNT))
    for name in ("anchor_half_life_h", "sigma_window_d"):
        _within(name, getattr(p, name), (1e-6, MOST_SPAN))


def _within(name: str, value: float, bounds: tuple[float, float]) -> None:
    if not bounds[0] <= value <= bounds[1]:
        raise UsageError(f"covenants: {name}: expected a value in [{bounds[0]}, {bounds[1]}], was {value}")
