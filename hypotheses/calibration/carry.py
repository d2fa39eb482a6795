"""``cme calibrate CONFIG --carry COMMIT``: a certificate kept for later code that judges the same markets alike.

Two commits, each in a checkout of its own, run the demonstration, both real studies and a quick certificate of every
cell.  Only if nothing differs, value by value, does the certificate get a record with the hashes of the later code;
cells that are named are measured anew under it, and their rows take the place of the old ones.  [docs/decisions/0710]

    OUT/carry/<commit>/runs, quick       what one commit gave
    OUT/carry/<commit>/<step>.done       the command of a finished step: it is not run again
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from backtest.gate.freeze.commit_checkout import call, checked_out, say
from backtest.gate.freeze.git_checkout import git
from backtest.rundir.same_results import compared, runs_of
from engine.errors import GateError, ReproduceError, UsageError
from hypotheses.calibration import registry
from hypotheses.calibration.carried import CERTIFIED, carried_to, differing_rows, in_force, rows_of
from hypotheses.calibration.code_hashes import seals
from hypotheses.calibration.edge import CURVE, detectable_edges
from hypotheses.calibration.plan import Plan, load_plan, statistics_hash
from hypotheses.calibration.publish import NAME, certificate_of, kept_certificate, wanted
from hypotheses.calibration.run import Job, OnProgress, finished, measure

PLANS: Final = ("configs/demo.toml", "configs/studies/carry-2022-2024.toml", "configs/studies/btc-2026q1.toml")
"""The demonstration and both real studies, from the top of the checkout."""
SEALS_OF: Final = "import json; from hypotheses.calibration.code_hashes import seals; print(json.dumps(seals()))"
TOGETHER: Final = {"n2-size/": "n2-size/", CURVE: "seven"}
"""Cells whose figures beside the rows follow from other cells too: these are measured anew with them."""
SHOWN: Final = 12
"""Differences that a refusal lists."""


@dataclass(frozen=True)
class Request:
    """What is asked: the checkout, the certificate's configuration and folder, the commit whose code it is of."""

    root: Path
    job: Job
    commit: str
    workers: int
    anew: tuple[str, ...] = ()
    plans: tuple[str, ...] = PLANS
    quiet: bool = False


@dataclass(frozen=True)
class Side:
    """A commit, the hashes of its code, the checkout it runs in and the folder that keeps what it gave."""

    commit: str
    seals: Mapping[str, str]
    tree: Path
    folder: Path


def carry(
    request: Request, content: Mapping[str, Any], on_step: Callable[[str], None], on_progress: OnProgress
) -> dict[str, Any]:
    """Return the certificate ``content`` carried over to the code of HEAD, or as it is where it is of that code.

    ``on_step`` is called with a sentence before each step, ``on_progress`` while cells are measured anew.

    Raises ``UsageError`` (2) for a certificate that is not whole, a commit of other code, a configuration outside the
    checkout and an unknown cell, ``GateError`` (22) if the running code is not that of HEAD, (26) if the registered
    statistics, draws, limits or numbers of replications are not the certificate's, and ``ReproduceError`` (32) naming
    each run and cell that differs.
    """
    if not request.job.config.is_relative_to(request.root):
        raise UsageError(f"--carry: expected a configuration inside {request.root}, was {request.job.config}")
    plan, cells = load_plan(request.job.config), anew(request)
    _registered(content, plan, cells)
    now = in_force(content).seals
    if all(now[name] == seals()[name] for name in CERTIFIED) and not cells:
        return dict(content)
    with ExitStack() as stack:
        old, new = (_side(request, name, stack) for name in (request.commit, "HEAD"))
        if other := [name for name in CERTIFIED if old.seals[name] != now[name]]:
            raise UsageError(
                f"--carry: expected a commit with the code that the certificate is of, was {old.commit[:12]} with "
                f"another {', '.join(other)}: name the commit it was measured at, or the last it was carried over to"
            )
        if new.seals != seals():
            raise GateError(
                f"--carry: expected the running code to be that of HEAD ({new.commit[:12]}), was another: commit first",
                exit_code=22,
            )
        for side in (old, new):
            _evidence(request, side, on_step)
    runs, rows = _equal(old, new, cells)
    record = {
        "from": {"commit": old.commit, "seals": {**old.seals}},
        "to": {"commit": new.commit, "seals": {**new.seals}},
        "at": git(request.root, "show", "-s", "--format=%cI", new.commit).strip(),
        "runs": runs,
        "rows": rows,
        "measured_anew": list(cells),
    }
    measured = _measured_anew(request, content, cells, on_progress) if cells else content
    return carried_to(measured, record)


def anew(request: Request) -> tuple[str, ...]:
    """Return the cells with rows that are measured anew: those named, and those whose figures hang together with them.

    Raises ``UsageError`` (2) for a name that no cell has.
    """
    names = {cell.name for cell in wanted(request.anew, request.job.data)} if request.anew else set()
    for prefix, more in TOGETHER.items():
        if any(name.startswith(prefix) for name in names):
            names |= {name for name in registry.BY_NAME if name.startswith(more)}
    return tuple(cell.name for cell in registry.CELLS if cell.name in names and cell.rows)


