"""The stage of this floor: a window's run directory gets its verdicts and its sensitivities.  [house "Flow"]"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from backtest.rundir.stages import Stage, WindowJob
from backtest.tasks.parallel import ParallelMap
from backtest.terminal import OnProgress
from hypotheses import judge
from hypotheses.records import Verdicts
from hypotheses.sensitivity import write as sensitivity
from hypotheses.sensitivity.base import QUICK_DRAWS, JudgedRun

WARM_UP = ("hypotheses.sensitivity.registry",)
"""Modules whose import takes a worker a second: those that the verdicts and sensitivities need."""


def verdicts_stage(parallel_map: ParallelMap, on_judged: Callable[[WindowJob, Verdicts], None]) -> Stage:
    """Return the stage ``verdicts``: it judges the run directory of a job and writes what it finds there.

    ``on_judged`` is called before a verdict can be read from the disk (`hypotheses.judge.judge_folder`).  The stage
    raises ``ValueError`` for a job without a run directory.
    """
    return Stage("verdicts", partial(_judge, parallel_map, on_judged))


def _judge(
    parallel_map: ParallelMap,
    on_judged: Callable[[WindowJob, Verdicts], None],
    job: WindowJob,
    on_progress: OnProgress | None,
) -> WindowJob:
    folder = job.run_folder
    data, verdicts, _ = judge.judge_folder(
        folder,
        job.registration,
        job.plan,
        job.seeds,
        on_progress=lambda part: on_progress(part, 0, None) if on_progress else None,
        parallel_map=parallel_map,
        on_judged=partial(on_judged, job),
    )
    streams = judge.streams_of(job.seeds)
    # The quick number of draws: every run writes sensitivities, and `cme judge --sensitivities` takes all.
    judged = JudgedRun(folder, data, job.registration, job.plan, streams, verdicts, QUICK_DRAWS)
    sensitivity.write(judged, parallel_map=parallel_map)
    return job
