"""The named stages that take one window from its data set to its run directory, in the order of a run.  [S8.6]

    engine       the engine over history and window; the run directory, where one is wanted
    placements   every signal at every time the nulls move it to; where there is a run directory, the tables of it and
                 of the deepest touch of each book that a signal hits

`cme run` goes on with verdicts, report and look.  `cme reproduce` and `cme calibrate` run the same stages, so that
they cannot do something else than what they reproduce or calibrate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from backtest.data.format.dataset import Dataset
from backtest.gate.run_mode import UNCHECKED, RunMode
from backtest.pipeline.blinded import blinded_window
from backtest.pipeline.emission import ChooseZ
from backtest.pipeline.placements import Placements, place_and_touch, place_window, write_placements
from backtest.pipeline.replays import PlansInForce
from backtest.pipeline.touch_depths import write_touch
from backtest.pipeline.window import WindowRun, run_window
from backtest.records import Plan, Registration
from backtest.rundir import checksums
from backtest.rundir.staging import publish
from backtest.rundir.write import run_id, write_run
from backtest.seeds.streams import Seeds
from backtest.tasks.parallel import importing
from backtest.tasks.progress import OnDayDone
from backtest.tasks.scheduler import Workers, pool_of
from backtest.terminal import OnProgress, progress


@dataclass(frozen=True, slots=True)
class WindowJob:
    """One window on its way through the stages: what they read, and below it what they made so far.

    ``out`` is the folder below which the run directory is written; None writes nothing.  If ``staged`` it is written
    beside one of the same name, for `backtest.rundir.staging.publish`.  ``plans`` are those in force, each from a time
    on; none where ``registration`` is the only one.  ``warm_up`` names modules
    that idle worker processes import while this one writes.  ``run``, ``folder`` and ``placements`` are None before
    the stage that makes them; the properties return the same, or raise ``ValueError`` if asked too early.
    """

    dataset: Dataset
    registration: Registration
    plan: Plan
    seeds: Seeds
    workers: Workers = 1
    out: Path | None = None
    run_mode: RunMode = UNCHECKED
    warm_up: tuple[str, ...] = ()
    staged: bool = False
    plans: PlansInForce = ()
    run: WindowRun | None = None
    folder: Path | None = None
    placements: Placements | None = None

    @property
    def finished_run(self) -> WindowRun:
        """The run of the window.  Raises ``ValueError`` before the stage ``engine``."""
        if self.run is None:
            raise ValueError("expected the stage engine before this one, was a window that has not run")
        return self.run

    @property
    def finished_placements(self) -> Placements:
        """The placements of the window.  Raises ``ValueError`` before the stage ``placements``."""
        if self.placements is None:
            raise ValueError("expected the stage placements before this one, was a window without placements")
        return self.placements

    @property
    def run_folder(self) -> Path:
        """The run directory.  Raises ``ValueError`` where none was written."""
        if self.folder is None:
            raise ValueError("expected a run directory, was none: run the stage engine with a folder `out`")
        return self.folder


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a window: its name, as in the journal, and the function from a job to the job after it.

    The function is called with the job and what it reports its progress to, None where no progress is shown.
    """

    name: str
    run: Callable[[WindowJob, OnProgress | None], WindowJob]


def run_stages(
    job: WindowJob, stages: Sequence[Stage], on_stage: Callable[[str], None] = lambda _: None, quiet: bool = True
) -> WindowJob:
    """Return ``job`` after ``stages``, run in their order.

    ``on_stage`` is called with the name of each stage before it begins.  A progress line is drawn unless ``quiet``.
    Raises whatever a stage raises; what earlier stages wrote stays on the disk.
    """
    for stage in stages:
        on_stage(stage.name)
        with progress(stage.name, quiet) as on_progress:
            job = stage.run(job, None if quiet else on_progress)
    return job


