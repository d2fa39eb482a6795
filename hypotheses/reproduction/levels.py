"""Levels 1 and 2: statistics from a run's tables and seeds; before that its data set and its ledgers.  [audit 12]"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backtest import environment
from backtest.audit.bundle.check import Staged
from backtest.audit.bundle.ledger_diff import same_ledgers
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.gate.run_mode import RunMode
from backtest.live.plans_on_record import plans_of_manifest
from backtest.pipeline.dataset import prepare_dataset
from backtest.pipeline.placements import PLACED
from backtest.records import Registration
from backtest.rundir.files import read_object, results_of
from backtest.rundir.files import registration_of as plan_of
from backtest.rundir.stages import ENGINE, PLACEMENTS, WindowJob, run_stages
from backtest.seeds import streams as seed_streams
from backtest.tracking.trials import trials_of
from engine.errors import GateError, ReproduceError, UsageError
from engine.freeze import engine_hash
from hypotheses import judge, load, results_documents
from hypotheses.reproduction import floats
from hypotheses.reproduction.floats import Floats


@dataclass(frozen=True, slots=True)
class Results:
    """The exact document of a run, its digest, the float tier beside it, and the number of trials it counts.

    ``statuses`` of the constraints by code are for the words of a report; the document has the decisions.
    """

    document: dict[str, Any]
    digest: str
    floats: list[dict[str, str]]
    trials: int | None
    statuses: Mapping[str, str]


def registration_of(place: Staged) -> Registration:
    """Return the registration of a staged run."""
    return plan_of(place.run)


def reported(run: Path) -> Results:
    """Return the results that a run directory reports.  Raises ``MissingError`` (3), ``LedgerError`` (10)."""
    _, document = results_of(run)
    entries = json.loads((run / "results.float.json").read_text(encoding="utf-8"))
    verdicts = read_object(run / "verdicts.json")
    statuses = {str(row["code"]): str(row["status"]) for row in verdicts["H3"]["constraints"]}
    digest = (run / "digest.txt").read_text(encoding="utf-8").strip()
    return Results(document, digest, entries, verdicts["H1"].get("trials"), statuses)


def recomputed(run: Path, registration: Registration, trials: tuple[float, ...] | None) -> Results:
    """Return the results that follow from the tables, folds and seeds of ``run``; nothing is written.  [level 1]"""
    plan = load.window_of(run, registration)
    data = replace(load.load(run, registration, plan), trials=trials)
    streams = judge.streams_of(seed_streams.load(run / "seeds.lock"))
    verdicts = judge.judge(data, registration, streams)
    document = results_documents.exact_document(verdicts, judge.header_of(run, data).exact)
    # Without journals no count is made up: the values that depend on it stay unchecked.
    counted = None if trials is None else verdicts.h1.trials
    return Results(
        document,
        results_documents.results_digest(document),
        results_documents.float_entries(verdicts),
        counted,
        {row.code: row.status.value for row in verdicts.h3.constraints},
    )


def trials_beside(run: Path) -> tuple[float, ...] | None:
    """Return the ratios of the trials in the journals beside the run; None where there is no journal."""
    return trials_of(run)


def same_results(reported: Results, other: Results, commit: str | None) -> None:
    """Raise ``ReproduceError`` (30) where the digests differ, naming the first field that does.

    ``commit`` is the run's: where this checkout is at another, the message says so.
    """
    if reported.digest == other.digest:
        return
    raise ReproduceError(
        f"expected the results digest {reported.digest} as reported, was {other.digest} recomputed; first difference: "
        f"{_first(reported.document, other.document)}{_elsewhere(commit)}"
    )


def _elsewhere(commit: str | None) -> str:
    here = environment.source()["commit"]
    return "" if commit is None or here == commit else f"; the run was made at commit {commit}, this is {here}"


def same_floats(reported: Results, other: Results) -> Floats:
    """Return which values of the two float tiers agree."""
    return floats.compare(reported.floats, other.floats, reported.trials == other.trials)


def rebuilt(place: Staged, registration: Registration, data: Path | None, workers: int, work: Path) -> Path:
    """Return a run directory below ``work`` made again from the data, after both ledgers came out the same.  [level 2]

    Raises ``GateError`` 20 where this is another engine than the run's, 21 where the data are others,
    ``ReproduceError`` 32 naming the first row that differs.
    """
    manifest = read_object(place.run / "manifest.json")
    # another engine would differ in some row and look like a fault of the run
    if engine_hash() != manifest["engine_hash"]:
        raise GateError(
            f"expected the engine {manifest['engine_hash']} of the run, was {engine_hash()}: check out commit "
            f"{manifest['commit']} and repeat",
            exit_code=20,
        )
    dataset = dataset_of(place, registration, data, workers, work)
    streams = seed_streams.load(place.run / "seeds.lock")
    plan = load.window_of(place.run, registration)
    facts = {key: manifest.get(key) for key in ("looks", "amendment_order", "receipts", "emitted")}
    run_mode = RunMode(manifest["mode"], tuple(manifest["deviations"]), manifest["freeze_hash"], facts=facts)
    plans = plans_of_manifest(registration, manifest)
    job = WindowJob(dataset, registration, plan, streams, workers, work / "rebuilt", run_mode, plans=plans)
    job = run_stages(job, (ENGINE,))
    folder = job.run_folder
    # Signals first: a resolution that differs may follow from a signal that does.
    for kind in ("emit", "resolution"):
        same_ledgers(place.run / "ledger" / f"{kind}.jsonl", folder / "ledger" / f"{kind}.jsonl", kind)
    # A run without placements has no N2 or N3 to recompute.
    if (place.run / PLACED).is_file():
        run_stages(job, (PLACEMENTS,))
    return folder


def dataset_of(place: Staged, registration: Registration, data: Path | None, workers: int, work: Path) -> Dataset:
    """Return the run's data set: opened where ``data`` is a canonical one, else built from ``data`` or drawn again.

    Raises ``UsageError`` (2) if real data are needed and none were given, ``GateError`` 21 if the data set is another.
    """
    if data is not None and (data / "dataset.json").is_file():
        dataset = open_dataset(data)
    elif data is None and registration.data.kind != "synthetic":
        raise UsageError("--data: expected the folder of the source files or of the data set of this run, was none")
    else:
        streams = seed_streams.load(place.run / "seeds.lock")
        dataset = prepare_dataset(registration, data, streams, work, workers, None)
    wanted = read_object(place.run / "manifest.json")["dataset_hash"]
    if dataset.dataset_hash != wanted:
        raise GateError(
            f"expected the data set {wanted}, was {dataset.dataset_hash}; first file that differs: "
            f"{_first_file(place.run / 'data.json', dataset)}",
            exit_code=21,
        )
    return dataset


def _first_file(stated: Path, dataset: Dataset) -> str:
    files: Any = dataset.manifest["files"]
    hashes = {entry["path"]: entry["sha256"] for entry in files}
    wanted = {entry["path"]: entry["sha256"] for entry in read_object(stated)["files"]}
    odd = sorted(name for name in {*hashes, *wanted} if hashes.get(name) != wanted.get(name))
    return odd[0] if odd else "none: only facts beside the files differ"


def _first(left: Any, other: Any, where: str = "") -> str:
    """Return the place of the first difference of two documents, with both values."""
    if isinstance(left, dict) and isinstance(other, dict):
        for key in sorted({*left, *other}):
            if left.get(key) != other.get(key):
                return _first(left.get(key), other.get(key), f"{where}.{key}" if where else key)
    if isinstance(left, list) and isinstance(other, list):
        for i, (a, b) in enumerate(zip(left, other, strict=False)):
            if a != b:
                return _first(a, b, f"{where}[{a['id'] if isinstance(a, dict) and 'id' in a else i}]")
    return f"{where}: reported {left!s:.200}, recomputed {other!s:.200}"
