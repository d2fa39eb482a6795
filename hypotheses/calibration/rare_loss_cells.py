"""Rare losses that ninety days may not show: how often H1 is robust where the true mean is zero.  [spec README]

A day earns ``1 + z`` times the drift, z standard normal, and with probability q loses m joint losses L at once; the
drift is q m L, so that the true mean is 0.  Two rates: 1 in 150 days, and the least favourable one, at which a window
without a loss earns just over 3 L:

    q = 3.15 / (90 m)        unseen in 90 days with probability (1 - q)^90, about exp(-3.15 / m)

*Robust* has the conditions that a series has: ratio, N1, bootstrap, joint loss.  N2 and N3 need signals, so the share
is an upper bound of the engine's.  Its price: the share of robust windows at a true Sharpe ratio, by the size of L in
daily standard deviations.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from engine.constraints.codes import CODES
from engine.records import FloatArray, IntArray
from hypotheses import h1
from hypotheses.base import RunData, Sleeve
from hypotheses.calibration.base import Cell, CellColumns, Context, RowSpec
from hypotheses.calibration.distributions import BLOCK, CAPITAL_MICRO, DAYS, drift, money
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.sleeves import FIRST_DAY
from hypotheses.exposure import Exposure

MULTIPLES: Final = (0.5, 1.0, 2.0, 5.0)
"""A rare loss in joint losses L."""
RATES: Final = ("1 in 150 days", "least favourable")
MARGIN: Final = 1.05
"""By how much a window without a loss earns more than 3 L, at the least favourable rate."""
LOSS_USD: Final = 15_000.0
"""L; what is judged does not depend on it, for all scales with it."""
PRICES: Final = (5, 8, 12)
SIZES: Final = (3, 6, 10, 20)
STREAM: Final = "calibrate/n1/skew"
SPACING: Final = 2_500
FIRST: Final = 10_000
"""The first replicate here: those before it are the cell of skewness."""
PRICE_START: Final = 60_000
SERIES_LACKS: Final = frozenset(("N2 not run", "N3 not run"))
UNSEEN: Final = "ninety days cannot see it"


def rate(multiple: float, name: str) -> float:
    """Return the probability of a rare loss of so many joint losses on one day.

    >>> round(rate(1.0, "least favourable"), 4), round(rate(5.0, "least favourable"), 4)
    (0.035, 0.007)
    """
    return 1.0 / 150.0 if name == RATES[0] else 3.0 * MARGIN / (DAYS * multiple)


def rare_losses(draw: Draw, multiple: float, q: float) -> FloatArray:
    """Return 90 days in joint losses, shape ``[90]``: a steady gain with rare losses, true mean 0."""
    gain = q * multiple
    return np.asarray(gain * (1.0 + draw.normals(DAYS)) - np.where(draw.uniforms(DAYS) < q, multiple, 0.0))


def judge(context: Context, x: IntArray, loss_micro: int) -> dict[str, float]:
    """Return whether a series supports H1 with N1 alone, and whether it is robust in all that a series has.

    ``x`` is the profit of each day, shape ``[90]``, ``loss_micro`` the joint loss, micro-USD.
    """
    run = RunData(
        day=FIRST_DAY + np.arange(DAYS, dtype=np.int64),
        has_data=np.ones(DAYS, dtype=np.bool_),
        block=BLOCK,
        portfolio=Sleeve("", x, x, CAPITAL_MICRO),
        sleeves=(),
        signals=pd.DataFrame(),
        trades=pd.DataFrame(),
        missing={},
    )
    exposure = Exposure(loss_micro, {}, dict.fromkeys(("", *CODES), DAYS), {})
    found = h1.evaluate_placed(run, context.stats, context.streams, None, exposure)
    return {"supported": found.registered, "robust": found.registered and set(found.failed_conditions) <= SERIES_LACKS}


def _rare(multiple: float, name: str, number: int) -> Cell:
    q = rate(multiple, name)

    def replicate(context: Context, r: int) -> CellColumns:
        days = LOSS_USD * rare_losses(Draw(context.seeds, STREAM, r), multiple, q)
        return judge(context, np.rint(days * 1e6).astype(np.int64), round(LOSS_USD * 1e6))

    what = f"mean 0, rare loss of {multiple:g} L, {name}"
    # A larger loss than L is shown and not limited: the joint loss is no bound on it.
    limit, robust = ("rare_loss", "H1 robust") if multiple <= 1.0 else ("", f"H1 robust ({UNSEEN})")
    rows = (RowSpec(f"{robust}, {what}", "robust", limit), RowSpec(f"H1 supported with N1, {what}", "supported"))
    start = FIRST + SPACING * number
    return Cell(f"rare/{multiple:g}/{RATES.index(name)}", "series", what, "series", 100, replicate, rows, start=start)


def _price(context: Context, r: int) -> CellColumns:
    noise = Draw(context.seeds, "calibrate/power", r).normals(DAYS)
    return {
        f"{ratio}/{size}": judge(context, money(noise + drift(ratio)), int(money(np.array([float(size)]))[0]))["robust"]
        for ratio in PRICES
        for size in SIZES
    }


CELLS: Final = (
    *(
        _rare(multiple, name, len(MULTIPLES) * k + number)
        for k, name in enumerate(RATES)
        for number, multiple in enumerate(MULTIPLES)
    ),
    Cell(
        "rare/price",
        "series",
        "what robustness costs: normal days, by true Sharpe ratio and joint loss",
        "documents",
        25,
        _price,
        tuple(
            RowSpec(f"H1 robust, true Sharpe ratio {ratio}, L of {size} daily standard deviations", f"{ratio}/{size}")
            for ratio in PRICES
            for size in SIZES
        ),
        start=PRICE_START,
    ),
)
