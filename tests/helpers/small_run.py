"""A whole registration, so small that the main job takes seconds: the demonstration with one coin and few options.

    config = write_config(folder)                                    folder/tiny.toml, complete in itself
    config = write_config(folder, {"grid.persistence": 1})           one change by its dotted key
    tiny = make(config, folder / "runs")                             the main job on it, without its tracker

Ten folds of a day, 18 days of history, half-hour grid, three tenors (so that C5 is identified from the first fold on),
plants of all constraints.  The fixture ``tiny`` of conftest makes it once a session.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backtest.data.format.dataset import Dataset
from backtest.pipeline.dataset import prepare_dataset
from backtest.pipeline.window import WindowRun
from backtest.records import Registration
from backtest.registration.acknowledged import power_hash
from backtest.registration.load import load_registration
from backtest.rundir import checksums
from backtest.rundir.stages import HARNESS, WindowJob, run_stages
from backtest.seeds import streams as seed_streams
from backtest.seeds.streams import Seeds
from backtest.tasks.parallel import serial_map
from backtest.tasks.scheduler import Workers, pool_of
from engine.constraints.codes import CODES
from hypotheses.stages import verdicts_stage
from reports.commands import write as write_report

ROOT = Path(__file__).resolve().parents[2]

FOLDS, HISTORY_DAYS = 10, 18

CHANGES: Mapping[str, Any] = {
    "study": "tiny",
    "title": "A tiny synthetic market",
    "split.fold_d": "1",
    "split.windows": [
        {"history_start": "2026-01-05T00:00:00Z", "start": "2026-01-23T00:00:00Z", "end": "2026-02-02T00:00:00Z"}
    ],
    "grid.step_s": "1800",
    "fitting.z_min_trades": 2,
    "statistics.n2_draws": 99,
    "statistics.n2_extended": 199,
    "statistics.bootstrap_draws": 199,
    "statistics.n3_min_d": "1",
    "statistics.n3_max_d": "8",
    "power.expected_active_days": {code.lower(): 5 for code in CODES},
    "data.name": "tiny",
    "data.synthetic.days": HISTORY_DAYS + FOLDS,
    "data.synthetic.grid_s": 1800,
    "data.synthetic.chains.future_weekly": 2,
    "data.synthetic.chains.future_monthly": 2,
    "data.synthetic.chains.future_quarterly": 3,
    "data.synthetic.chains.option_weekly": 2,
    "data.synthetic.chains.option_monthly": 1,
    "data.synthetic.chains.strikes": 7,
    "data.synthetic.chains.linear_monthly": 1,
    "data.synthetic.chains.linear_strikes": 3,
}
PLANTS = {"C1": 16, "C2": 4, "C3": 10, "C4": 4, "C5": 6, "C6": 8, "C7": 4}


def document(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the registration as a tree; ``changes`` are by dotted key, and win."""
    tree = deepcopy(_demo())
    tree["underlyings"] = tree["underlyings"][:1]
    tree["underlyings"][0]["curve"][0] |= {"tenor_d": ["7", "60", "180"], "z_window_d": 15, "min_curves": 15}
    market = tree["data"]["synthetic"]
    market["underlyings"] = {"BTC": market["underlyings"]["BTC"]}
    for code, count in PLANTS.items():
        market["plants"]["constraints"][code]["count"] = count
        market["plants"]["constraints"][code]["untradable"] = 1
    for key, value in {**CHANGES, **(changes or {})}.items():
        *parents, last = key.split(".")
        table = tree
        for parent in parents:
            table = table[parent]
        table[last] = value
    if "power.acknowledged" not in (changes or {}):
        tree["power"]["acknowledged"] = power_hash(tree)
    return tree


@dataclass(frozen=True)
class Tiny:
    """A finished run and everything it was made from."""

    config: Path
    registration: Registration
    seeds: Seeds
    dataset: Dataset
    run: WindowRun
    folder: Path


def make(
    config: Path, out: Path, *, workers: Workers = 1, streams: Seeds | None = None, data: Path | None = None
) -> Tiny:
    """Run the plan in ``config`` end to end below ``out``, as `cme run` does, but for journal and tracker."""
    registration = load_registration(config)
    streams = streams or seed_streams.load(ROOT / "seeds.lock")
    dataset = prepare_dataset(registration, data, streams, out, pool_of(workers).workers, None)
    stages = (*HARNESS, verdicts_stage(serial_map, lambda _job, _verdicts: None))
    job = run_stages(WindowJob(dataset, registration, registration.plan, streams, workers, out), stages)
    folder = job.run_folder
    write_report(folder)
    checksums.write(folder)
    return Tiny(config, registration, streams, dataset, job.finished_run, folder)


@cache
def _demo() -> dict[str, Any]:
    """Return configs/demo.toml with its venues, as one tree."""
    return tomllib.loads(load_registration(ROOT / "configs" / "demo.toml").text)


def write_config(folder: Path, changes: Mapping[str, Any] | None = None, name: str = "tiny.toml") -> Path:
    """Write the registration into ``folder`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(toml(document(changes)), encoding="utf-8")
    return path


def toml(tree: Mapping[str, Any]) -> str:
    """Return ``tree`` as TOML, one line a top-level key, everything below inline."""
    return "".join(f"{json.dumps(key)} = {_inline(value)}\n" for key, value in tree.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
