"""Maps a function over items in several processes, or in this one.  [S8.5]

    results = parallel_map(2)(work, shared, items)      yields work(shared, item) of every item, in order

The processes begin at once, so this one may do something else before it asks for the results.  A result depends on
``shared`` and its item only, so the number of processes cannot matter.  Unlike the tasks of `backtest.tasks.scheduler`
these are short and not kept on the disk: if a worker dies, this process computes what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

MapFunction = Callable[[Any, Any], Any]
"""``work(shared, item)``: a function of a module, so that every process finds it by name."""
ParallelMap = Callable[[MapFunction, Any, Iterable[Any]], Iterator[Any]]
"""``parallel_map(work, shared, items)``: yields one result an item, in the order of ``items``."""


def serial_map(work: MapFunction, thing: object, items: Iterable[Any]) -> Iterator[Any]:
    """Yield one result an item, each computed by this process when it is asked for."""
    return map(partial(work, thing), items)


def parallel_map(workers: int) -> ParallelMap:
    """Return a map over ``workers`` processes, which begin when it is called; below 2, `serial_map`."""
    return serial_map if workers < 2 else partial(_spread, workers)


def with_progress(names: Iterable[str], on_progress: Callable[[str], None]) -> Iterator[str]:
    """Yield ``names``, calling ``on_progress`` with each before it is yielded."""
    for name in names:
        on_progress(name)
        yield name


def _spread(workers: int, work: MapFunction, thing: object, items: Iterable[Any]) -> Iterator[Any]:
    from joblib import Parallel, delayed

    # Kept: what a dead worker leaves is computed from it.
    listed = list(items)
    pool = Parallel(n_jobs=workers, return_as="generator", batch_size=1, pre_dispatch="all")
    return _collected(pool(delayed(work)(thing, item) for item in listed), partial(work, thing), listed)


def _collected(results: Iterator[Any], work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    """Yield ``results``; if the death of a worker ends them early, this process computes the rest."""
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
    """Have ``workers`` idle processes import ``modules`` while the block runs."""
    going = parallel_map(workers)(_import, None, modules * workers) if workers > 1 else iter(())
    try:
        yield
    except KeyboardInterrupt:  # which is not to be kept waiting
        raise
    except BaseException:
        list(going)  # also where the block fails: processes that are given up say so on stderr
        raise
    list(going)


def _import(_: object, module: str) -> None:
    import_module(module)
