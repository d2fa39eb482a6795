"""A simulation from its scenario to a run directory.  [interface, risk.md 14.3]

    runs/<id>/  manifest.json scenario.toml figures.json layers.json TABLE.csv ... digest.txt

The id comes from what went in: the scenario, seed and venue, the venue's parameters, the engine's venue family, the
bytes of the files that were read.  The digest covers figures, layers and tables and nothing of the machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_folder
from backtest.simulation.registry import kind_of
from backtest.simulation.result import SimulationResult, SimulationTask, digest_of_files, json_bytes
from backtest.simulation.scenario import LoadedScenario, Scenario, load_scenario
from engine.errors import MissingError
from engine.freeze import engine_root, tree_hash

SCHEMA: Final = "simulation-run/1"
VENUES: Final = Path(__file__).resolve().parents[2] / "configs" / "venue_risk"
DIGEST: Final = "digest.txt"


@dataclass(frozen=True, slots=True)
class SimulationRun:
    """What a finished simulation left: its folder, figures, and digest."""

    folder: Path
    figures: dict[str, Any]
    digest: str


def run_scenario(
    config: Path,
    out: Path,
    *,
    data_root: Path | None = None,
    venue: str | None = None,
    seed: int | None = None,
    workers: int = 1,
    on_progress: Callable[[str], None] = lambda _: None,
) -> SimulationRun:
    """Run the scenario in ``config`` and write its directory below ``out``; an older one of the same id is replaced.

    ``venue`` and ``seed`` take the place of the plan's.  Raises `UsageError` (2), `MissingError` (3) or `DataError` (4)
    before anything is written, `WriteError` (5) where the disk refuses.
    """
    loaded = load_scenario(config)
    plan = with_options(loaded.plan, venue, seed)
    result = compute(plan, data_root, workers, on_progress)
    files = result.files()
    digest = digest_of_files(files)
    manifest = _manifest(loaded, plan, result, digest)
    folder = write_folder(
        out / manifest["id"],
        {
            "manifest.json": json_bytes(manifest), "scenario.toml": loaded.text.encode(), **files,
            DIGEST: f"{digest}\n".encode(),
        },
    )  # fmt: skip
    return SimulationRun(folder, json.loads(files["figures.json"]), digest)


def compute(
    plan: Scenario, data_root: Path | None, workers: int = 1, on_progress: Callable[[str], None] = lambda _: None
) -> SimulationResult:
    """Return the result of a plan.  Raises `MissingError` (3) for a venue without a file; as the kind raises."""
    if not (VENUES / f"{plan.venue}.toml").is_file():
        known = ", ".join(sorted(path.stem for path in VENUES.glob("*.toml")))
        raise MissingError(f"venue: expected one of {known}, was {plan.venue!r}: add its file to configs/venue_risk")
    return kind_of(plan.kind).compute(SimulationTask(plan, data_root, VENUES, workers, on_progress))


def with_options(plan: Scenario, venue: str | None, seed: int | None) -> Scenario:
    """Return the plan with a command's ``--venue`` and ``--seed``, where given."""
    changes: dict[str, Any] = {} if venue is None else {"venue": venue}
    return plan.model_copy(update=changes if seed is None else changes | {"seed": seed})


def _manifest(loaded: LoadedScenario, plan: Scenario, result: SimulationResult, digest: str) -> dict[str, Any]:
    inputs = {
        "config": sha256(loaded.text.encode()).hexdigest(), "venue": plan.venue, "seed": plan.seed,
        "venue_files": {
            name: sha256((VENUES / f"{name}.toml").read_bytes()).hexdigest() for name in sorted({plan.venue, "harness"})
        },
        # The venue's family alone: a change of another leaves the name of the run.  [spec README "Records"]
        "venue_seal": tree_hash(engine_root() / "venue"), "sources": result.sources,
    }  # fmt: skip
    code = sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
    return {
        "schema": SCHEMA, "id": f"{plan.name}-{plan.venue}-{code}", "study": plan.name, "title": plan.title,
        "kind": plan.kind, "mode": "exploratory", "synthetic": not kind_of(plan.kind).is_real, **inputs,
        "window": {"start": "", "end": ""}, "digest": digest, "cannot_say": list(result.cannot_say),
    }  # fmt: skip
