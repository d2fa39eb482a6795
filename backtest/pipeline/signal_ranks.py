"""Gives signals the ranks of their dated legs at their decisions.  [docs/decisions/0676]

The replay noted those of the window; those of training trades, which no ledger has, are read from the data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.panels import reader
from backtest.folds.curve_study import empty_history
from backtest.pipeline.window import WindowRun
from backtest.records import Plan, Registration
from backtest.tasks.scheduler import OnStep
from engine.market.view import prepare
from engine.params import Params
from engine.positions.base import Signal
from engine.records import ByteArray, FloatArray, IntArray
from engine.repricing.base import SourceSignals, source_signals
from engine.repricing.contract_mapping import has_dated_leg, with_ranks

LegRanks = tuple[IntArray, ByteArray, FloatArray]
"""Rank, need and ratio of the legs of one signal, each of shape (LEGS,): those of `ContractRanks`."""


def ranks_by_id(run: WindowRun) -> dict[str, LegRanks]:
    """Return the ranks of every signal of the window by its id."""
    return {
        signal.signal_id: (block.ranks.rank[n], block.ranks.need[n], block.ranks.ratio[n])
        for block in run.blocks
        for n, signal in enumerate(block.signals)
    }


def sources_of(signals: Sequence[Signal], ranks: Mapping[str, LegRanks], params: Params) -> SourceSignals:
    """Return ``signals`` in columns with the ``ranks`` of their legs, by signal id."""
    sources = source_signals(signals, params)
    if not signals:
        return sources
    rank, need, ratio = (np.stack(column) for column in zip(*(ranks[s.signal_id] for s in signals), strict=True))
    return replace(sources, rank=rank, need=need, ratio=ratio)


def anchor_signals(
    dataset: Dataset,
    registration: Registration,
    _on_step: OnStep,
    underlying: str,
    plan: Plan,
    signals: tuple[Signal, ...],
) -> SourceSignals:
    """Return ``signals`` in columns with the rank of each dated leg: a task of `backtest.tasks.scheduler`."""
    params = registration.params
    sources = source_signals(signals, params)
    dated = has_dated_leg(sources, dataset.instruments)
    if not dated.any():
        return sources
    # A row of a view depends on its own grid time only, so the other grid times need not be read.
    times_ns = np.unique(sources.t_ns[dated])
    for panel in reader.panels(dataset, underlying, plan.t0_ns, plan.t1_ns, times_ns=times_ns):
        which = np.flatnonzero(dated & np.isin(sources.t_ns, panel.times_ns))
        sources = with_ranks(sources, prepare(panel, params, empty_history(params, underlying)), which)
    return sources
