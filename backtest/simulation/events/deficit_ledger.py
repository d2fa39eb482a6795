"""E2: deficits that a published table lists wave by wave, booked in a ledger that closes.  [risk.md 21, I1]

The table names no accounts.  The largest loser of a wave is identified by its deficit to the last printed digit: one
amount of eight digits and nine decimals in nine waves is one account that was not settled between them.  What a wave
lists besides its largest loser is one account of that wave.  A deficit is paid once: after it the account is at zero,
and a later listing finds nothing to pay.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from backtest.simulation.result import READ, RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import DeficitLedger, table_of
from backtest.simulation.source_files import SourceFiles, total
from engine.errors import DataError
from engine.venue.base import State, VenueParams, no_ints
from engine.venue.integers import Ints, exact_sum
from engine.venue.invariants import ledger_closes

FILE = "bad_debt_loser_waves.csv"
QUANTA = 1_000_000_000
"""Quanta a USD: the table prints nine decimals."""


def measure(task: SimulationTask) -> SimulationResult:
    """Return the published sum of deficits, and what a ledger pays.  Errors as `SourceFiles.table`."""
    files = SourceFiles(task.data_root, table_of(task.plan, DeficitLedger).folder)
    figures, waves = book_waves(files)
    layers = dict.fromkeys(figures, RECOMPUTED) | {"deficit_published_usd": READ}
    return SimulationResult(figures, {"waves": waves}, layers, files.digests, CANNOT_SAY)


CANNOT_SAY = (
    "The table names no accounts: that equal amounts are one account is inferred from all digits being equal.",
    "Who bore the deficits is not in the table; here one payer does.",
)


def book_waves(files: SourceFiles) -> tuple[dict[str, float | int], pd.DataFrame]:
    """Return the figures, and a row a wave: listed and paid deficit, USD.

    Raises `DataError` (4) for a largest loss above a wave's deficit, or a ledger that does not close.
    """
    table = files.table(FILE, ("wave", "deficit_usd", "max_loss_usd"))
    amounts = table["deficit_usd"].tolist(), table["max_loss_usd"].tolist()
    owed: dict[str, int] = {}
    listed: list[list[str]] = []
    for row, (deficit, largest) in enumerate(zip(*amounts, strict=True)):
        rest = quanta(deficit) - quanta(largest)
        if rest < 0:
            raise DataError(f"{FILE}: line {row + 2}: expected max_loss_usd <= deficit_usd, was {largest} > {deficit}")
        names = {str(quanta(largest)): quanta(largest)} | ({f"others of row {row}": rest} if rest else {})
        owed |= names
        listed.append(list(names))
    state, place = _opened(owed), {name: i for i, name in enumerate(owed)}
    paid = []
    for members in listed:
        state, covered = _cover(state, [place[name] for name in members])
        broken = ledger_closes(state)
        if broken:
            raise DataError(f"{FILE}: {broken[0]}")
        paid.append(covered / QUANTA)
    waves = table[["wave", "deficit_usd"]].assign(
        wave=table["wave"].astype(int), paid_usd=paid, accounts=[len(names) for names in listed]
    )
    most = max(len([names for names in listed if name in names]) for name in owed)
    return {
        "deficit_published_usd": round(total(table["deficit_usd"]), 2),
        "deficit_once_usd": round(math.fsum(paid), 2),
        "listings_of_one_account": most,
        "waves": len(waves),
    }, waves


def quanta(usd: float) -> int:
    """Return an amount in quanta, half-even."""
    return round(usd * QUANTA)


def _opened(owed: dict[str, int]) -> State:
    """Return accounts whose cash is minus what they owe; the last one is the payer, who has won it.

    Losses and gains of closed positions add up to zero, so net deposits are zero.
    """
    cash = np.array([-amount for amount in owed.values()], dtype=np.int64)
    cash = np.append(cash, -np.int64(exact_sum(cash)))
    nothing = no_ints(0, len(cash))
    return State(0, cash, nothing, nothing, 0, 0, 0, 0, VenueParams(()), (), ())


def _cover(state: State, accounts: list[int]) -> tuple[State, int]:
    """Return the state after the payer lifted accounts to zero, and what that cost."""
    cash: Ints = state.cash.copy()
    asked = np.maximum(-cash[accounts], 0)
    cash[accounts] += asked
    covered = exact_sum(asked)
    cash[-1] -= covered
    return replace(state, cash=cash), covered
