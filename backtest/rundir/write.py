"""Writes a run directory: inputs and results, each file repeatable from the others.  [S8.6]

    runs/<id>/  manifest.json registration.toml data.json seeds.lock ledger/{emit,resolution}.jsonl
                folds/{00..09,history}/{signals,trades}.parquet folds/NN/fitted.json folds.json
                accruals.parquet returns.parquet curves.parquet funnel.json coverage.json coverage_days.json
                quality.json deliveries.json [recovery.json] [gaps.json] [forced_exits.json]

``recovery.json`` is of a synthetic market with its planted truth, ``gaps.json`` of a recording, ``forced_exits.json``
of a plan with covenants over its book.  Verdicts, sensitivities and pages join them, and last of all ``files.sha256``,
the listing (`backtest.rundir.checksums`).

The id is the hash of the inputs, so the same inputs name the same run.  The folder appears whole or not at all.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from backtest import environment
from backtest.data.format.atomic_write import write_folder
from backtest.data.format.dataset import Dataset
from backtest.gate.freeze.seal import PREREG
from backtest.gate.run_mode import UNCHECKED, RunMode, analysis_id
from backtest.pipeline.window import WindowRun
from backtest.records import Plan, Registration
from backtest.results import curves
from backtest.results.ledger import Ledger
from backtest.results.margin import margin_in_use
from backtest.results.returns import daily_table, days_of, open_at_day_ends
from backtest.results.tables import accruals_table, frame, signals_table, trades_table
from backtest.rundir import counts, deliveries, gaps, recovery
from backtest.rundir.files import FORCED_EXITS
from backtest.rundir.ledgers import build_ledgers
from backtest.rundir.staging import staged_path
from backtest.seeds.streams import Seeds
from engine.freeze import engine_hash
from engine.ledger.format.canonical_json import canonical, tagged_hash
from engine.units import NS_PER_SECOND


def write_run(
    run: WindowRun, dataset: Dataset, seeds: Seeds, out: Path, run_mode: RunMode = UNCHECKED, *, staged: bool = False
) -> Path:
    """Write the run directory below ``out`` and return its path; a directory of the same id is replaced whole.

    If ``staged`` it is written beside that one, which stays until `backtest.rundir.staging.publish`.
    Raises ``WriteError`` (5) if the disk refuses; nothing half-written is left then.
    """
    files = run_files(run, dataset, seeds, run_mode)
    name = str(json.loads(files["manifest.json"])["id"])
    return write_folder(staged_path(out, name) if staged else out / name, files)


def run_files(run: WindowRun, dataset: Dataset, seeds: Seeds, run_mode: RunMode = UNCHECKED) -> dict[str, bytes]:
    """Return every file of the run directory by its relative path."""
    registration, seal = run.registration, _seal(run.registration, dataset, seeds, run_mode)
    ledgers = build_ledgers(run, seal)
    quality = counts.quality(run)
    codes = tuple(registration.params.rules)
    trades = frame(trades_table(run.trades))
    returns = daily_table(
        frame(accruals_table(run.trades)),
        days_of(run.plan),
        registration.params,
        counts.days_with_data(run.blocks),
        open_at_day_ends(trades, run.plan),
        counts.stale_legs(run),
    ).assign(**margin_in_use(run.trades, run.instruments, registration.params, run.plan))
    return {
        "manifest.json": _json(manifest(run, dataset, seeds, ledgers, counts.quarantined(quality), run_mode)),
        "registration.toml": registration.text.encode(),
        "data.json": canonical(dict(dataset.manifest)) + b"\n",
        "seeds.lock": canonical(dict(seeds.content)) + b"\n",
        **{f"ledger/{kind}.jsonl": b"".join(ledger.lines) for kind, ledger in ledgers.items()},
        **_fold_files(run),
        "folds.json": _json(_folds(run)),
        "accruals.parquet": _parquet(accruals_table(run.trades)),
        "returns.parquet": _parquet(pa.Table.from_pandas(returns, preserve_index=False)),
        curves.NAME: _parquet(curves.curves_table(run.curves, registration.params)),
        "funnel.json": _json(counts.funnel(run)),
        "coverage.json": _json(counts.coverage(run)),
        "coverage_days.json": _json(counts.coverage_by_day(run.blocks, run.plan, codes)),
        "quality.json": _json(quality),
        deliveries.NAME: _json(deliveries.deliveries(run)),
        **({FORCED_EXITS: _json(_orders(run))} if "covenants" in registration.content else {}),
        **({} if (recovered := recovery.recovery(run, dataset)) is None else {recovery.NAME: _json(recovered)}),
        **({} if (declared := gaps.declared(dataset, run.plan)) is None else {gaps.NAME: _json(declared)}),
    }


def _orders(run: WindowRun) -> list[dict[str, Any]]:
    """Return the orders from outside that the run had, by time."""
    return [asdict(order) | {"reason": order.reason.value} for order in run.registration.params.forced_exits]


def _seal(registration: Registration, dataset: Dataset, seeds: Seeds, run_mode: RunMode) -> dict[str, str | None]:
    return {
        "study": registration.study,
        "prereg": PREREG,
        "freeze_hash": run_mode.freeze_hash,
        "engine_hash": engine_hash(),
        "config_hash": registration.config_hash,
        "dataset_hash": dataset.dataset_hash,
        "seeds_hash": seeds.seeds_hash,
    }


def run_id(
    registration: Registration, plan: Plan, dataset: Dataset, seeds: Seeds, run_mode: RunMode = UNCHECKED
) -> str:
    """Return the name of a run: its study, the start of its window, and a hash of all that went in.

    A replication has a name of its own beside the first run's.
    """
    seal = _seal(registration, dataset, seeds, run_mode)
    # With the window: the windows of one plan have the same seal.
    inputs = {**seal, "t0_us": plan.t0_ns // 1000, "t1_us": plan.t1_ns // 1000}
    # Its inputs are those of the first run, and so is its hash.
    again = f"-r{run_mode.replication}" if run_mode.replication else ""
    return f"{registration.study}-{_date(plan.t0_ns)}-{tagged_hash('config', canonical(inputs))[:12]}{again}"


def manifest(
    run: WindowRun,
    dataset: Dataset,
    seeds: Seeds,
    ledgers: Mapping[str, Ledger],
    quarantined: int,
    run_mode: RunMode,
) -> dict[str, Any]:
    """Return the manifest: what names the run and what it was made with.  Machine facts are in no digest.

    A replication has a directory of its own beside the first run's, and the same digest.
    """
    registration, source = run.registration, environment.source()
    seal = _seal(registration, dataset, seeds, run_mode)
    return {
        **seal,
        **run_mode.facts,
        "id": run_id(registration, run.plan, dataset, seeds, run_mode),
        "title": registration.title,
        "synthetic": dataset.synthetic,
        "mode": run_mode.mode,
        "deviations": list(run_mode.deviations),
        "registration": seal["config_hash"],
        "engine_seal": seal["engine_hash"],
        "data": seal["dataset_hash"],
        "seeds": seal["seeds_hash"],
        "analysis_id": analysis_id(registration, run.plan),
        "window": {"start": _date(run.plan.t0_ns), "end": _date(run.plan.t1_ns)},
        "ledgers": {kind: ledger.facts() for kind, ledger in ledgers.items()},
        "checkpoints": None,
        "quarantined": quarantined,
        "amendments": list(registration.amendments),
        "capital_usd": registration.params.capital_usd,
        "claims": {
            "sharpe": str(registration.stats.sharpe_claim),
            "ev_usd": registration.stats.ev_claim_usd,
            "alpha": str(registration.stats.alpha),
        },
        "cannot_say": list(registration.data.cannot_say),
        "sources": [asdict(note) for note in dataset.sources],
        "lock_sha256": environment.lock_sha256(),
        **source,
        # The gate found a confirmatory checkout clean; opening the look has since changed a file of it.
        "clean": run_mode.mode == "confirmatory" or source["clean"],
        "versions": environment.versions(),
        "machine": environment.machine(),
        "kernels": environment.kernels(),
    }


def _fold_files(run: WindowRun) -> dict[str, bytes]:
    capture = {fit.fold: fit.capture for fit in run.fitted}
    files = {"folds/history/trades.parquet": _parquet(trades_table(run.history))}
    for fit in run.fitted:
        trades = [trade for trade in run.trades if trade.position.signal.fold == fit.fold]
        signals = [signal for signal in run.signals if signal.fold == fit.fold]
        folder = f"folds/{fit.fold:02d}"
        files[f"{folder}/signals.parquet"] = _parquet(signals_table(signals, run.instruments, capture))
        files[f"{folder}/trades.parquet"] = _parquet(trades_table(trades))
        files[f"{folder}/fitted.json"] = _json(_known(asdict(fit)))
    return files


def _folds(run: WindowRun) -> dict[str, Any]:
    return {
        "history_ns": run.plan.history_ns,
        "gap_ns": run.plan.gap_ns,
        "folds": [
            {
                "fold": fold.index,
                "start_ns": fold.start_ns,
                "end_ns": fold.end_ns,
                "train": len(fold.train),
                "test": len(fold.test),
                "capture": dict(fit.capture),
                "curve": {name: _known(asdict(curve)) for name, curve in sorted(fit.curve.items())},
            }
            for fold, fit in zip(run.folds, run.fitted, strict=True)
        ],
    }


def _known(value: Any) -> Any:
    """Return ``value`` with None for NaN: a curve that is not identified has no mean and no spread."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    return None if isinstance(value, float) and value != value else value


def _date(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns // NS_PER_SECOND, UTC).date().isoformat()


def _json(value: Any) -> bytes:
    # Keys sorted and no NaN, which is no JSON: the bytes are listed by hash and read by other programs.
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
