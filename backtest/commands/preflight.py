"""`cme run CONFIG --plan`: what would run, on what, for how long, and what stands against a confirmatory run.

Nothing is built, opened for a look or written.  Time and memory are read off measured runs of synthetic markets of
other sizes (docs/performance.md), by rows of quotes: a figure to plan a day by, not a promise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.manifest import MANIFEST_FILE
from backtest.gate.checks import Situation, examine, exit_code
from backtest.gate.run_mode import RequestedMode, RunMode, decide_mode
from backtest.live.final_gate import needs_ledger
from backtest.pipeline.dataset import place_of_dataset
from backtest.pipeline.replays import SEGMENT_NS
from backtest.records import Plan, Registration
from backtest.registration.dates import undated
from backtest.registration.named import lacking
from backtest.rundir import checksums
from backtest.rundir.write import run_id
from backtest.seeds.streams import Seeds
from backtest.tasks.scheduler import WorkerPool, market_of
from backtest.terminal import echo
from engine.errors import CmeError
from engine.records import Kind
from engine.units import NS_PER_DAY

MEASURED: Final = ((3.3e6, 28.0, 1006.0), (9.2e6, 51.0, 1052.0), (19.7e6, 79.0, 1214.0), (513.2e6, 518.0, 4088.0))
"""Rows of quotes, CPU seconds and MiB at most of whole runs: demo-30, demo-90, demo-180, full; two workers."""
USEFUL_WORKERS: Final = 2
"""With how many workers the runs were measured: more are not promised to help."""


def preflight(
    situation: Situation, requested: RequestedMode, data_root: Path | None, seeds: Seeds, out: Path, workers: int
) -> dict[str, Any]:
    """Return what a run would do: spans, data, tasks, cost, caches, and the gate's answers."""
    registration = situation.place.registration
    # a refusal is shown below, check by check: it is no reason to show nothing else
    run_mode = decide_mode(situation, "auto" if requested == "confirmatory" else requested)
    dataset, why = _dataset(registration, data_root, seeds, out)
    rows = None if dataset is None else sum(entry.rows or 0 for path, entry in dataset.files.items() if _quotes(path))
    document: dict[str, Any] = {
        "study": registration.study,
        "mode": run_mode.mode,
        "windows": [_window(plan, registration) for plan in registration.windows],
        "undated": undated(registration),
        "data": _data(registration, dataset, rows, why),
        "tasks": _tasks(registration),
        "registered": _registered(registration),
        "expected": None if rows is None else expected_cost(rows, workers),
        "cached": _cached(registration, dataset, seeds, run_mode, out, workers),
        "confirmatory": _gate(situation),
        "needs_ledger": needs_ledger(run_mode, registration),
    }
    return document


def _dataset(
    registration: Registration, data_root: Path | None, seeds: Seeds, out: Path
) -> tuple[Dataset | None, str | None]:
    """Return the data set, or None and why there is none yet."""
    try:
        place = place_of_dataset(registration, data_root, seeds, out)
        if not (place / MANIFEST_FILE).is_file():
            return None, f"it is not there yet and would be at {place}"
        return open_dataset(place), None
    except CmeError as problem:
        return None, str(problem)


def _quotes(path: str) -> bool:
    return path.startswith("quotes/")


def _window(plan: Plan, registration: Registration) -> dict[str, Any]:
    dates = {"history_start": plan.history_ns, "start": plan.t0_ns, "end": plan.t1_ns}
    grid_ns = registration.params.grid_ns
    return {
        **{key: str(np.datetime64(value, "ns").astype("datetime64[D]")) if registration.dated
           else f"recording_start + {value // NS_PER_DAY} d" for key, value in dates.items()},
        "days": (plan.t1_ns - plan.t0_ns) // NS_PER_DAY,
        "history_days": (plan.t0_ns - plan.history_ns) // NS_PER_DAY,
        "folds": plan.folds,
        "grid_times": (plan.t1_ns - plan.history_ns) // grid_ns if grid_ns else None,
    }  # fmt: skip


def _data(registration: Registration, dataset: Dataset | None, rows: int | None, why: str | None) -> dict[str, Any]:
    if dataset is None:
        return {"kind": registration.data.kind, "there": False, "why": why}
    span = dataset.day_span
    kinds = {kind.name.lower(): int((dataset.instruments.kind == kind).sum()) for kind in Kind}
    return {
        "kind": registration.data.kind, "there": True, "path": str(dataset.path), "dataset_hash": dataset.dataset_hash,
        "rows": rows, "bytes": sum(entry.size for entry in dataset.files.values()),
        "first": None if span is None else str(np.datetime64(span[0], "D")),
        "last": None if span is None else str(np.datetime64(span[1], "D")),
        "underlyings": list(dataset.underlyings), "instruments": {name: n for name, n in kinds.items() if n},
        "lacking": [entry.sentence for entry in lacking(registration, dataset.instruments.name)],
    }  # fmt: skip


