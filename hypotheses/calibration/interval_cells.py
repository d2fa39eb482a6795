"""Cells of H3's interval and H2's bound at the level of series: coverage, false retention, power.  [S9.H2, S9.H3]

Coverage: the share of 95% intervals (`infer_sharpe`, `symmetric`) that contain the true Sharpe ratio of a dense
family, at SR 0 and 3.  Retention: `h3.evaluate` on seven independent sleeves at once.  The bound: `infer_mean` and
`upper_bound` on four families of daily modelled EV.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import exp
from typing import Final

import numpy as np
from scipy.special import gammaincinv

from backtest.results.returns import DAYS_A_YEAR
from engine.constraints.codes import CODES
from engine.exact.sums import returns
from engine.records import FloatArray
from engine.units import MICRO
from hypotheses.calibration.base import Cell, CellColumns, Context, RowSpec
from hypotheses.calibration.distributions import CAPITAL_MICRO, DAYS, FAMILIES, autoregressive, drift, money
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.sleeves import judge_sleeves
from hypotheses.statistics.inference import infer_mean, infer_sharpe
from hypotheses.statistics.intervals import symmetric, upper_bound

DENSE: Final = ("normal", "student", "ar1", "negative", "garch", "overlap")
TRUE: Final = (0, 3)
SPACING: Final = 2_500
"""Replicates of one stream that each family has, so that no two families draw the same words."""
SLEEVES: Final = len(CODES)
EV_USD: Final = 10_000.0
"""Mean of a day's modelled EV in the cells of H2; the bound scales with it."""


def _coverage(family: str, stream: str, number: int, ratio: int, limit: str) -> Cell:
    shape, start = FAMILIES[family], SPACING * number

    def replicate(context: Context, r: int) -> CellColumns:
        stats = context.stats
        x = money(shape(Draw(context.seeds, stream, r), DAYS) + drift(ratio))
        inference = infer_sharpe(
            returns(x, Fraction(CAPITAL_MICRO)),
            stats.bootstrap_draws,
            context.streams("h3/bootstrap/C1"),
            stats.bootstrap_discard_share,
        )
        ci, truth = symmetric(inference, stats.level), Decimal(ratio) / Decimal(DAYS_A_YEAR).sqrt()
        # no interval covers nothing: a procedure that refuses hard samples must not look better for it
        if ci is None:
            return {"covers": False, "above": False, "below": False}
        return {"covers": ci.low <= truth <= ci.high, "above": ci.low > truth, "below": ci.high < truth}

    rows = (
        RowSpec(f"H3 interval covers, {family}, Sharpe ratio {ratio}", "covers", limit),
        RowSpec(f"H3 interval lies above the truth, {family}, Sharpe ratio {ratio}", "above"),
    )
    name = f"h3/{'skew' if family == 'skew' else 'dense'}/{family}/{ratio}"
    return Cell(name, "series", f"coverage, {family}, Sharpe ratio {ratio}", "series", 50, replicate, rows, start=start)


def sparse(draw: Draw, active: int) -> FloatArray:
    """Return 90 days, shape ``[90]``: ``active`` of them have a symmetric outcome of mean zero, the others nothing."""
    values = np.zeros(DAYS)
    # A random choice of days without replacement, of raw words alone.  [R11.3]
    order = np.argsort(draw.uniforms(DAYS), kind="stable")
    values[order[:active]] = draw.normals(active)
    return values


def _retention(active: int, number: int) -> Cell:
    def replicate(context: Context, r: int) -> CellColumns:
        draw = Draw(context.seeds, "calibrate/h3/retain", r)
        profit = [money(sparse(draw, active)) for _ in range(SLEEVES)]
        return judge_sleeves(context, profit)

    rows = (RowSpec(f"H3 retains a worthless constraint, {active} active days", "retained", "h3_retain"),)
    title = f"false retention, symmetric outcomes on {active} active days"
    return Cell(f"h3/retain/{active}", "series", title, "sleeves", 20, replicate, rows, start=SPACING * number)


def _retained(ratio: int, number: int) -> Cell:
    def replicate(context: Context, r: int) -> CellColumns:
        draw = Draw(context.seeds, "calibrate/power", r)
        profit = [money(draw.normals(DAYS) + drift(ratio)) for _ in range(SLEEVES)]
        return judge_sleeves(context, profit)

    rows = (
        RowSpec(f"H3 retains a constraint of true Sharpe ratio {ratio}", "retained"),
        RowSpec(f"H3 supported: all seven of Sharpe ratio {ratio}", "all"),
    )
    title = f"power of H3 at Sharpe ratio {ratio}, seven independent sleeves"
    start = 20_000 + SPACING * number
    return Cell(f"power/h3/{ratio}", "series", title, "curve", 20, replicate, rows, start=start)


def _exponential(draw: Draw) -> FloatArray:
    return np.asarray(-np.log(draw.uniforms(DAYS)))


def _clustered(draw: Draw) -> FloatArray:
    """Lognormal days whose logs are an AR(1) of 0.5 with standard deviation 0.75: busy spells."""
    return np.asarray(np.exp(0.75 * autoregressive(0.5)(draw, DAYS) - 0.75**2 / 2.0))


def _idle(draw: Draw) -> FloatArray:
    """Nothing on seven days of ten, gamma of shape 2 on the others."""
    active, size = draw.uniforms(DAYS) < 0.3, gammaincinv(2.0, draw.uniforms(DAYS)) / 2.0
    return np.asarray(np.where(active, size, 0.0) / 0.3)


def _heavy(draw: Draw) -> FloatArray:
    """Lognormal of log standard deviation 1: skewness 6.2."""
    return np.asarray(np.exp(draw.normals(DAYS)) / exp(0.5))


EV: Final[dict[str, Callable[[Draw], FloatArray]]] = {
    "exponential": _exponential,
    "clustered": _clustered,
    "idle": _idle,
    "heavy": _heavy,
}
"""The four families of E_d, each of mean 1; the protocol names none, they are ours.  [docs/decisions/0231]"""


def _bound(family: str, number: int) -> Cell:
    def replicate(context: Context, r: int) -> CellColumns:
        stats = context.stats
        e = np.rint(EV[family](Draw(context.seeds, "calibrate/h2/bound", r)) * EV_USD * MICRO).astype(np.int64)
        inference = infer_mean(e, stats.bootstrap_draws, context.streams("h2/bootstrap"), stats.bootstrap_discard_share)
        upper = upper_bound(inference, stats.level)
        # An undefined bound covers nothing.
        return {"covers": upper is not None and upper >= Decimal(EV_USD) * MICRO}

    rows = (RowSpec(f"H2 upper bound holds the true mean, {family}", "covers", "h2_bound"),)
    return Cell(
        f"h2/bound/{family}", "series", f"H2 bound, {family}", "series", 50, replicate, rows, start=SPACING * number
    )


CELLS: Final = (
    *(
        _coverage(family, "calibrate/h3/dense", 2 * number + (ratio > 0), ratio, "h3_dense")
        for number, family in enumerate(DENSE)
        for ratio in TRUE
    ),
    *(_coverage("skew", "calibrate/h3/skew", int(ratio > 0), ratio, "h3_skew") for ratio in TRUE),
    *(_retention(active, number) for number, active in enumerate((20, 90))),
    *(_bound(family, number) for number, family in enumerate(EV)),
    *(_retained(ratio, number) for number, ratio in enumerate((0, 1, 2, 3, 5, 8))),
)
