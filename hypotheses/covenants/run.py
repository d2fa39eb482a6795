"""A covenant study from its plan to a run directory.  [covenants 15, S8.6]

    runs/<id>/  manifest.json study.toml figures.json verdicts.json signals.parquet fits.csv
                equity.parquet accounts.csv curve.csv placebo.csv claims.json august_2024.csv crowding.csv learners.csv

The id comes from what went in: the plan, the bytes of the data, the engine's covenants.  Same inputs, same name, same
bytes; times that a machine took are in ``speed.json``, which no hash of results covers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from backtest.data.format.atomic_write import write_folder
from backtest.simulation.covenant_claims import measure_claims
from backtest.simulation.covenant_config import Study, load_study
from backtest.simulation.covenant_crowding import crowding
from backtest.simulation.covenant_data import PairBars, load_bars
from backtest.simulation.covenant_event import august_2024
from backtest.simulation.covenant_figures import fits_table, headline, signals_table
from backtest.simulation.covenant_learners import compete, replaces
from backtest.simulation.covenant_replay import replay_pair
from backtest.simulation.covenant_signals import Signals
from backtest.simulation.covenant_study import three_way
from engine.freeze import engine_root, tree_hash
from engine.units import NS_PER_SECOND
from hypotheses.covenants.inference import block_length, bootstrap_indices
from hypotheses.covenants.three_way import judge

CANNOT_SAY = (
    "Closes of bars are no executable quotes: fills are at the close with a half-spread, at most 1% of volume.",
    "A breach is seen at a close and executed at the next: lag cost and liquidity cliff are not evaluable.",
    "The covered call is a model's (Black-76 on realised volatility times 1.10), no chain covers these years.",
    "Taker fees and maintenance rates are today's in every year.",
    "The predicted funding rate is the last settled one.",
)  # fmt: skip


@dataclass(frozen=True)
class CovenantRun:
    """What a finished study left: its folder, its figures, and its verdicts (empty unless it is a three-way study)."""

    folder: Path
    figures: dict[str, Any]
    verdicts: dict[str, Any]


def run_study(config: Path, data_root: Path | None, out: Path, progress: Callable[[str], None]) -> CovenantRun:
    """Run the study in ``config`` and write its directory below ``out``; an older one of the same id is replaced.

    Raises `UsageError`, `MissingError` or `DataError` before anything is written, `WriteError` where the disk refuses.
    """
    study = load_study(config)
    progress("data")
    bars = load_bars(study, data_root)
    first = bars.index_at(study.start_ns)
    progress("covenants")
    tables, documents, main = _results(study, bars, first, progress)
    figures = headline(main) | documents.pop("figures", {})
    name, manifest = _manifest(study, bars, data_root, main)
    verdicts = documents.get("verdicts.json", {})
    figures |= _claims_of(verdicts)
    files = {
        "manifest.json": _json(manifest),
        "study.toml": study.text.encode(),
        "figures.json": _json(figures),
        **{file: _json(content) for file, content in documents.items()},
        **{file: _bytes(file, table) for file, table in tables.items()},
    }
    return CovenantRun(write_folder(out / name, files), figures, verdicts)


def _results(
    study: Study,
    bars: PairBars,
    first: int,
    progress: Callable[[str], None],
) -> tuple[dict[str, pd.DataFrame], dict[str, Any], Signals]:
    if study.kind == "three_way":
        found = three_way(study, bars, first, progress)
        progress("verdicts")
        verdicts = judge(found.equity, found.placebo, found.curve, study.bootstrap_draws, study.seed_text)
        tables = {
            "equity.parquet": found.equity, "accounts.csv": found.facts, "curve.csv": found.curve,
            "placebo.csv": found.placebo,
        }  # fmt: skip
        documents: dict[str, Any] = {"verdicts.json": verdicts, "speed.json": found.speed}
        main = found.main
        progress("remaining claims")
        documents["claims.json"] = measure_claims(study, bars, main)
        tables["crowding.csv"] = crowding(study.seed_text)
        event = august_2024(study, bars, main)
        tables |= {"august_2024.csv": event} if len(event) else {}
    else:
        replayed = replay_pair(study, bars, first)
        tables, documents, main = {"equity.parquet": replayed.equity, "accounts.csv": replayed.facts}, {}, replayed.main
    if study.learner_every:
        progress("learners")
        tables |= _learners(study, main)
    return {"signals.parquet": signals_table(main, bars), "fits.csv": fits_table(main), **tables}, documents, main


def _learners(study: Study, main: Signals) -> dict[str, pd.DataFrame]:
    """Return the losses of every engine by block, and which of them the rule lets replace the closed form."""
    losses = compete(main, study.learner_every)
    # A study shorter than a training window has no block out of sample.
    if losses.empty:
        return {}
    indices = bootstrap_indices(len(losses), 2000, block_length([losses["closed_form"].to_numpy()]), study.seed_text)
    return {"learners_blocks.csv": losses, "learners.csv": replaces(losses, indices)}


def _claims_of(verdicts: dict[str, Any]) -> dict[str, Any]:
    """Return C1 and C2 for the figures: the equal-weight mean against a and every placebo, orientations beside it."""
    if not verdicts:
        return {}
    main = verdicts["readings"]["main"]
    return {
        claim: {
            "verdict": verdicts["headline"][claim],
            **{view: {opponent: table[claim] for opponent, table in main[view].items()} for view in main},
        }
        for claim in ("C1", "C2")
    }


def _manifest(study: Study, bars: PairBars, data_root: Path | None, main: Signals) -> tuple[str, dict[str, Any]]:
    # Synthetic bars have no file: their seed is in the plan.
    sources = {name: _digest(data_root / name) for name in bars.sources} if data_root else {}
    # The covenants' family alone: a change of another leaves the name of the run.  [spec README "Records"]
    seal = tree_hash(engine_root() / "covenants")
    inputs = {"config": sha256(study.text.encode()).hexdigest(), "covenants_seal": seal, "sources": sources}
    code = sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
    name = f"{study.study}-{_date(study.start_ns)}-{code}"
    return name, {
        "schema": "covenants-run/1", "id": name, "study": study.study, "title": study.title, "kind": study.kind,
        "mode": "exploratory", "synthetic": bars.synthetic, "prices": study.pair.price,
        "pair": [study.pair.name_a, study.pair.name_b], **inputs,
        "window": {"start": _date(study.start_ns), "end": _date(int(bars.t_ns[-1])),
                   "bars": len(bars.t_ns) - main.first},
        "fitted_blocks": sum(1 for _ in main.fits), "cannot_say": list(CANNOT_SAY),
    }  # fmt: skip


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _date(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns // NS_PER_SECOND, UTC).date().isoformat()


def _plain(value: Any) -> Any:
    """Return ``value`` for JSON: null for what is undefined, plain numbers for NumPy's."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    # NumPy's scalars are no JSON numbers.
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(value: Any) -> bytes:
    return (json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _bytes(name: str, table: pd.DataFrame) -> bytes:
    if name.endswith(".parquet"):
        data: bytes = table.to_parquet(None, index=False, compression="zstd")
        return data
    return str(table.to_csv(index=False)).encode()
