"""The window if every expiry without a known price had settled by the first index after it.  [venues V2]

A position whose settlement price is not known ended before the venue began to average.  The other way is what this
program did before: the index of the first grid time at or after 08:00 UTC, which is off by as much as `MEASURED` says.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.results.metrics import sharpe
from backtest.results.tables import read_table
from engine.constraints.codes import CODES
from engine.exact.sums import returns
from engine.records import IntArray
from engine.units import MICRO
from hypotheses.base import RunData
from hypotheses.load import read_json
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable

NAME: Final = "deliveries.json"
MEASURED: Final = (
    "The first index after an expiry is no settlement price: against the mean over the window it was off by 5.3 bps in "
    "the median, 14.6 at p90 and 70 at most on minutes, by 41, 98 and 264 on six-hourly snapshots (venues V2; "
    "`benchmarks/venue_delivery.py` measures it on minutes)."
)

COLUMNS = (
    Column("series", "series", "text"),
    Column("trades", "trades that rest on a gap", "count"),
    Column("net", "net before capital, USD", "usd"),
    Column("other", "net by the first index after 08:00, USD", "usd"),
    Column("sharpe", "Sharpe after capital", "ratio"),
    Column("other_sharpe", "Sharpe by the first index after 08:00", "ratio"),
)


def build(judged: JudgedRun) -> Part:
    """Return a row for the portfolio and each constraint with a trade that rests on a gap; a note where none does."""
    path = judged.folder / NAME
    gaps = read_json(path)["gaps"] if path.exists() else None
    if gaps is None:
        return Part((), ("not computed: this run does not say by what its expiries were settled.",))
    if not gaps:
        return Part((), ("No figure rests on an expiry without a settlement price.",))
    accruals = read_table(judged.folder / "accruals.parquet")
    frames = {code: [gap for gap in gaps if gap["constraint"] == code] for code in CODES}
    rows = [_row(judged.run, "portfolio", gaps, accruals)]
    rows += [_row(judged.run, code, of_code, accruals) for code, of_code in frames.items() if of_code]
    caption = "Expiries without a settlement price: ended before the window, and by the first index after 08:00 UTC"
    return Part((SensitivityTable(caption, COLUMNS, tuple(rows)),), (MEASURED,))


def _row(run: RunData, series: str, gaps: list[dict[str, Any]], accruals: pd.DataFrame) -> dict[str, Any]:
    sleeve = run.portfolio if series == "portfolio" else next(s for s in run.sleeves if s.code == series)
    own = accruals[accruals["signal_id"].isin([gap["signal_id"] for gap in gaps])]
    change = np.zeros(run.n, dtype=np.int64)
    np.add.at(change, own["day"].to_numpy(np.int64) - run.day[0], -own["usd_micro"].to_numpy(np.int64))
    days = np.array([pair for gap in gaps for pair in gap["first_index"]], dtype=np.int64).reshape(-1, 2)
    # A life that ends after the window has ended with it.
    np.add.at(change, np.minimum(days[:, 0] - run.day[0], run.n - 1), days[:, 1])
    capital = Fraction(sleeve.capital_micro)
    return {
        "series": series,
        "trades": len(gaps),
        "net": int(sleeve.profit.sum()) / MICRO,
        "other": int((sleeve.profit + change).sum()) / MICRO,
        "sharpe": _ratio(sleeve.x, capital),
        "other_sharpe": _ratio(sleeve.x + change, capital),
    }


def _ratio(x: IntArray, capital: Fraction) -> float | None:
    ratio = sharpe(returns(x, capital))
    return None if ratio is None else float(ratio)
