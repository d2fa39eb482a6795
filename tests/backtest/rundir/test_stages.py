"""The named stages of a window: their order, what each adds to the job, and what they write."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.pipeline.placements import read_placements
from backtest.rundir.stages import ENGINE, HARNESS, PLACEMENTS, Stage, WindowJob, run_stages
from tests.helpers.small_run import Tiny


@pytest.fixture
def job(tiny: Tiny) -> WindowJob:
    return WindowJob(tiny.dataset, tiny.registration, tiny.registration.plan, tiny.seeds)


def test_a_window_in_memory_is_the_window_of_the_run_directory(tiny: Tiny, job: WindowJob, tmp_path: Path) -> None:
    """Without a folder nothing is written, and signals, trades and placements are those of the finished run."""
    names: list[str] = []
    done = run_stages(job, HARNESS, names.append)

    assert names == ["engine", "placements"]
    assert done.folder is None
    assert done.finished_run.signals == tiny.run.signals
    assert done.finished_run.trades == tiny.run.trades
    kept = read_placements(tiny.folder)
    assert kept is not None
    assert done.finished_placements.placed["usd_micro"].tolist() == kept.placed["usd_micro"].tolist()
    assert not list(tmp_path.iterdir())


def test_a_property_asked_before_its_stage_names_the_stage(job: WindowJob) -> None:
    """A stage out of order fails with the name of the stage that is missing, not with an attribute of None."""
    with pytest.raises(ValueError, match="stage engine"):
        run_stages(job, (PLACEMENTS,))
    with pytest.raises(ValueError, match="stage placements"):
        _ = job.finished_placements
    with pytest.raises(ValueError, match="stage engine with a folder"):
        _ = job.run_folder


def test_a_stage_that_fails_is_the_last_that_begins(job: WindowJob) -> None:
    """The name of a stage is reported before the stage runs, and nothing after a failure is."""

    def fail(job: WindowJob, _: object) -> WindowJob:
        raise RuntimeError(job.registration.study)

    names: list[str] = []
    with pytest.raises(RuntimeError):
        run_stages(job, (Stage("first", lambda job, _: job), Stage("second", fail), ENGINE), names.append)

    assert names == ["first", "second"]


def test_a_stage_reports_its_progress_unless_quiet(job: WindowJob) -> None:
    """Quiet stages get None, so that the worker processes write no progress files."""
    heard: list[bool] = []

    def record(job: WindowJob, on_progress: object) -> WindowJob:
        heard.append(on_progress is not None)
        return job

    run_stages(job, (Stage("one", record),), quiet=True)
    run_stages(job, (Stage("one", record),), quiet=False)

    assert heard == [False, True]
