"""Progress is looked at, never waited for, and changes nothing."""

from __future__ import annotations

from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from backtest.tasks.progress import step, watched


def test_nobody_watching_costs_nothing() -> None:
    """Without a report there is no folder, and a step without a file is no step."""
    with watched(3, None) as folder:
        assert folder is None
        step(None)


def test_steps_of_all_tasks_add_up() -> None:
    """Each task has its own file; the report hears the sum, never more than there is, and the end at the end."""
    heard: list[tuple[int, int]] = []
    with watched(30, lambda n, of: heard.append((n, of)), every_s=0.001) as folder:
        assert folder is not None
        with ThreadPool(3) as pool:
            pool.map(lambda task: [step(folder / str(task)) for _ in range(10)], range(3))

    counts = [n for n, _ in heard]
    assert heard[-1] == (30, 30)
    assert counts == sorted(counts)
    assert {of for _, of in heard} == {30}


def test_the_watch_ends_with_the_work_even_when_it_fails() -> None:
    """After an error the folder is gone and the last count was told."""
    heard: list[int] = []
    kept: list[Path] = []

    def work() -> None:
        with watched(9, lambda n, _of: heard.append(n)) as folder:
            assert folder is not None
            kept.append(folder)
            step(folder / "a")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        work()

    assert heard[-1] == 1
    assert not kept[0].exists()
