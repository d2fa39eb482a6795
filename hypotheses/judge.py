"""Computes the three verdicts from a run directory and the registered numbers, and writes them beside it.  [house]"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtest.data.format.atomic_write import write_whole
from backtest.records import Plan, Registration
from backtest.rundir.files import RESULTS
from backtest.seeds.streams import Seeds
from backtest.tasks.parallel import ParallelMap, serial_map, with_progress
from engine.errors import CmeError, MissingError
from engine.units import NS_PER_SECOND
from hypotheses import results_documents
from hypotheses.base import RunData, Streams
from hypotheses.load import load, read_json
from hypotheses.methods import METHODS, require_methods
from hypotheses.records import H1, H2, H3, Verdicts
from hypotheses.results_retained import retained_text

ORDER: Final = ("H1", "H3", "H2")
"""The order in which they are computed: the longest first, so that workers end together."""
READABLE: Final = ("id", "mode", "deviations", "registration", "engine_seal", "data", "seeds", "commit")
WRITTEN: Final = (*RESULTS, "results.float.json", "verdicts.json", "digest.txt", "retained.json")
"""What `write` writes; of the results documents the one of the run's mode."""
HASHED: Final = ("study", "freeze_hash", "dataset_hash", "seeds_hash", "analysis_id", "ledgers")


@dataclass(frozen=True, slots=True)
class Header:
    """The facts of a run that its documents repeat; every value comes from the run's own files.

    ``run``: id, mode, deviations, registration, engine_seal, data, seeds, commit.  ``exact``: study, freeze_hash,
    dataset_hash, seeds_hash, analysis_id, ledgers, counts.  ``coverage``: share of grid times a constraint could be
    evaluated.  ``integrity``: ledger_rows, head, checkpoints, quarantined, missing.
    """

    run: Mapping[str, Any]
    exact: Mapping[str, Any]
    coverage: Mapping[str, Any]
    integrity: Mapping[str, Any]

    @property
    def confirmatory(self) -> bool:
        return bool(self.run["mode"] == "confirmatory")


def header_of(folder: Path, run: RunData) -> Header:
    """Return the header of a finished run, from its manifest.json and coverage.json.

    The manifest names id, mode, deviations, registration, engine_seal, data, seeds, commit (for readers) and study,
    freeze_hash, dataset_hash, seeds_hash, analysis_id, ledgers (hashed).  Counts come from the tables.

    Raises ``MissingError`` if a file or one of these keys is missing.
    """
    manifest = read_json(folder / "manifest.json")
    missing = [key for key in (*READABLE, *HASHED) if key not in manifest]
    if missing:
        raise MissingError(f"{folder / 'manifest.json'}: expected the keys {missing}, was {sorted(manifest)}")
    ledgers = manifest["ledgers"]
    status = run.trades["status"]
    counts = {
        "signals": len(run.signals),
        "resolved": int((status != "void").sum()),
        "void": int((status == "void").sum()),
    }
    return Header(
        run={key: manifest[key] for key in READABLE},
        exact={**{key: manifest[key] for key in HASHED}, "ledgers": _stated(ledgers), "counts": counts},
        coverage=read_json(folder / "coverage.json"),
        integrity={
            "ledger_rows": None if ledgers is None else {name: ledger["size"] for name, ledger in ledgers.items()},
            "head": None if ledgers is None else {name: ledger["head"] for name, ledger in ledgers.items()},
            "checkpoints": manifest.get("checkpoints"),
            "quarantined": manifest.get("quarantined"),
            "missing": dict(run.missing),
        },
    )


def _stated(ledgers: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]] | None:
    """Return the size, root and head of each ledger, which is all that results repeat of it.  [audit 10.4]"""
    if ledgers is None:
        return None
    return {name: {key: ledger[key] for key in ("size", "root", "head")} for name, ledger in ledgers.items()}


def streams_of(seeds: Seeds) -> Streams:
    """Return the named streams of `seeds.lock` in the form in which the hypotheses draw."""
    return seeds.stream