def run_unless_finished(
    job: WindowJob, stages: Sequence[Stage], on_stage: Callable[[str], None], again: bool, quiet: bool
) -> Path:
    """Return the run directory of ``job``, made by ``stages``; one that is finished already is left as it is.

    A run directory is finished if its listing names its files as they are.  If ``again``, and in a confirmatory run,
    whose look is open then, it is made anew.  Raises ``ValueError`` for a job without ``out``.
    """
    if job.out is None:
        raise ValueError("expected a folder `out`, was none")
    folder = job.out / run_id(job.registration, job.plan, job.dataset, job.seeds, job.run_mode)
    if again or job.run_mode.mode == "confirmatory" or not checksums.holds(folder):
        return run_stages(job, stages, on_stage, quiet).run_folder
    sentence = f"{folder} is finished and stays as it is: --again runs it anew"
    pool_of(job.workers).log_tag(f"finished.{folder.name}", sentence)
    return folder


def run_engine(job: WindowJob, on_progress: OnProgress | None) -> WindowJob:
    """Return ``job`` with its ``run`` and, where ``out`` is a folder, with the run directory written below it."""
    run = run_window(
        job.dataset,
        job.registration,
        job.plan,
        workers=job.workers,
        report=_reporter(on_progress, "days"),
        plans=job.plans,
    )
    if job.out is None:
        return replace(job, run=run)
    # Libraries of statistics take a worker a second to import: it has nothing else to do while this process writes.
    workers = pool_of(job.workers).workers
    with importing(workers, *job.warm_up) if job.warm_up else nullcontext():
        folder = write_run(run, job.dataset, job.seeds, job.out, job.run_mode, staged=job.staged)
    return replace(job, run=run, folder=folder)


def run_blinded(z_of: ChooseZ | None, job: WindowJob, on_progress: OnProgress | None) -> WindowJob:
    """Return ``job`` with the blinded run and placements of its window, written into a run directory.  [live L0.7]

    ``z_of`` as in `backtest.pipeline.blinded.blinded_window`.  Raises ``ValueError`` for a job without ``out``.
    """
    if job.out is None:
        raise ValueError("expected a folder `out`, was none")
    run, placements, touch = blinded_window(
        job.dataset,
        job.registration,
        job.plan,
        job.seeds,
        workers=job.workers,
        report=_reporter(on_progress, "days"),
        plans=job.plans,
        z_of=z_of,
    )
    folder = write_run(run, job.dataset, job.seeds, job.out, job.run_mode)
    write_touch(folder, touch)
    write_placements(folder, placements)
    return replace(job, run=run, placements=placements, folder=folder)


def place_signals(job: WindowJob, on_progress: OnProgress | None) -> WindowJob:
    """Return ``job`` with its ``placements``, written into the run directory where there is one.

    Raises ``ValueError`` before the stage ``engine``.
    """
    report = _reporter(on_progress, "days of placebo entries")
    if job.folder is None:
        return replace(job, placements=place_window(job.dataset, job.finished_run, job.workers, report))
    placements, touch = place_and_touch(job.dataset, job.finished_run, job.workers, report)
    write_touch(job.folder, touch)
    # Placements come last: that they are there says that the stage is complete.
    write_placements(job.folder, placements)
    return replace(job, placements=placements)


def publish_run(job: WindowJob, _: OnProgress | None) -> WindowJob:
    """Return ``job`` with its complete, staged run directory in the place of the one before it."""
    return replace(job, folder=publish(job.run_folder))


def _reporter(on_progress: OnProgress | None, what: str) -> OnDayDone | None:
    """Return the function that hears of (steps done, steps in all); None spares the workers their progress files."""
    return None if on_progress is None else partial(on_progress, what)


ENGINE: Final = Stage("engine", run_engine)
PLACEMENTS: Final = Stage("placements", place_signals)
PUBLISH: Final = Stage("publish", publish_run)
HARNESS: Final = (ENGINE, PLACEMENTS)
"""The stages of this floor that make a run directory, in order; `PUBLISH` ends one that is staged."""
