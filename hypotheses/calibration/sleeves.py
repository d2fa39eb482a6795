"""Seven drawn sleeves as a run's window, judged by H3 itself.  [S9.H3]"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from engine.constraints.codes import CODES
from engine.records import IntArray
from hypotheses import h3
from hypotheses.base import RunData, Sleeve
from hypotheses.calibration.base import CellColumns, Context
from hypotheses.calibration.distributions import BLOCK, CAPITAL_MICRO, DAYS
from hypotheses.exposure import Exposure
from hypotheses.records import Answer, Status

FIRST_DAY: Final = 20_000
"""Any day: nothing here depends on the calendar."""


def traded(count: int) -> Exposure:
    """Return ``count`` dislocations of each constraint whose positions could lose nothing: for cells without stress."""
    return Exposure(0, {}, dict.fromkeys(("", *CODES), DAYS), dict.fromkeys(CODES, count))


def window(profit: Sequence[IntArray], trades_each: int) -> RunData:
    """Return a window of seven sleeves without a charge, each with ``trades_each`` resolved trades.

    ``profit`` holds the daily profit of each sleeve, shape ``[90]``, micro-USD.
    """
    sleeves = tuple(
        Sleeve(code, np.asarray(x), np.asarray(x), CAPITAL_MICRO // len(CODES))
        for code, x in zip(CODES, profit, strict=True)
    )
    whole = np.sum(np.stack(profit), axis=0)
    # The floor counts trades; what they earned is in the profit already.
    trades = pd.DataFrame({"constraint": np.repeat(CODES, trades_each), "status": "traded"})
    return RunData(
        day=FIRST_DAY + np.arange(DAYS, dtype=np.int64),
        has_data=np.ones(DAYS, dtype=np.bool_),
        block=BLOCK,
        portfolio=Sleeve("", whole, whole, CAPITAL_MICRO),
        sleeves=sleeves,
        signals=pd.DataFrame(),
        trades=trades,
        missing={},
    )


def judge_sleeves(context: Context, profit: Sequence[IntArray]) -> CellColumns:
    """Return how many sleeves H3 retains, out of how many that met the floor, and whether H3 is supported.

    ``profit`` holds the daily profit of each sleeve, shape ``[90]``, micro-USD.
    """
    verdict = h3.evaluate(window(profit, 30), context.stats, context.streams, traded(30))
    kept = sum(row.status is Status.RETAIN for row in verdict.constraints)
    enough = sum(row.status is not Status.INSUFFICIENT for row in verdict.constraints)
    return {"retained": kept, "retained/of": enough, "all": verdict.answer is Answer.SUPPORTED}