def judge(
    run: RunData,
    registration: Registration,
    streams: Streams,
    on_progress: Callable[[str], None] = lambda _: None,
    parallel_map: ParallelMap = serial_map,
) -> Verdicts:
    """Return the three verdicts of one window, and its diagnostics.

    ``on_progress`` is called with the name of each part when its computation begins.  A verdict draws from streams of
    its own, so ``parallel_map`` may compute it in any process.  This process computes the diagnostics meanwhile: the
    last digits of a fit depend on the threads that its linear algebra may use.  Raises ``UsageError`` if the plan
    states other methods than these, ``CmeError`` if the registry does not give the three records.
    """
    require_methods(registration)
    verdicts = parallel_map(_verdict, (run, registration, streams), with_progress(ORDER, on_progress))
    on_progress("diagnostics")
    # imported here: statsmodels and arch take seconds, and the command's help needs neither
    from hypotheses.diagnostics import diagnose
    from hypotheses.family_diagnostics import of_family

    diagnostics = diagnose(run, streams)
    by_code = dict(zip(ORDER, verdicts, strict=True))
    h1, h2, h3 = by_code["H1"], by_code["H2"], by_code["H3"]
    if not (isinstance(h1, H1) and isinstance(h2, H2) and isinstance(h3, H3)):
        raise CmeError(
            f"expected the records H1, H2, H3 of the registry, was {[type(x).__name__ for x in (h1, h2, h3)]}"
        )
    return Verdicts(h1, h2, h3, (*diagnostics, *of_family(run, h3.constraints, streams)))


def judge_folder(
    folder: Path,
    registration: Registration,
    plan: Plan,
    seeds: Seeds,
    *,
    on_progress: Callable[[str], None] = lambda _: None,
    parallel_map: ParallelMap = serial_map,
    on_judged: Callable[[Verdicts], None] = lambda _: None,
) -> tuple[RunData, Verdicts, str]:
    """Write the verdicts of one window into its run directory; return the run as read, the verdicts, their digest.

    ``on_judged`` is called once the verdicts are known and before any of them can be read from the disk, so that a run
    that is killed in between is still counted as a trial.  Raises what `load.load`, `judge` and `write` raise.
    """
    run = load(folder, registration, plan)
    verdicts = judge(run, registration, streams_of(seeds), on_progress, parallel_map)
    # Before anything is written: a verdict that could be read must count as a trial.
    on_judged(verdicts)
    digest = write(folder, verdicts, run, plan, header_of(folder, run))
    return run, verdicts, digest


def _verdict(case: tuple[RunData, Registration, Streams], code: str) -> H1 | H2 | H3:
    # imported here: scipy takes a second, and a process that only distributes work needs none of it
    from hypotheses.registry import HYPOTHESES

    (member,) = (hypothesis for hypothesis in HYPOTHESES if hypothesis.code == code)
    return member.evaluate(*case)


def verdicts_document(verdicts: Verdicts, run: RunData, plan: Plan, header: Header, digest: str) -> dict[str, Any]:
    """Return the object of `verdicts.json`.  [interface]"""
    return {
        "run": {**header.run, "digest": digest},
        "window": {
            "start": _iso(plan.t0_ns),
            "end": _iso(plan.t1_ns),
            "days": run.n,
            "days_with_data": int(np.count_nonzero(run.has_data)),
            "coverage": results_documents.readable(header.coverage),
        },
        "H1": results_documents.hypothesis_section(verdicts.h1),
        "H2": results_documents.hypothesis_section(verdicts.h2),
        "H3": results_documents.constraints_section(verdicts.h3),
        "diagnostics": [results_documents.plain(diagnostic) for diagnostic in verdicts.diagnostics],
        "methods": dict(METHODS),
        "integrity": dict(header.integrity),
    }


def write(folder: Path, verdicts: Verdicts, run: RunData, plan: Plan, header: Header) -> str:
    """Write the documents into the run directory and return the digest of the exact one.

    Only a confirmatory run writes `results.exact.json`; any other writes `results.exploratory.json` with the same
    content [audit 11.2].
    """
    exact = results_documents.exact_document(verdicts, header.exact)
    digest = results_documents.results_digest(exact)
    readable = verdicts_document(verdicts, run, plan, header, digest)
    # Only a confirmatory run may carry the name that claims it.  [audit 11.2]
    name = RESULTS[not header.confirmatory]
    write_whole(folder / name, results_documents.canonical(exact))
    write_whole(folder / "results.float.json", _pretty(results_documents.float_entries(verdicts)))
    write_whole(folder / "verdicts.json", _pretty(readable))
    # After the document that it is the digest of: a kill between the two leaves no digest without one.
    write_whole(folder / "digest.txt", f"{digest}\n".encode())
    write_whole(folder / "retained.json", retained_text(verdicts.h3, header.run, header.exact, digest).encode())
    return digest


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _iso(t_ns: int) -> str:
    return datetime.fromtimestamp(t_ns // NS_PER_SECOND, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
