"""The emit and resolution ledgers of a backtest: the same records and rows as live ones, without a clock.  [audit 4, 5]

``mode`` is ``backtest`` and every ``recorded_at_us`` null, so a rebuild from the same data gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtest.pipeline.window import WindowRun
from backtest.results.ledger import Ledger, geneses_of
from backtest.results.tables import ev_usd
from engine.ledger.chain import append, open_ledger
from engine.ledger.identify import provenance_of
from engine.ledger.provenance import resolution_record, signal_record


def build_ledgers(run: WindowRun, seal: Mapping[str, str | None]) -> dict[str, Ledger]:
    """Return the ``emit`` and the ``resolution`` ledger of the window; a resolution names the row of its signal.

    ``seal`` holds ``study, prereg, freeze_hash, engine_hash, config_hash, dataset_hash, seeds_hash``.
    """
    geneses = geneses_of(seal)
    emit, rows = _write(geneses["emit"], "signal", _signals(run))
    resolutions = [resolution_record(trade, rows[trade.position.signal.signal_id]) for trade in run.trades]
    resolution, _ = _write(geneses["resolution"], "resolution", resolutions)
    return {"emit": emit, "resolution": resolution}


def _signals(run: WindowRun) -> list[dict[str, Any]]:
    capture = {fit.fold: fit.capture for fit in run.fitted}
    return [
        signal_record(
            signal,
            provenance_of(signal, run.instruments, plan.params, plan.judging_hash),
            ev_usd(signal, capture[signal.fold][signal.constraint]),
        )
        for signal, plan in ((signal, run.plan_at(signal.t_ns)) for signal in run.signals)
    ]


def _write(
    genesis: Mapping[str, Any], kind: str, records: Sequence[Mapping[str, Any]]
) -> tuple[Ledger, Mapping[str, str]]:
    """Return the ledger of ``records`` and the row hash of each of its ids."""
    head, first = open_ledger(genesis)
    done = append(head, kind, records)
    return Ledger(head.ledger_id, (first, *done.lines), done.head.row_hash), done.head.rows
