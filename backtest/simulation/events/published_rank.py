"""E8: do published ranks explain the closings that were made?  A hypothesis to test, no rule.  [risk.md 21, 9.3]

Single events of one coin, side and time are one batch.  A queue closes an account's position whole before it touches
the next one, so a batch contradicts a rank if an account that was closed in part stands before one that was closed.
Batches of one account, and batches that were closed whole, contradict no rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.events.adl_waves import read_single_events
from backtest.simulation.events.deleveraging_policies import event_winners
from backtest.simulation.result import RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import PublishedRank, table_of
from backtest.simulation.source_files import SourceFiles
from engine.venue.auto_deleveraging import RANK_RULES, ranks

WHOLE = 1 - 1e-9
MAINTENANCE_PPM = 12_500
CANNOT_SAY = (
    "480 events of 34,983, selected by extreme leverage: who was spared is not in the file.",
    "Equities are a reconstruction, with a fault that its authors corrected later; no contradiction proves a rule.",
)


def measure(task: SimulationTask) -> SimulationResult:
    """Return, by rank, how many batches can contradict it and how many do.  Errors as `SourceFiles.table`."""
    files = SourceFiles(task.data_root, table_of(task.plan, PublishedRank).folder)
    events = read_single_events(files)
    events = events.assign(is_long=events["position_size"] > 0)
    batches = [batch for _, batch in events.groupby(["coin", "time", "is_long"], sort=True) if len(batch) > 1]
    telling = [batch for batch in batches if _parts(batch).min() < WHOLE]
    found = {name: len([batch for batch in telling if contradicts(batch, name)]) for name in RANK_RULES}
    figures: dict[str, Any] = {
        "events": len(events), "batches_of_several": len(batches), "batches_that_tell": len(telling),
        "equities_not_positive": int((events["total_equity"] <= 0).sum()), "contradicted": found,
    }  # fmt: skip
    table = pd.DataFrame([{"rank": name, "tell": len(telling), "contradicted": n} for name, n in found.items()])
    return SimulationResult(figures, {"ranks": table}, dict.fromkeys(figures, RECOMPUTED), files.digests, CANNOT_SAY)


def contradicts(batch: pd.DataFrame, rule: str) -> bool:
    """Return whether an account closed in part stands before another one that was closed.

    ``batch`` has the columns of the single events, rows [accounts]; ``rule`` is a name of `RANK_RULES`.
    """
    order = ranks(event_winners(batch, MAINTENANCE_PPM), rule)
    part = _parts(batch)[order]
    # All but the last account of a queue are closed whole.
    return bool((part[:-1] < WHOLE).any())


def _parts(batch: pd.DataFrame) -> np.ndarray:
    return (batch["adl_size"] / batch["position_size"].abs()).to_numpy()
