"""A blinded run: the whole pipeline on the true window, on amounts of other days, before the look.  [live L0.7]

    OUT/.blinded/          run directory, finished parts and full report, all on replaced amounts; removed at the end
    OUT/blinded-<id>/      blinded.json and its pages: the counts that anybody may see, and what was withheld

Nothing that stays, and nothing that is removed, holds a settled amount of a signal: `backtest.pipeline.blinded`
replaces it before anything is written.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from backtest.data.format.dataset import Dataset
from backtest.environment import now_us
from backtest.gate.access import check_dataset, record_blinded
from backtest.gate.run_mode import RunMode, analysis_id
from backtest.gate.sealed_window import OperationalCounts
from backtest.live.emitted_thresholds import thresholds_of
from backtest.live.final_gate import Compared
from backtest.live.join import days_of_dataset
from backtest.pipeline.dataset import prepare_dataset
from backtest.records import Plan, Registration
from backtest.results.returns import days_of
from backtest.rundir import counts
from backtest.rundir.stages import Stage, WindowJob, run_blinded, run_stages
from backtest.seeds.streams import Seeds
from backtest.tasks.parallel import parallel_map
from backtest.tasks.scheduler import WorkerPool
from backtest.terminal import echo, progress
from backtest.tracking.journal import Journal
from backtest.tracking.outcome import journal_blinded
from hypotheses.load import read_json
from hypotheses.stages import verdicts_stage

WORK: Final = ".blinded"
"""Folder of the output folder that holds a blinded run while it goes on."""
DEVIATION: Final = "outcomes: every settled amount is that of a placement on another day (blinded run)"
BLINDED: Final = "blinded"
WITHHELD: Final = ("H2", "capture", "modelled against realised", "equity", "tables of money by date")
"""What a blinded run withholds; each is shown as the word `BLINDED`."""
WritePages = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class _Blinded:
    """What every window of a blinded run works with; ``compared`` is what the final gate returned."""

    registration: Registration
    dataset: Dataset
    seeds: Seeds
    compared: Compared
    out: Path
    pool: WorkerPool
    pages: tuple[WritePages, WritePages]
    log: Journal
    quiet: bool


def rehearse(
    compared: Compared,
    registration: Registration,
    data_root: Path | None,
    seeds: Seeds,
    out: Path,
    pool: WorkerPool,
    log: Journal,
    pages: tuple[WritePages, WritePages],
    quiet: bool,
) -> list[Path]:
    """Run every window of the plan blinded; return the folders that stay, each with ``blinded.json`` and its pages.

    ``pages`` are the function that writes the full report into a run directory, and the one that writes the page beside
    a ``blinded.json``.  The run is on record before it begins.  Raises ``GateError`` where the run may not start, a
    look is open (25) or the data set is not the one of the look (21), and what a stage raises.
    """
    compared = replace(compared, run_mode=record_blinded(compared.run_mode, registration, now_us()))
    log.stage("data")
    with progress("data", quiet) as on_progress:
        dataset = prepare_dataset(registration, data_root, seeds, out, pool.workers, on_progress)
    check_dataset(compared.run_mode, dataset.dataset_hash)
    with work_folder(out) as work:
        job = _Blinded(registration, dataset, seeds, compared, out, replace(pool, out=work), pages, log, quiet)
        folders = [_run(job, work, plan) for plan in registration.windows]
    for folder in folders:
        journal_blinded(log, folder)
    return folders


@contextmanager
def work_folder(out: Path) -> Iterator[Path]:
    """Yield the folder of a blinded run below ``out``; it is removed before, and at the end also where it raises."""
    work = out / WORK
    # of one that was killed: it is begun anew
    shutil.rmtree(work, ignore_errors=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def print_blinded(folders: Sequence[Path], as_json: bool) -> None:
    """Print what a blinded run may show, on stdout: one JSON document if ``as_json``, else lines."""
    documents = [(folder, read_json(folder / "blinded.json")) for folder in folders]
    if as_json:
        echo(json.dumps({"blinded": [{"path": str(folder), **document} for folder, document in documents]}, indent=1))
        return
    for folder, document in documents:
        counted = ", ".join(f"{key} {value}" for key, value in document["counts"].items())
        compared = (
            "signals are those emitted" if document["emitted"] else "no emitted ledger: ids are not the true ones"
        )
        echo(f"{folder.name}  (blinded: amounts of other days, no result)")
        echo(f"  counts    {counted}")
        echo(f"  compared  {compared}")
        echo(f"  withheld  {', '.join(document['withheld'])}")
        echo(f"  page      {folder / 'blinded.html'}")


def _run(blinded: _Blinded, work: Path, plan: Plan) -> Path:
    emitted, processes = blinded.compared.emitted, parallel_map(blinded.pool.workers)
    z_of = None if emitted is None else thresholds_of(emitted, plan)
    write_report, write_page = blinded.pages

    def report(job: WindowJob, _: object) -> WindowJob:
        write_report(job.run_folder)
        return job

    # exploratory: what is judged on replaced amounts is no result, whatever the gate says of the plan
    job = WindowJob(
        blinded.dataset, blinded.registration, plan, blinded.seeds, blinded.pool, work,
        RunMode("exploratory", (DEVIATION,)), plans=blinded.compared.plans if emitted else (),
    )  # fmt: skip
    stages = (
        Stage("engine", partial(run_blinded, z_of)),
        verdicts_stage(processes, lambda _job, _verdicts: None),
        Stage("report", report),
    )
    done = run_stages(job, stages, blinded.log.stage, blinded.quiet)
    folder = blinded.out / f"blinded-{done.run_folder.name}"
    text = json.dumps(document(blinded, done), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_whole(folder / "blinded.json", (text + "\n").encode())
    write_page(folder)
    return folder


def document(blinded: _Blinded, job: WindowJob) -> dict[str, Any]:
    """Return ``blinded.json``: counts of R12.1, the comparison with the ledger, answers on replaced amounts."""
    registration, run_mode, emitted = blinded.registration, blinded.compared.run_mode, blinded.compared.emitted
    manifest, verdicts = read_json(job.run_folder / "manifest.json"), read_json(job.run_folder / "verdicts.json")
    looks = run_mode.facts["looks"]
    return {
        "schema": "blinded/1",
        "analysis_id": analysis_id(registration, job.plan),
        "study": registration.study,
        "window": manifest["window"],
        "synthetic": manifest["synthetic"],
        **{key: manifest[key] for key in ("config_hash", "engine_hash", "dataset_hash", "seeds_hash")},
        "freeze_hash": run_mode.freeze_hash,
        "look_registered": run_mode.mode == "confirmatory",
        "blinded_runs": looks.get("blinded", 0) if looks else 0,
        "counts": asdict(operational_counts(blinded, job, manifest)),
        "emitted": None if emitted is None else emitted.facts(),
        "answers": {"H1": _h1(verdicts["H1"]), "H2": BLINDED, "H3": _h3(verdicts["H3"])},
        "withheld": dict.fromkeys(WITHHELD, BLINDED),
    }


def operational_counts(blinded: _Blinded, job: WindowJob, manifest: Mapping[str, Any]) -> OperationalCounts:
    """Return the counts of a window that anybody may see.  [R12.1]"""
    emitted, days = blinded.compared.emitted, manifest["window"]
    chain = [row for row in days_of_dataset(blinded.dataset) if days["start"] <= row["day"] < days["end"]]
    length = len(days_of(job.plan))
    return OperationalCounts(
        days=length,
        days_without_data=length - len(counts.days_with_data(job.finished_run.blocks)),
        gaps=sum(row["gaps"] for row in chain),
        signals=len(job.finished_run.signals),
        ledger_rows=manifest["ledgers"]["emit"]["size"] if emitted is None else emitted.rows,
        # a ledger with a fault has ended the command before
        ledger_intact=True,
    )


def _h1(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: section[key] for key in ("verdict", "sharpe", "p_n1", "p_n2", "p_n3")}


def _h3(section: Mapping[str, Any]) -> dict[str, Any]:
    return {row["code"]: row["status"] for row in section["constraints"]}
