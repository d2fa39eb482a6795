"""Five days of a synthetic market, one of history and four of a window, with an outage over midnight.

study = make(folder)                 registration.toml (no amendment yet), market/ with the rows of the outage removed
emitted(study, 2)                    what `cme emit` does on the second morning, by an injected clock
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.writer import DatasetWriter
from backtest.live.day_chain import DayChain
from backtest.live.day_source import CanonicalSource
from backtest.live.digest import day_table
from backtest.live.emit import Judged
from backtest.live.emit_gate import open_seal
from backtest.live.live_folder import LiveFolder
from backtest.live.operate import OnStage, Operation, operate
from backtest.pipeline.dataset import prepare_dataset
from backtest.records import Registration
from backtest.registration.load import load_registration
from backtest.seeds import streams
from engine.constraints.codes import CODES
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.small_run import ROOT, toml, write_config

PLANTED = {"C1": 5, "C2": 1, "C3": 3, "C4": 1, "C5": 1, "C6": 2, "C7": 1}
MARKET: dict[str, Any] = {
    "split.folds": 4,
    "split.gap_h": "0",
    "split.embargo_h": "0",
    "split.windows": [
        {"history_start": "2026-01-05T00:00:00Z", "start": "2026-01-06T00:00:00Z", "end": "2026-01-10T00:00:00Z"}
    ],
    "statistics.n3_max_d": "1",
    "power.expected_active_days": {code.lower(): 2 for code in CODES},
    "data.synthetic.days": 5,
    **{f"data.synthetic.plants.constraints.{code}.count": count for code, count in PLANTED.items()},
    **{f"data.synthetic.plants.constraints.{code}.untradable": 0 for code in PLANTED},
}
STUDY: dict[str, Any] = {
    **{key: value for key, value in MARKET.items() if not key.startswith("data.")},
    "study": "five", "synthetic": False, "data.kind": "path", "data.path": "joined", "data.synthetic": {},
}  # fmt: skip
FIRST_DAY = 20_458  # 2026-01-05
OUT_NS = (FIRST_DAY * NS_PER_DAY + 46 * NS_PER_HOUR, FIRST_DAY * NS_PER_DAY + 50 * NS_PER_HOUR)
"""From 22:00 of day 2 to 02:00 of day 3: no row of any venue."""


@dataclass(frozen=True)
class Study:
    """The plan, the market whose days are sealed, and the folder of the daily operation."""

    plan: Path
    market: Dataset
    live: LiveFolder


def make(folder: Path, grid_s: int | None = None) -> Study:
    """Write plan and market below ``folder``; ``grid_s`` is another grid step, of plan and market, in seconds."""
    grid = {} if grid_s is None else {"grid.step_s": str(grid_s)}
    drawn = {} if grid_s is None else {"data.synthetic.grid_s": grid_s}
    registration = load_registration(write_config(folder / "market", {**MARKET, **grid, **drawn}))
    whole = prepare_dataset(registration, None, streams.load(ROOT / "seeds.lock"), folder / "drawn", 1, None)
    plan = write_config(folder / "plan", {**STUDY, **grid}, "registration.toml")
    return Study(plan, without(whole, folder / "days-of", OUT_NS), LiveFolder(folder / "live"))


def without(dataset: Dataset, target: Path, out_ns: tuple[int, int], scale_day: int | None = None) -> Dataset:
    """Return ``dataset`` without the rows of ``out_ns``; the asks of ``scale_day`` are a bp higher."""
    first, last = dataset.day_span or (0, -1)
    with DatasetWriter(target, dataset.name, dataset.grid_ns, dataset.synthetic, dataset.sources) as writer:
        writer.set_instruments(dataset.instruments)
        underlying = np.array(dataset.instruments.underlying)
        for day in range(first, last + 1):
            table = day_table(dataset, day)
            t_ns = table.column("t_ns").to_numpy()
            frame = table.to_pandas()[(t_ns < out_ns[0]) | (t_ns >= out_ns[1])]
            if day == scale_day:
                frame = frame.assign(ask=frame["ask"] * 1.0001)
            for name in sorted(set(underlying[frame["code"].to_numpy()].tolist())):
                part = frame[underlying[frame["code"].to_numpy()] == name]
                writer.write_day(name, day, type(table).from_pandas(part, table.schema, preserve_index=False), "x", "x")
        return open_dataset(writer.finish())


def operation(study: Study, days: int, market: Dataset | None = None) -> Operation:
    """Return the operation of the morning after ``days`` days; every check but the gate's is real."""
    registration = load_registration(study.plan)
    seeds = streams.load(ROOT / "seeds.lock").seeds_hash
    return Operation(
        live=study.live,
        registration=registration,
        source=CanonicalSource(market or study.market),
        last_day=FIRST_DAY + days - 1,
        now_us=(FIRST_DAY + days) * 86_400_000_000 + 600_000_000,
        seal_of=lambda: open_seal(registration, seeds),
        seeds_hash=seeds,
    )


def emitted(study: Study, days: int, on_stage: OnStage = lambda _: None) -> tuple[DayChain, tuple[Judged, ...]]:
    """Do the operation of the morning after ``days`` days."""
    return operate(operation(study, days), on_stage)


def rows(study: Study, name: str = "five") -> list[dict[str, Any]]:
    """Return the rows of an exported ledger."""
    body = study.live.ledger(name).export.read_bytes()
    return [json.loads(line)["row"] for line in body.splitlines()]


def signals(study: Study, name: str = "five") -> dict[str, dict[str, Any]]:
    """Return the signals of an exported ledger by id."""
    return {row["content"]["signal_id"]: row["content"] for row in rows(study, name) if row["kind"] == "signal"}


def amend(plan: Path, key: str, before: Any, after: Any) -> Registration:
    """Write the next amendment of ``plan``, one change, and return the plan with it."""
    folder = plan.parent / "amendments"
    folder.mkdir(exist_ok=True)
    earlier = sorted(folder.glob("*.toml"))
    parent = sha256((earlier[-1] if earlier else plan).read_bytes()).hexdigest()
    name = f"{len(earlier) + 1:04d}"
    (folder / f"{name}.toml").write_text(
        f'[[amendments]]\nname = "{name}"\nat = "2026-01-08T06:00:00Z"\nreason = "a test"\noutcome_known = false\n'
        f'affects = []\nparent_sha256 = "{parent}"\n\n[[amendments.changes]]\nkey = "{key}"\n'
        + toml({"before": before, "after": after})
    )
    return load_registration(plan)