def _registered(content: Mapping[str, Any], plan: Plan, cells: tuple[str, ...]) -> None:
    """Raise unless the certificate is whole and its registered numbers are those of the plan."""
    if not content["whole"] or content["quick"]:
        raise UsageError("--carry: expected a whole certificate, was one with fewer replications: measure it first")
    draws = {"n2": plan.stats.n2_draws, "bootstrap": plan.stats.bootstrap_draws}
    other = ["statistics"] if content["seals"]["statistics_hash"] != statistics_hash(plan.study.content) else []
    other += ["draws"] if content["draws"] != draws else []
    limits = {
        (cell.name, spec.name): None if not spec.limit else plan.document.limits[spec.limit].model_dump()
        for cell in registry.CELLS
        for spec in cell.rows
    }
    for row in content["rows"]:
        place = (row["cell"], row["name"])
        if row["cell"] not in cells and place in limits:
            other += [f"limit of {row['name']}"] if row["limit"] != limits[place] else []
            count = plan.counts[registry.BY_NAME[row["cell"]].count]
            other += [f"replications of {row['cell']}"] if row["registered"] != count else []
    if other:
        raise GateError(
            f"--carry: expected the certificate's own registered numbers in {plan.path}, was another: "
            f"{', '.join(dict.fromkeys(other))}: measure it anew with --publish",
            exit_code=26,
        )


def _side(request: Request, name: str, stack: ExitStack) -> Side:
    commit = git(request.root, "rev-parse", "--verify", f"{name}^{{commit}}").strip()
    tree = stack.enter_context(checked_out(request.root, commit))
    folder = request.job.out / "carry" / commit[:12]
    return Side(commit, json.loads(say(tree, SEALS_OF)), tree, folder)


def _evidence(request: Request, side: Side, on_step: Callable[[str], None]) -> None:
    """Run every step of one side that is not kept."""
    config = request.job.config.relative_to(request.root).as_posix()
    common = ["--workers", str(request.workers), *(["--data", str(request.job.data)] if request.job.data else [])]
    common += ["--quiet"] if request.quiet else []
    steps = {
        Path(plan).stem: ["run", plan, "--exploratory", "--out", str(side.folder / "runs"), *common]
        for plan in request.plans
    }
    steps["quick"] = ["calibrate", config, "--quick", "--out", str(side.folder / "quick"), *common]
    for name, words in steps.items():
        kept, said = side.folder / f"{name}.done", json.dumps([word for word in words if word != "--quiet"])
        done = kept.is_file() and kept.read_text(encoding="utf-8") == said
        on_step(f"{side.commit[:12]}: {name}{' (kept)' if done else ''}")
        if not done:
            call(side.tree, words, {**os.environ, "CME_JOURNALS": str(side.folder / "journals")})
            write_whole(kept, said.encode())


def _equal(old: Side, new: Side, cells: tuple[str, ...]) -> tuple[list[dict[str, Any]], int]:
    """Return what was compared of each run, and how many rows of the quick certificates; raises where any differs."""
    runs, differing = _compared_runs(old, new)
    left, right = (rows_of(kept_certificate(side.folder / "quick" / NAME)) for side in (old, new))
    differing += [f"cell {line}" for line in differing_rows(left, right, cells)]
    if differing:
        more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        raise ReproduceError(
            f"--carry: expected equal results at {old.commit[:12]} and {new.commit[:12]}, was: "
            f"{'; '.join(differing[:SHOWN])}{more}. The certificate is not carried over: name cells that differ by "
            "--cell, which measures them anew, or measure all of it by --publish",
            exit_code=32,
        )
    return runs, len([row for row in left.values() if row["cell"] not in cells])


def _compared_runs(old: Side, new: Side) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what was compared of each run, and a line a difference."""
    olds, news = (runs_of(side.folder / "runs") for side in (old, new))
    runs, differing = [], []
    for name in sorted({*olds, *news}):
        if name not in olds or name not in news:
            differing.append(f"run {name}: only at {(old if name in olds else new).commit[:12]}")
            continue
        found = compared(olds[name], news[name])
        differing += [f"run {name}: {line}" for line in found.differences]
        counts = {"tables": found.tables, "ledger_rows": found.ledger_rows, "documents": found.documents}
        runs.append({"name": name, **counts, "added": list(found.additions)})
    if not runs:
        differing.append("no run was compared")
    return runs, differing


def _measured_anew(
    request: Request, content: Mapping[str, Any], names: tuple[str, ...], on_progress: OnProgress
) -> dict[str, Any]:
    """Return the certificate with the rows of ``names`` as the running code measures them."""
    cells = wanted(names, request.job.data)
    measure(request.job, cells, request.workers, on_progress)
    fresh = certificate_of(request.job, cells)
    measured = {row["cell"] for row in fresh["rows"]}
    rows: dict[str, list[Any]] = {}
    for row in [row for row in content["rows"] if row["cell"] not in measured] + fresh["rows"]:
        rows.setdefault(row["cell"], []).append(row)
    ordered = [row for cell in registry.CELLS for row in rows.get(cell.name, [])]
    sources = {source["cell"]: source for source in [*content["sources"], *fresh["sources"]]}
    changed = {"rows": ordered, "sources": list(sources.values()), "whole": content["whole"] and fresh["whole"]}
    if "seven" in measured:
        changed["edges"] = detectable_edges(ordered, finished(request.job, "seven"))
    if fresh["n2_choice"]:
        changed["n2_choice"] = fresh["n2_choice"]
    return {**content, **changed}
