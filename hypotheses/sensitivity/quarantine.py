"""The window without the signals that lean on quarantined quotes: its series, its modelled EV and its N2.  [S1.5]

A signal leans on them if it has a leg at a venue of whose coin quarantine kept a quote out.  N2 is drawn again of the
signals that are left: the same days, stream and number of draws, the registered capital charge on all capital.  Their
other places stand in the run; what is left out is the signal, wherever it is put.  Exploratory: the p(N2) of the
verdict is that of all signals.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pandas as pd

from backtest.results.tables import read_table
from engine.exact.decimals import of_float
from engine.records import IntArray
from engine.units import MICRO
from hypotheses.base import RunData
from hypotheses.capacity_windows import daily
from hypotheses.load import read_json
from hypotheses.permutation_nulls import STREAM, n2, placed_signals
from hypotheses.records import PermutationNull
from hypotheses.sensitivity.base import JudgedRun

QUARANTINE = ("crossed", "non_positive", "far_from_median", "unit_change")


@dataclass(frozen=True, slots=True)
class QuarantineWindow:
    """A window under another rule: its series, the numbers of its days, the mean daily EV in USD."""

    run: RunData
    keep: IntArray
    ev_usd: Decimal

    @property
    def key(self) -> bytes:
        """The series of the three verdicts as bytes: equal for rules that do not change them."""
        return self.run.portfolio.x.tobytes() + self.keep.tobytes()


def suspect_venues(judged: JudgedRun) -> set[tuple[str, str]]:
    """Return the (coin, venue) pairs with a quarantined quote."""
    path = judged.folder / "quality.json"
    rows = read_json(path)["rows"] if path.exists() else []
    return {(row["underlying"], row["venue"]) for row in rows if any(row["counts"].get(name) for name in QUARANTINE)}


def leaning_on(run: RunData, suspect: Set[tuple[str, str]]) -> set[str]:
    """Return the ids of the signals with a leg at one of the (coin, venue) ``suspect``."""
    legs = zip(run.signals["signal_id"], run.signals["underlying"], run.signals["legs"], strict=True)
    return {name for name, coin, all_ in legs if any((coin, leg["book"].split(":")[0]) in suspect for leg in all_)}


def window_without(judged: JudgedRun, gone: Set[str]) -> QuarantineWindow:
    """Return the window without the signals ``gone``: all days stay, and the modelled EV is optimised anew."""
    run, params = judged.run, judged.registration.params
    accruals = read_table(judged.folder / "accruals.parquet")
    accruals = accruals[accruals["signal_id"].isin(gone)]
    sleeves = []
    for sleeve in run.sleeves:
        rows, lost = accruals[accruals["constraint"] == sleeve.code], np.zeros(run.n, dtype=np.int64)
        np.add.at(lost, rows["day"].to_numpy(np.int64) - run.day[0], rows["usd_micro"].to_numpy(np.int64))
        sleeves.append(replace(sleeve, profit=sleeve.profit - lost, x=sleeve.x - lost))
    profit, x = (np.asarray(sum(getattr(s, name) for s in sleeves)) for name in ("profit", "x"))
    left = replace(
        run,
        sleeves=tuple(sleeves),
        portfolio=replace(run.portfolio, profit=profit, x=x),
        signals=_left(run.signals, gone),
    )
    # Anew: with fewer signals on a book the others may take more of it.
    ev = daily(left, of_float(params.target_notional_usd), params.refill_window_ns).joint
    return QuarantineWindow(left, np.arange(run.n), Decimal(int(ev.sum())) / run.n / MICRO)


def n2_without(judged: JudgedRun, gone: Set[str]) -> PermutationNull | None:
    """Return N2 without the signals ``gone``; None without placements, or if no signal is left.  [statistics 3.3]"""
    run, stats, left = judged.run, judged.registration.stats, judged.run.placements
    if left is None:
        return None
    left = replace(left, placed=_left(left.placed, gone), unplaced=_left(left.unplaced, gone))
    moves = placed_signals(replace(run, trades=_left(run.trades, gone), placements=left), stats)
    if moves is None:
        return None
    # The charge of the whole window: leaving signals out frees no capital.
    return n2(moves, run.portfolio.profit - run.portfolio.x, run.block, stats, judged.streams(STREAM))


def _left(table: pd.DataFrame, gone: Set[str]) -> pd.DataFrame:
    return table[~table["signal_id"].isin(gone)]