def _tasks(registration: Registration) -> dict[str, int]:
    """Return how many tasks the stages of all windows have: studies of curves, segments of replays."""
    coins = len(registration.params.underlyings)
    spans = [(plan.t0_ns - plan.history_ns, plan.t1_ns - plan.t0_ns) for plan in registration.windows]
    segments = sum(-(-span // SEGMENT_NS) for pair in spans for span in pair)
    return {"curve_studies": coins * len(spans), "replay_segments": coins * segments}


def _registered(registration: Registration) -> dict[str, Any]:
    """Return how many packages the plan names a grid time; those of option chains follow from what is listed."""
    markets = registration.params.underlyings.values()
    return {
        "C1": sum(len(market.cash_carry) for market in markets),
        "C2": sum(len(market.triangle) for market in markets),
        "C5": sum(market.curve is not None for market in markets),
        "C6": sum(market.four_corner is not None for market in markets),
        "C3": [venue for market in markets for venue in market.put_call_venues],
        "C4": [venue for market in markets for venue in market.butterfly_venues],
        "C7": [venue for market in markets for venue in market.vertical_venues],
    }


def expected_cost(rows: int, workers: int) -> dict[str, Any]:
    """Return CPU and wall seconds and MiB for a number of rows, between the measured runs; beyond, in proportion.

    >>> expected_cost(9_200_000, 2)["cpu_s"]
    51
    """
    sizes, seconds, memory = (np.array(column) for column in zip(*MEASURED, strict=True))
    beyond = max(1.0, rows / sizes[-1])
    cpu_s = float(np.interp(rows, sizes, seconds)) * beyond
    return {
        "rows": rows,
        "cpu_s": round(cpu_s),
        "wall_s": round(cpu_s / min(workers, USEFUL_WORKERS)),
        "memory_mib": round(float(np.interp(rows, sizes, memory)) * beyond),
        "from": "whole runs of four synthetic markets on two workers, docs/performance.md",
    }


def _cached(
    registration: Registration, dataset: Dataset | None, seeds: Seeds, run_mode: RunMode, out: Path, workers: int
) -> dict[str, Any]:
    """Return what need not be done again: the data set, finished parts, finished run directories."""
    if dataset is None or not registration.dated:
        return {"data": dataset is not None, "parts": 0, "finished": []}
    pool = WorkerPool(workers, None, out)
    names = [run_id(registration, plan, dataset, seeds, run_mode) for plan in registration.windows]
    return {
        "data": True,
        "parts": pool.cache(market_of(dataset, registration)).count(),
        "finished": [name for name in names if checksums.holds(out / name)],
    }


def _gate(situation: Situation) -> dict[str, Any]:
    """Return what blocks a confirmatory run, check by check, with the code that it would end with."""
    findings = examine(situation)
    blocking = [{"check": one.check, "code": one.code, "faults": list(one.faults)} for one in findings if not one.holds]
    return {"exit": exit_code(findings), "blocking": blocking}


def print_preflight(document: Mapping[str, Any], as_json: bool) -> None:
    """Print the document, or its lines for a terminal."""
    if as_json:
        echo(json.dumps(document, indent=1))
        return
    for line in _lines(document):
        echo(line)


def _lines(document: Mapping[str, Any]) -> Sequence[str]:
    data, cost, cached = document["data"], document["expected"], document["cached"]
    lines = [f"{document['study']}: would run {document['mode']}"]
    for window in document["windows"]:
        lines.append(f"window    {window['start']} to {window['end']}, {window['days']} days, {window['folds']} folds; "
                     f"history from {window['history_start']}, {window['history_days']} days; "
                     f"{window['grid_times'] or 'snapshot'} grid times a coin")  # fmt: skip
    if document["undated"]:
        lines.append(f"dates     26: {document['undated']}")
    if data["there"]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in data["instruments"].items())
        lines.append(f"data      {data['path']}: {data['first']} to {data['last']}, {data['rows']:,} rows, {kinds}")
        lines += [f"lacks     {sentence}" for sentence in data["lacking"]]
    else:
        lines.append(f"data      {data['why']}")
    tasks = document["tasks"]
    lines.append(f"tasks     {tasks['curve_studies']} curve studies, {tasks['replay_segments']} segments of replays")
    named = ", ".join(f"{code} {value if isinstance(value, int) else ' '.join(value) or 'none'}"
                      for code, value in sorted(document["registered"].items()))  # fmt: skip
    lines.append(f"packages  registered a grid time, or the venues of chains: {named}")
    if cost is None:
        lines.append("cost      not known before the data are there")
    else:
        figures = f"about {cost['wall_s']} s, {cost['cpu_s']} CPU s, {cost['memory_mib']} MiB"
        lines.append(f"cost      {figures} ({cost['from']})")
    lines.append(f"cached    data set {'yes' if cached['data'] else 'no'}, {cached['parts']} finished parts, "
                 f"finished runs: {', '.join(cached['finished']) or 'none'}")  # fmt: skip
    gate = document["confirmatory"]
    lines.append("gate      a confirmatory run may start" if not gate["exit"] else
                 f"gate      a confirmatory run would end with {gate['exit']}:")  # fmt: skip
    shown: set[str] = set()
    for one in gate["blocking"]:
        for fault in one["faults"]:
            lines.append(f"  {one['check']} ({one['code']}): {'as above' if fault in shown else fault}")
            shown.add(fault)
    if document["needs_ledger"]:
        lines.append("gate      and its replay has to be what was emitted (27)")
    return lines
