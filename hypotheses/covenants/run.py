"""A covenant study from its plan to a run directory.  [covenants 15, S8.6]

    runs/<id>/  manifest.json study.toml figures.json verdicts.json signals.parquet fits.csv
                equity.parquet accounts.csv curve.csv placebo.csv claims.json august_2024.csv crowding.csv learners.csv
                experiments.json

The id comes from what went in: the plan, the bytes of the data, and every file of ours that a study runs through, so
that two codes never share a name.  Same inputs, same name, same bytes; the times that a machine took are in
``speed.json``, which the digest of results does not cover.  Parts that are finished are kept below the output folder
until the run is published, so that a study that was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pandas as pd

from backtest import environment
from backtest.data.format.atomic_write import write_folder
from backtest.gate.freeze.import_closure import closure_hash
from backtest.rundir.staging import staged_path
from backtest.simulation.covenant_anomaly import anomalies
from backtest.simulation.covenant_breaks import regime_changes
from backtest.simulation.covenant_claims import measure_claims
from backtest.simulation.covenant_config import Study, load_study
from backtest.simulation.covenant_crowding import crowding
from backtest.simulation.covenant_data import PairBars, load_bars, read_source
from backtest.simulation.covenant_event import august_2024
from backtest.simulation.covenant_figures import fits_table, headline, signals_table
from backtest.simulation.covenant_flow import book_flow, synthetic_flow
from backtest.simulation.covenant_learners import compete, replaces
from backtest.simulation.covenant_parts import Part, StudyParts
from backtest.simulation.covenant_replay import replay_pair
from backtest.simulation.covenant_signals import Signals
from backtest.simulation.covenant_streams import stream_of
from backtest.simulation.covenant_study import three_way
from backtest.simulation.covenant_verify import SCHEMA, results_digest
from backtest.tasks.task_cache import WORK, TaskCache
from engine.covenants.parameter_engine import PURGE_D, TRAIN_D
from engine.errors import DataError
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
_BLOCK_DRAWS: Final = 2000
"""Bootstrap draws over the blocks of the parameter engines."""


@dataclass(frozen=True)
class StudyJob:
    """A study that has its name and has computed nothing yet; ``inputs`` are what the name is made of."""

    study: Study
    data_root: Path | None
    name: str
    inputs: dict[str, Any]


def study_job(config: Path, data_root: Path | None) -> StudyJob:
    """Return the job of the study in ``config``.

    Raises `UsageError` for a plan it refuses or a missing data root, `MissingError` for a file that is not there.
    """
    study = load_study(config)
    inputs = {
        "config": sha256(study.text.encode()).hexdigest(),
        "code": closure_hash((__name__,)),
        "covenants_seal": tree_hash(engine_root() / "covenants"),
        # Synthetic bars have no file: their streams come from the plan's root text.
        "sources": {name: sha256(read_source(data_root, name)).hexdigest() for name in study.sources},
    }
    code = sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
    return StudyJob(study, data_root, f"{study.study}-{_date(study.start_ns)}-{code}", inputs)


def kept_parts(job: StudyJob, out: Path) -> TaskCache:
    """Return the finished parts of ``job`` below ``out``; its caller removes them when the run is published.

    By inputs and versions: parts of another plan, data, code or library lie in another folder.
    """
    facts = json.dumps({**job.inputs, **environment.versions()}, sort_keys=True)
    return TaskCache(out / WORK / sha256(facts.encode()).hexdigest()[:16])


def write_study(job: StudyJob, out: Path, progress: Callable[[str], None]) -> Path:
    """Run ``job`` and return its directory, staged below ``out`` for `backtest.rundir.staging.publish`.

    What an earlier attempt finished is taken up.  Raises `DataError` before anything is written, `WriteError` where the
    disk refuses.
    """
    cache = kept_parts(job, out)
    if kept := cache.count():
        progress(f"an earlier attempt was not finished; its {kept} finished parts are taken up")
    return write_folder(staged_path(out, job.name), study_files(job, StudyParts(cache, progress)))


def study_files(job: StudyJob, parts: StudyParts) -> dict[str, bytes]:
    """Return every file of the study's run directory but its page and its listing, by name."""
    study = job.study
    parts.progress("data")
    bars = load_bars(study, job.data_root)
    first = bars.index_at(study.start_ns)
    _check_learners(study, first)
    parts.progress("covenants")
    tables, documents, main = _results(job, bars, first, parts)
    documents["figures.json"] = headline(main) | _claims_of(documents.get("verdicts.json", {}))
    files = {
        "study.toml": study.text.encode(),
        **{file: _json(content) for file, content in documents.items()},
        **{file: _bytes(file, table) for file, table in tables.items()},
    }
    return {"manifest.json": _json(_manifest(job, bars, main, results_digest(files))), **files}


