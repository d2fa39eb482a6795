"""Independent pieces of work on one thing, done by processes side by side or by this one alone.  [S8.5]

    found = abreast(2)(work, thing, items)      yields work(thing, item) of every item in order, whoever does them

The processes begin at once, so this one may do something else before it asks for what they found.  What a piece gives
depends on the thing and its item only, so the number of processes cannot matter.  Unlike the tasks of
`backtest.tasks.scheduler` pieces are short and none is kept: what a worker that died owed is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

Piece = Callable[[Any, Any], Any]
"""``work(thing, item)``: a function of a module, so that every process finds it by name."""
ParallelMap = Callable[[Piece, Any, Iterable[Any]], Iterator[Any]]
"""``each(work, thing, items)``: one result an item, in the order of ``items``."""


def alone(work: Piece, thing: object, items: Iterable[Any]) -> Iterator[Any]:
    """Yield one result an item, each computed by this process when it is asked for."""
    return map(partial(work, thing), items)


def parallel_map(workers: int) -> ParallelMap:
    """Return the ``each`` of ``workers`` processes; they begin with the first items."""
    return alone if workers < 2 else partial(_spread, workers)


def with_progress(names: Iterable[str], on_progress: Callable[[str], None]) -> Iterator[str]:
    """Yield the ``names`` of items, each after it was told."""
    for name in names:
        on_progress(name)
        yield name


def _spread(workers: int, work: Piece, thing: object, items: Iterable[Any]) -> Iterator[Any]:
    from joblib import Parallel, delayed

    listed = list(items)
    pool = Parallel(n_jobs=workers, return_as="generator", batch_size=1, pre_dispatch="all")  # large arrays are shared
    return _collected(pool(delayed(work)(thing, item) for item in listed), partial(work, thing), listed)


def _collected(results: Iterator[Any], work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    """Yield what the processes ``results``; from where a death of one cut it short, what this process computes."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    done = 0
    try:
        for result in results:
            done += 1
            yield result
    except TerminatedWorkerError:
        yield from map(work, items[done:])


@contextmanager
def importing(workers: int, *modules: str) -> Iterator[None]:
    """Let ``workers`` processes that have nothing to do import ``modules`` while the block runs."""
    going = parallel_map(workers)(_import, None, modules * workers) if workers > 1 else iter(())
    try:
        yield
    finally:
        list(going)  # also where the block fails: processes that are given up say so on stderr


def _import(_: object, module: str) -> None:
    import_module(module)
