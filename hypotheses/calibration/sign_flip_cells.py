"""Cells of N1 at the level of series: its size on five families, and the power of the registered rule with it.  [S9.H1]

Each replication draws 90 days, cuts them into ten blocks, and asks `hypotheses.statistics.sign_flips.n1` and the
registered rule of `hypotheses.h1_answer`; no formula is copied.  Size: the share of p < 0.05 where the true Sharpe
ratio is 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from engine.constraints.codes import CODES
from engine.exact.sums import returns
from engine.records import IntArray
from hypotheses.calibration.base import Cell, CellColumns, Context, RowSpec
from hypotheses.calibration.distributions import BLOCK, CAPITAL_MICRO, DAYS, FAMILIES, ShapedSeries, drift, money
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.signals import draw_signals
from hypotheses.h1_answer import annualised, registered_answer
from hypotheses.statistics import sharpe
from hypotheses.statistics.inference import infer_sharpe
from hypotheses.statistics.intervals import p_positive
from hypotheses.statistics.sign_flips import block_sums, n1

RATIOS: Final = (0, 1, 2, 3, 5, 8)
"""True annual Sharpe ratios of the power curves.  [statistics 10]"""
SLEEVES: Final = len(CODES)
EDGES: Final = (1, 3, SLEEVES)
"""Constraints that have an edge."""
POWER_START: Final = 10_000
"""The first replicate of ``calibrate/power`` here: those before it are the power table's own."""


def judge(x: IntArray, context: Context) -> dict[str, float]:
    """Return whether N1 rejects, and whether the registered rule with N1 alone is met; ``x`` is ``[90]``, micro-USD."""
    p = n1(block_sums(x, BLOCK))
    ratio = annualised(sharpe.daily(returns(x, Fraction(CAPITAL_MICRO))))
    # Without N2: these series have no signals that could be moved.
    yes, _ = registered_answer(ratio, p, None, context.stats, None)
    return {"n1": p.under(context.stats.alpha), "joint": yes}


def bootstrap_too(x: IntArray, context: Context) -> dict[str, float]:
    """Return the result of `judge`, and whether N1 and the studentised bootstrap p-value both reject.  [statistics 3.4]

    ``x`` is the profit of each day after the charge, shape ``[90]``, micro-USD.
    """
    rejects, series = judge(x, context), returns(x, Fraction(CAPITAL_MICRO))
    stats = context.stats
    inference = infer_sharpe(
        series, stats.bootstrap_draws, context.streams("h1/bootstrap"), stats.bootstrap_discard_share
    )
    p = p_positive(inference)
    both = bool(rejects["n1"]) and p is not None and p.under(stats.alpha)
    return {**rejects, "boot": p is not None and p.under(stats.alpha), "both": both}


def _size(name: str, shape: ShapedSeries, title: str, limit: str) -> Cell:
    def replicate(context: Context, r: int) -> CellColumns:
        return judge(money(shape(Draw(context.seeds, f"calibrate/{name}", r), DAYS)), context)

    row = RowSpec(f"N1 rejects, {title}", "n1", limit)
    return Cell(name, "series", title, "series", 500, replicate, (row,))


def _skewed(context: Context, r: int) -> CellColumns:
    return bootstrap_too(money(FAMILIES["skew"](Draw(context.seeds, "calibrate/n1/skew", r), DAYS)), context)


def _net_zero(context: Context, r: int) -> CellColumns:
    return judge(draw_signals(Draw(context.seeds, "calibrate/n1/net-zero", r), edge=1.0).observed, context)


def _joint(ratio: int) -> Cell:
    stream = f"calibrate/joint/{ratio}"

    def replicate(context: Context, r: int) -> CellColumns:
        return judge(money(FAMILIES["normal"](Draw(context.seeds, stream, r), DAYS) + drift(ratio)), context)

    row = RowSpec(f"joint rule with N1, true Sharpe ratio {ratio}", "joint", f"joint_{ratio}")
    return Cell(
        f"joint/{ratio}", "series", f"power at Sharpe ratio {ratio}, normal days", "series", 500, replicate, (row,)
    )


def _curves(context: Context, r: int) -> CellColumns:
    """Return the joint rule on one draw of seven sleeves for every planted ratio and number of sleeves with an edge."""
    # One noise for all ratios, so that the curve differs by the edge alone.
    noise = FAMILIES["normal"](Draw(context.seeds, "calibrate/power", r), SLEEVES * DAYS).reshape(SLEEVES, DAYS)
    met: dict[str, float] = {}
    for edges in EDGES:
        for ratio in RATIOS:
            sleeves = noise.copy()
            sleeves[:edges] += drift(ratio)
            met[f"edges{edges}/{ratio}"] = judge(money(sleeves.mean(axis=0)), context)["joint"]
    return met


CELLS: Final = (
    _size("n1/zero", FAMILIES["normal"], "zero edge and zero cost, normal days", "n1_zero"),
    _size("n1/ar1", FAMILIES["ar1"], "zero edge, AR(1) 0.3", "n1_ar1"),
    _size("n1/garch", FAMILIES["garch"], "zero edge, GARCH(1,1)", "n1_garch"),
    Cell(
        "n1/net-zero",
        "series",
        "informative signals with net mean zero",
        "series",
        500,
        _net_zero,
        (RowSpec("N1 rejects, informative signals with net mean zero", "n1", "n1_net_zero"),),
    ),
    Cell(
        "n1/skew",
        "series",
        "zero edge, skewness -3.5",
        "series",
        100,
        _skewed,
        (
            RowSpec("N1 rejects, skewness -3.5", "n1", "n1_skew"),
            RowSpec("N1 and the bootstrap p-value reject, skewness -3.5", "both", "n1_skew_both"),
            RowSpec("the bootstrap p-value alone rejects, skewness -3.5", "boot"),
        ),
    ),
    *(_joint(ratio) for ratio in (1, 2, 3, 5)),
    Cell(
        "power/h1",
        "series",
        "power curves of the joint rule with N1, seven sleeves",
        "series",
        250,
        _curves,
        tuple(
            RowSpec(
                f"joint rule with N1: {edges} of {SLEEVES} sleeves with Sharpe ratio {ratio}", f"edges{edges}/{ratio}"
            )
            for edges in EDGES
            for ratio in RATIOS
        ),
        start=POWER_START,
    ),
)