def _results(
    job: StudyJob, bars: PairBars, first: int, parts: StudyParts
) -> tuple[dict[str, pd.DataFrame], dict[str, Any], Signals]:
    study = job.study
    documents: dict[str, Any]
    if study.kind == "three_way":
        found = three_way(study, bars, first, parts)
        judged = (found.equity, found.placebo, found.curve, study.bootstrap_draws, study.seed_text)
        tables = {
            "equity.parquet": found.equity, "accounts.csv": found.facts, "curve.csv": found.curve,
            "placebo.csv": found.placebo,
        }  # fmt: skip
        main = found.main
        documents = parts("verdicts", lambda: {"verdicts.json": judge(*judged)})
        documents |= parts("remaining claims", lambda: {"claims.json": measure_claims(study, bars, main)})
        documents["speed.json"] = found.speed
        tables |= parts("crowding", lambda: {"crowding.csv": crowding(study.seed_text)})
        event = parts("event of August 2024", lambda: {"august_2024.csv": august_2024(study, bars, main)})
        tables |= {name: table for name, table in event.items() if len(table)}
    else:
        replayed = replay_pair(study, bars, first)
        tables, documents, main = {"equity.parquet": replayed.equity, "accounts.csv": replayed.facts}, {}, replayed.main
    documents |= _experiments(job, parts)
    if study.learner_every:
        tables |= parts("learners", lambda: _learners(study, main))
    return {"signals.parquet": signals_table(main, bars), "fits.csv": fits_table(main), **tables}, documents, main


def _check_learners(study: Study, first: int) -> None:
    """Raise `DataError` (4), before anything is computed, where the learners have no days to be trained on."""
    day_bars = 1440 // study.parameters.bar_min
    if study.learner_every and first < (TRAIN_D + PURGE_D) * day_bars:
        raise DataError(
            f"{study.path}: learners: expected at least {TRAIN_D + PURGE_D} days of bars before the window, was "
            f"{first / day_bars:.1f}: give earlier bars, begin the window later, or leave [learners] out"
        )


def _experiments(job: StudyJob, parts: StudyParts) -> dict[str, Any]:
    """Return ``experiments.json``: what no bars of a pair can show.  Empty where the plan asks for none of it."""
    study = job.study
    found: Part = {}
    if study.experiment_paths:
        found |= parts("changes of regime", lambda: {
            "regime_changes": regime_changes(study.seed_text, study.experiment_paths)
        })  # fmt: skip
        found |= parts("anomalies", lambda: {"anomalies": anomalies(study.seed_text)})
        found |= parts("synthetic order flow", lambda: {"order_flow": synthetic_flow(study.seed_text)})
    if study.pair.book and job.data_root:
        a, b = (job.data_root / name for name in study.pair.book)
        found |= parts("order flow of the book", lambda: {"order_flow_book": book_flow((a, b))})
    return {"experiments.json": found} if found else {}


def _learners(study: Study, main: Signals) -> Part:
    """Return the losses of every engine by block, and which of them the rule lets replace the closed form."""
    losses = compete(main, study.learner_every)
    # A study shorter than a training window has no block out of sample.
    if losses.empty:
        return {}
    length = block_length([losses["closed_form"].to_numpy()])
    stream = stream_of(study.seed_text, "covenants/learners")
    indices = bootstrap_indices(len(losses), _BLOCK_DRAWS, length, stream)
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


def _manifest(job: StudyJob, bars: PairBars, main: Signals, digest: str) -> dict[str, Any]:
    study = job.study
    return {
        "schema": SCHEMA, "id": job.name, "study": study.study, "title": study.title, "kind": study.kind,
        "mode": "exploratory", "synthetic": bars.synthetic, "prices": study.pair.price,
        "pair": [study.pair.name_a, study.pair.name_b], **job.inputs, "digest": digest,
        "window": {"start": _date(study.start_ns), "end": _date(int(bars.t_ns[-1])),
                   "bars": len(bars.t_ns) - main.first},
        "fitted_blocks": sum(1 for _ in main.fits), "cannot_say": list(CANNOT_SAY),
    }  # fmt: skip


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
