"""Runs the tasks of a run in processes here or on a Dask cluster, or takes results of an earlier attempt.  [S8.5]

A task depends on its arguments, the plan and the data set only, and results come back in the order of the tasks: the
number of workers, repeated tasks and what an earlier attempt finished cannot matter.  Arguments and results travel in
plain form.  If a worker dies, its unfinished tasks are done again, at last by this process alone.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from backtest import environment
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.manifest import MANIFEST_FILE
from backtest.records import Registration
from backtest.tasks import dask_backend
from backtest.tasks.gc_tuning import collect_seldom
from backtest.tasks.progress import step
from backtest.tasks.serialization import decode, encode
from backtest.tasks.task_cache import WORK, TaskCache
from engine.errors import GateError
from engine.freeze import engine_hash, tree_hash
from engine.records import Instruments

OnStep = Callable[[], None]
"""Called by a task after each of its steps."""
Work = Callable[..., object]
"""``work(dataset, registration, on_step, *arguments)``: a function of a module, which every process finds by name."""
ATTEMPTS = 3
"""How often unfinished tasks go to other processes before this process does them."""


@dataclass(frozen=True, slots=True)
class Task:
    """One call of ``work``; ``arguments`` in plain form, ``steps`` for the bar of progress."""

    work: Work
    arguments: tuple[bytes, ...]
    steps: int

    def key(self) -> str:
        """Return the name of the task: a hash of what it calls and with what."""
        parts = [
            self.work.__module__,
            self.work.__qualname__,
            *(sha256(argument).hexdigest() for argument in self.arguments),
        ]
        return sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TaskMarket:
    """What every task of a run shares; a worker compares the ``stamp`` with its own before its first task."""

    path: Path
    registration: Registration
    instruments: Instruments
    stamp: str


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """Where tasks run: in ``workers`` processes here, or on the Dask cluster at ``address``.

    ``out`` is the output folder below which finished parts are kept; None keeps none.  ``log_tag`` is called with a key
    and a sentence for the journal.
    """

    workers: int = 1
    address: str | None = None
    out: Path | None = None
    log_tag: Callable[[str, str], None] = lambda _key, _sentence: None

    def results(self, market: TaskMarket, tasks: Sequence[Task], progress: Path | None) -> list[Any]:
        """Return one result a task, in their order; ``progress`` is a folder of `backtest.tasks.progress`, or None."""
        cache, keys = self.cache(market), [task.key() for task in tasks]
        shared: dict[type[Any], object] = {Instruments: market.instruments}
        done = {n: decode(body, shared) for n, key in enumerate(keys) if (body := cache.read(key)) is not None}
        # What an earlier attempt finished counts too, or the bar would never be full.
        for n in done:
            _count(progress, keys[n], tasks[n].steps)
        for attempt in range(ATTEMPTS + 1):
            left = [n for n in range(len(tasks)) if n not in done]
            pool = self if attempt < ATTEMPTS else replace(self, workers=1, address=None)
            try:
                for n, body in pool._done(market, tasks, left, progress) if left else ():
                    cache.keep(keys[n], body)
                    done[n] = decode(body, shared)
                    _count(progress, keys[n], tasks[n].steps)
            except self._lost() as problem:
                rest = "again" if attempt + 1 < ATTEMPTS else "by this process alone"
                self.log_tag(
                    f"worker_lost_{attempt + 1}",
                    f"a worker died ({type(problem).__name__}); what it had not finished is done {rest}",
                )
        return [done[n] for n in range(len(tasks))]

    def resume(self, market: TaskMarket) -> None:
        """Log how many finished parts an earlier attempt at the run on ``market`` left, if any."""
        if kept := self.cache(market).count():
            self.log_tag("resumed", f"an earlier attempt was not finished; its {kept} finished parts are taken up")

    def cache(self, market: TaskMarket) -> TaskCache:
        """Return the cache of the finished parts of a run on ``market``."""
        # By the stamp: parts made with other code, versions, plan or data lie in another folder.
        return TaskCache(None if self.out is None else self.out / WORK / market.stamp[:16])

    def _done(
        self, market: TaskMarket, tasks: Sequence[Task], which: Sequence[int], progress: Path | None
    ) -> Iterator[tuple[int, bytes]]:
        """Yield (task, result in plain form) as they are finished."""
        from joblib import Parallel, delayed

        # A cluster need not see one of this machine.
        folder = progress if self.address is None else None
        calls = (
            delayed(perform)(
                n, tasks[n].work, tasks[n].arguments, market.path, market.registration, market.stamp,
                folder / tasks[n].key() if folder else None,
            )
            for n in which
        )  # fmt: skip
        # -1: all that the cluster has.
        jobs = self.workers if self.address is None else -1
        with nullcontext() if self.address is None else dask_backend.backend(self.address):
            # Tasks differ in length: in batches, some workers would be idle at the end.
            yield from Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="all")(calls)

    def _lost(self) -> tuple[type[BaseException], ...]:
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        return (TerminatedWorkerError, *(dask_backend.lost_worker_errors() if self.address else ()))


Workers = int | WorkerPool
"""A number of processes on this machine, or a pool."""


def pool_of(workers: Workers) -> WorkerPool:
    """Return the pool of ``workers``."""
    return workers if isinstance(workers, WorkerPool) else WorkerPool(workers)


def market_of(dataset: Dataset, registration: Registration) -> TaskMarket:
    """Return what the tasks on ``dataset`` share; its path is made one that other processes can use."""
    return TaskMarket(dataset.path.resolve(), registration, dataset.instruments, stamp_of(dataset, registration))


def stamp_of(dataset: Dataset, registration: Registration) -> str:
    """Return a hash of all that a task depends on besides its arguments: code, versions, plan, data set."""
    facts = {**_code(), "plan": registration.config_hash, "data": dataset.dataset_hash}
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@cache
def _code() -> dict[str, str]:
    # The whole package, not this folder: a task calls functions of data, folds and pipeline too.
    harness = tree_hash(environment.ROOT / "backtest")
    return {"engine": engine_hash(), "backtest": harness, **environment.versions()}


def perform(
    number: int,
    work: Work,
    arguments: Sequence[bytes],
    path: Path,
    registration: Registration,
    stamp: str,
    progress: Path | None,
) -> tuple[int, bytes]:
    """Return the task's number and result: the whole of what a worker does.

    Raises ``GateError`` (21) before any work where this process sees other data, plan, code or versions.
    """
    _settle(work)
    # With the hash of the manifest, so that a data set made anew at the same path is opened anew.
    dataset = _opened(path, sha256((path / MANIFEST_FILE).read_bytes()).digest())
    if stamp_of(dataset, registration) != stamp:
        raise GateError(
            f"{platform.node()}: expected the data set, plan, code and package versions of the command, was: data "
            f"{dataset.dataset_hash[:12]} at {path}, {_code()}: bring the worker to the same state",
            exit_code=21,
        )
    if progress is not None:
        # A worker that died may have left some steps of it.
        progress.write_bytes(b"")
    shared: dict[type[Any], object] = {Instruments: dataset.instruments}
    result = work(dataset, registration, lambda: step(progress), *(decode(argument, shared) for argument in arguments))
    return number, encode(result)


@cache
def _settle(_work: Work) -> None:
    """Make collections few and small, anew for each kind of work: joblib's workers collect once a second besides."""
    collect_seldom()


@lru_cache(maxsize=1)
def _opened(path: Path, _manifest: bytes) -> Dataset:
    """Return the data set in ``path``, opened once by a process for as long as its manifest stays the same."""
    return open_dataset(path)


def _count(progress: Path | None, key: str, steps: int) -> None:
    """Let all steps of a finished task count, whoever did them."""
    if progress is not None:
        (progress / key).write_bytes(b"." * steps)
