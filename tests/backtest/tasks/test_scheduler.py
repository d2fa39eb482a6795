"""Who does a task, how often, and what an earlier attempt left cannot matter; a death costs time.  [S8.5]"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backtest import environment
from backtest.tasks import scheduler
from backtest.tasks.scheduler import ATTEMPTS, Task, TaskMarket, WorkerPool, market_of, stamp_of
from backtest.tasks.serialization import encode
from engine.errors import DataError, GateError
from tests.helpers import workers as helpers_workers
from tests.helpers.small_run import ROOT, Tiny

NUMBERS = range(6)


@pytest.fixture
def market(tiny: Tiny) -> TaskMarket:
    return market_of(tiny.dataset, tiny.registration)


def tasks(work: object, folder: Path) -> list[Task]:
    return [Task(work, (encode(n), encode(str(folder))), 1) for n in NUMBERS]  # type: ignore[arg-type]


def asked(folder: Path) -> list[int]:
    return [(folder / f"{n}.asked").stat().st_size for n in NUMBERS]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_tasks(market: TaskMarket, tmp_path: Path, workers: int) -> None:
    assert WorkerPool(workers).results(market, tasks(helpers_workers.double, tmp_path), None) == [0, 2, 4, 6, 8, 10]
    assert asked(tmp_path) == [1] * 6


def test_what_a_killed_worker_had_not_finished_is_done_again(market: TaskMarket, tmp_path: Path) -> None:
    """SIGKILL in the middle of a task: the same results, and it is said once."""
    heard: list[str] = []
    crew = WorkerPool(2, log_tag=lambda key, sentence: heard.append(f"{key}: {sentence}"))

    assert crew.results(market, tasks(helpers_workers.die_once, tmp_path), None) == [0, 2, 4, 6, 8, 10]
    assert len(heard) == 1
    assert heard[0].startswith("worker_lost_1: a worker died (TerminatedWorkerError)")


@pytest.mark.slow
def test_a_task_that_kills_every_worker_is_done_by_this_process(market: TaskMarket, tmp_path: Path) -> None:
    """Bounded: after the last attempt no other process is asked; each death is told under a key of its own."""
    (tmp_path / "home").write_text(str(os.getpid()))
    heard: dict[str, str] = {}

    found = WorkerPool(2, log_tag=heard.__setitem__).results(
        market, tasks(helpers_workers.die_elsewhere, tmp_path), None
    )

    assert found == [0, 2, 4, 6, 8, 10]
    assert list(heard) == [f"worker_lost_{n + 1}" for n in range(ATTEMPTS)]
    assert heard[f"worker_lost_{ATTEMPTS}"].endswith("by this process alone")


def test_an_error_of_a_task_is_no_death(market: TaskMarket, tmp_path: Path) -> None:
    """It is raised as it is, and nothing is tried again."""
    with pytest.raises(DataError, match="expected another number"):
        WorkerPool(1).results(market, tasks(helpers_workers.refuse, tmp_path), None)
    assert [file.stat().st_size for file in tmp_path.glob("*.asked")] == [1]


def test_finished_parts_are_taken_up_and_damaged_ones_are_not(market: TaskMarket, tmp_path: Path) -> None:
    """The second attempt asks only for what is missing or does not carry its own hash; a foreign part is never read."""
    crew, todo, out = WorkerPool(1, out=tmp_path / "runs"), tasks(helpers_workers.double, tmp_path), tmp_path / "runs"
    first = crew.results(market, todo, None)
    folder = crew.cache(market).folder
    assert folder is not None
    kept = [folder / f"{task.key()}.piece" for task in todo]
    kept[0].unlink()
    kept[1].write_bytes(kept[1].read_bytes()[:-1])
    kept[2].write_bytes(kept[3].read_bytes())  # whole, but another task's
    heard: dict[str, str] = {}
    replace(crew, log_tag=heard.__setitem__).resume(market)

    assert crew.results(market, todo, None) == first
    assert asked(tmp_path) == [2, 2, 2, 1, 1, 1]
    assert "5 finished parts" in heard["resumed"]
    crew.cache(replace(market, stamp="0" * 64)).remove()
    assert folder.exists()
    crew.cache(market).remove()
    assert not (out / ".work").exists()


def test_a_worker_that_sees_something_else_refuses_before_any_work(market: TaskMarket, tmp_path: Path) -> None:
    """Other data, code or versions there than here: exit 21, and no task was begun."""
    with pytest.raises(GateError, match="expected the data set, plan, code and package versions") as refused:
        WorkerPool(1).results(replace(market, stamp="0" * 64), tasks(helpers_workers.double, tmp_path), None)

    assert refused.value.exit_code == 21
    assert list(tmp_path.iterdir()) == []


def test_the_stamp_moves_with_plan_and_data(tiny: Tiny) -> None:
    """What was finished under another plan or on other data is under another stamp."""
    stamps = {
        stamp_of(tiny.dataset, tiny.registration),
        stamp_of(replace(tiny.dataset, dataset_hash="0" * 64), tiny.registration),
        stamp_of(tiny.dataset, replace(tiny.registration, config_hash="0" * 64)),
    }
    assert len(stamps) == 3


def test_the_stamp_moves_with_the_code_of_every_package_a_task_calls(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A comment more in `backtest.pipeline` gives another stamp: a finished part of the old code is not taken up."""
    copy = tmp_path / "backtest"
    shutil.copytree(ROOT / "backtest", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    stamps = []
    for name in (None, "pipeline/replays.py", "folds/fit.py", "data/panels/reader.py"):
        if name is not None:
            (copy / name).write_text((copy / name).read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
        scheduler._code.cache_clear()
        stamps.append(stamp_of(tiny.dataset, tiny.run.registration))
    scheduler._code.cache_clear()

    assert len(set(stamps)) == 4


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_digest_though_a_worker_is_killed(tiny: Tiny, tmp_path: Path) -> None:
    """Two worker processes on a loopback address, one killed in mid-run: every file of the run is the same."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.helpers.dask_cluster", str(tiny.config), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder, killed = done.stdout.split()[-2:]

    assert killed == "killed"
    assert (Path(folder) / "digest.txt").read_text() == (tiny.folder / "digest.txt").read_text()
    for name in ("ledger/emit.jsonl", "ledger/resolution.jsonl", "placements.parquet", "returns.parquet"):
        assert (Path(folder) / name).read_bytes() == (tiny.folder / name).read_bytes(), name
