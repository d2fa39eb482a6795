"""Computes a certificate's replications in chunks, each whole by one worker, and keeps them.  [R11.2, S8.5]

    OUT/chunks/<cell>/<seal>/<first>-<last>.npz      columns of one chunk, and the processor time it took

A chunk is a function of its cell, its replications and the seal in its path, so a run that was killed continues, the
number of workers changes nothing, and changed code never reads old numbers.  Chunks are taken in turns over the cells,
so that a certificate of the chunks so far covers all cells alike.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from joblib import Parallel, delayed

from backtest.data.format.atomic_write import write_whole
from backtest.gate.freeze.import_closure import ROOT, closure_hash
from backtest.seeds import streams
from engine.errors import CmeError
from engine.ledger.format.canonical_json import tagged_hash
from hypotheses.calibration import registry
from hypotheses.calibration.base import Cell, Columns, Context, columns
from hypotheses.calibration.draws import Replayed
from hypotheses.calibration.plan import Plan, load_plan

CPU: Final = "cpu_s"
OnProgress = Callable[[str, int, int], None]
"""Called with (cell, replications done, all) whenever a chunk is whole."""


@dataclass(frozen=True)
class Job:
    """The inputs of one measurement; small enough to be sent to a worker."""

    config: Path
    quick: bool
    out: Path
    data: Path | None
    so_far: bool = False  # draws nothing new and evaluates the chunks that are kept
    replications: int | None = None  # of every cell that has rows, in place of the registered number


def measure(job: Job, cells: Sequence[Cell], workers: int, on_progress: OnProgress) -> None:
    """Compute every chunk of ``cells`` that is not kept yet, those that read others last."""
    plan = load_plan(job.config, job.quick)
    drawn, reading = [c for c in cells if not c.source], [c for c in cells if c.source]
    for stage in [reading] if job.so_far else [drawn, reading]:
        wanted = {cell.name: size(job, plan, cell) for cell in stage}
        todo = [
            (cell, first) for cell in stage for first in starts(job, plan, cell) if not _kept(job, plan, cell, first)
        ]
        # by share done, and stable: the cells take turns, whatever their numbers of replications
        todo.sort(key=lambda task: task[1] / wanted[task[0].name])
        done = {cell.name: wanted[cell.name] - _open(cell, wanted[cell.name], todo) for cell in stage}
        for cell in stage:
            on_progress(cell.name, done[cell.name], wanted[cell.name])
        pool = Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        for name, count in pool(delayed(compute)(job, cell.name, first) for cell, first in todo):
            done[name] += count
            on_progress(name, done[name], wanted[name])


def size(job: Job, plan: Plan, cell: Cell) -> int:
    """Return how many replications a cell has, as registered or so far; at most as many as the cell it reads has."""
    count = asked(job, plan, cell)
    if not job.so_far:
        return count
    if cell.source:
        source = registry.BY_NAME[cell.source]
        return count if source.count != cell.count and size(job, plan, source) else min(count, size(job, plan, source))
    have = 0
    # Up to the first gap: columns are read as one stretch from the start.
    for first in range(0, count, cell.chunk):
        if not _kept(job, plan, cell, first):
            break
        have = min(first + cell.chunk, count)
    return have


def asked(job: Job, plan: Plan, cell: Cell) -> int:
    """Return how many replications of a cell are asked for; those that others read alone have the registered number."""
    registered = plan.counts[cell.count]
    if job.replications is None or not cell.rows:
        return registered
    # A kept market is judged once: a cell of as many replications as the one it reads has no more.
    shared = cell.source and registry.BY_NAME[cell.source].count == cell.count
    return min(job.replications, registered) if shared else job.replications


def starts(job: Job, plan: Plan, cell: Cell) -> range:
    """Return the first replication of each chunk."""
    return range(0, size(job, plan, cell), cell.chunk)


def compute(job: Job, name: str, first: int) -> tuple[str, int]:
    """Compute one chunk and keep it; return the cell's name and the number of its replications."""
    cell, context, plan = registry.BY_NAME[name], _context(job), _plan(job)
    begun = time.process_time()
    last = _last(job, plan, cell, first)
    measured = columns([cell.replicate(context, cell.start + r) for r in range(first, last)])
    # kept with the chunk, so that a resumed certificate still knows its cost
    measured[CPU] = np.array([time.process_time() - begun])
    buffer = io.BytesIO()
    # written to memory first: a killed worker leaves no half of a chunk
    np.savez_compressed(buffer, allow_pickle=False, **measured)
    write_whole(chunk_path(job, plan, cell, first), buffer.getvalue())
    return name, last - first


def finished(job: Job, name: str) -> Columns:
    """Return all replications of a measured cell as columns.  Raises ``CmeError`` where a chunk is lacking."""
    plan, cell = _plan(job), registry.BY_NAME[name]
    parts = [read_chunk(chunk_path(job, plan, cell, first)) for first in starts(job, plan, cell)]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0] if key != CPU} if parts else {}


def spent_s(job: Job, cell: Cell) -> float:
    """Return the processor time its chunks took, seconds."""
    plan = _plan(job)
    return math.fsum(float(read_chunk(chunk_path(job, plan, cell, first))[CPU][0]) for first in starts(job, plan, cell))


def read_chunk(path: Path) -> Columns:
    """Return the columns of one kept chunk.  Raises ``CmeError`` if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except (OSError, ValueError) as problem:
        raise CmeError(f"expected a whole chunk at {path}, was: {problem}; remove it and run again") from problem


def chunk_path(job: Job, plan: Plan, cell: Cell, first: int) -> Path:
    """Return the path of a chunk; its name contains the hash of everything the chunk depends on."""
    folder = job.out / "chunks" / cell.name.replace("/", "_") / chunk_seal(job, plan, cell)
    return folder / f"{first:05d}-{_last(job, plan, cell, first) - 1:05d}.npz"


def chunk_seal(job: Job, plan: Plan, cell: Cell) -> str:
    """Return twelve hex characters of every file the cell imports, the seeds, and what a replication reads.

    A cell that reads another depends on that one's seal too, and on how many replications it has.
    """
    text = f"{closure_hash((cell.replicate.__module__,))} {_seeds().seeds_hash} {plan.inputs_hash(cell.reads)}"
    if cell.source:
        source = registry.BY_NAME[cell.source]
        text += f" {chunk_seal(job, plan, source)} {size(job, plan, source)}"
    return tagged_hash("tree", text.encode())[:12]


def _last(job: Job, plan: Plan, cell: Cell, first: int) -> int:
    whole = asked(job, plan, cell) if not cell.source else size(job, plan, cell)
    return min(first + cell.chunk, whole)


def _kept(job: Job, plan: Plan, cell: Cell, first: int) -> bool:
    return chunk_path(job, plan, cell, first).is_file()


def _open(cell: Cell, count: int, todo: Sequence[tuple[Cell, int]]) -> int:
    return sum(min(cell.chunk, count - first) for waiting, first in todo if waiting is cell)


@lru_cache(maxsize=2)
def _plan(job: Job) -> Plan:
    return load_plan(job.config, job.quick)


@lru_cache(maxsize=1)
def _seeds() -> streams.Seeds:
    return streams.load(ROOT / "seeds.lock")


@lru_cache(maxsize=2)
def _context(job: Job) -> Context:
    plan, chance = _plan(job), _seeds()
    # One at a time: the replications of a market cell are large.
    kept = lru_cache(maxsize=1)(lambda name: finished(job, name))
    return Context(
        plan.study, plan.stats, {**plan.markets, **plan.resampled}, chance, Replayed(chance), kept, job.out, job.data
    )


def cells_of(names: Sequence[str]) -> Iterator[Cell]:
    """Yield the cells of ``names`` in the registry's order; no name: all."""
    yield from (cell for cell in registry.CELLS if not names or cell.name in names)
