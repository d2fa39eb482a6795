"""The front door: one command line, `cme`, composed of the commands of the four floors.

A command is imported when it is used, so that ``cme --help`` answers at once.  Results go to stdout, progress and
remarks to stderr.  Exit codes are those of `engine.errors`; an error is one paragraph on stderr, with a traceback only
under ``--debug``, which every command takes.
"""

from __future__ import annotations

import os
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

import click

from backtest.commands.lazy_group import LazyGroup
from backtest.commands.registry import COMMANDS
from backtest.environment import now_us
from backtest.terminal import echo, end_interrupted, end_on_signals, error_text, first_line, remark, usage_text

if TYPE_CHECKING:
    from backtest.gate.run_mode import RunMode
    from backtest.pipeline.replays import PlansInForce
    from backtest.records import Registration
    from backtest.rundir.stages import Stage, WindowJob
    from backtest.tasks.scheduler import WorkerPool
    from backtest.terminal import OnProgress
    from backtest.tracking.background import Tracker
    from backtest.tracking.journal import Journal

ROOT = Path(__file__).resolve().parent
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(cls=LazyGroup, table=COMMANDS, context_settings=_SETTINGS)
@click.version_option(package_name="cme-perps", prog_name="cme")
def cme() -> None:
    """Pre-registered backtests of the Coherent Markets Engine (AsPredicted #288615).

    \b
    cme run configs/demo.toml          a synthetic market, end to end, in about a minute
    cme run CONFIG --data DIR          a study of real market data
    cme report runs/ID                 the page again

    Exit codes: 0 done, whatever the verdicts; 2 usage or configuration; 3 missing; 4 data out of schema; 5 could not
    write; 10-18 ledger; 20-28 gate; 30-32 reproduction; 40-42 append; 50 tracking; 70 our defect; 130 interrupted.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    # Loky replaces a worker whose memory has grown and says so; no task is lost, and there is nothing to do about it.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")
    try:
        if arguments is None:  # else it is called from Python, whose signals are its own
            end_on_signals()
        code = cme.main(
            [word for word in words if word != "--debug"], prog_name="cme", standalone_mode=False, obj=words
        )
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        echo(usage_text(error), err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt) as error:
        end_interrupted(error)
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        text, code = error_text(error)
        remark(text)
        sys.exit(code)


@click.command(epilog="Example: cme run configs/studies/btc-2026q1.toml --data ../shared/data")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--data", "data_root", envvar="CME_DATA", type=click.Path(path_type=Path),
              help="Folder of real market data; $CME_DATA where not given.")  # fmt: skip
@click.option("--out", default="runs", show_default=True, type=click.Path(path_type=Path), help="Where runs go.")
@click.option("--workers", default=0, help="Processes; 0 takes one a core. Results do not depend on it.")
@click.option("--scheduler", metavar="ADDRESS", help="Existing Dask cluster, tcp://HOST:PORT, instead of --workers.")
@click.option("--tracking", envvar="CME_TRACKING", help="Address of an MLflow server; OUT/mlflow.db where not given.")
@click.option("--confirmatory", is_flag=True, help="Refuse, with the gate's code, instead of running exploratory.")
@click.option("--exploratory", is_flag=True, help="Ask for an exploratory run, which every run is without a freeze.")
@click.option("--replication-of", metavar="LOOK", help="Repeat an ended look beside the first; needs the same inputs.")
@click.option("--live", type=click.Path(path_type=Path),
              help="Folder of the daily operation, whose ledger the run must equal.")  # fmt: skip
@click.option("--repair-of", metavar="LOOK", help="Rerun after a proven defect, beside the first; needs its amendment.")
@click.option("--blinded", is_flag=True,
              help="Rehearse the run on amounts of other days; no look is used, no outcome read.")  # fmt: skip
@click.option("--again", is_flag=True, help="Run a finished plan anew; without it a finished run stays as it is.")
@click.option("--plan", "plan_only", is_flag=True, help="Say what would run, its cost and what blocks it; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress and no remarks on stderr.")
def run(
    config: Path,
    data_root: Path | None,
    out: Path,
    workers: int,
    scheduler: str | None,
    tracking: str | None,
    confirmatory: bool,
    exploratory: bool,
    replication_of: str | None,
    repair_of: str | None,
    live: Path | None,
    blinded: bool,
    again: bool,
    plan_only: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run the plan in CONFIG end to end: data, engine, folds, three verdicts, report, MLflow.

    Every window of the plan becomes a run directory below --out, replaced when its successor is complete; nothing in it
    depends on MLflow. A run is confirmatory if CONFIG allows it, a freeze is beside it and every check of the gate
    passes; no flag forces it. A run that was killed is resumed by the same command, from what OUT/.work keeps.

    With --blinded it is a rehearsal before the look: each settled amount is that of the signal on another day of its
    fold; counts of days, gaps and signals are shown, and H2, capture, equity and all money by date are withheld.
    """
    first_line(f"cme run: reading {config}", quiet)
    from backtest.commands.preflight import preflight, print_preflight
    from backtest.commands.run_summary import print_summary
    from backtest.gate.access import open_looks
    from backtest.gate.freeze import clean_process
    from backtest.gate.freeze.seal import Place
    from backtest.gate.run_mode import decide_mode, mode_on_cluster, requested_mode, situation_of, when_blinded
    from backtest.live.final_gate import pass_final_gate
    from backtest.pipeline.dataset import prepare_dataset
    from backtest.registration.dates import require_dates
    from backtest.registration.first_days import require_known
    from backtest.registration.load import load_registration
    from backtest.rundir.plan_lock import sole_runner
    from backtest.rundir.staging import unless_removed
    from backtest.seeds import streams
    from backtest.tasks.gc_tuning import collect_seldom
    from backtest.tasks.parent import end_workers_with_this_process
    from backtest.tasks.scheduler import WorkerPool
    from backtest.tracking import journal
    from backtest.tracking.background import Tracker
    from hypotheses.blinded_run import print_blinded, rehearse
    from hypotheses.methods import require_methods
    from reports.blinded_page import PAGES
    from reports.commands import where_each_ends

    collect_seldom()
    end_workers_with_this_process()
    registration, seeds = load_registration(config), streams.load(ROOT / "seeds.lock")
    situation = situation_of(Place(ROOT, registration, data_root), out, os.environ, replication_of, repair_of)
    requested = requested_mode(confirmatory, exploratory, replication_of, repair_of)
    if blinded:
        requested = when_blinded(situation, requested, scheduler=scheduler, again=again, plan=plan_only)
    if plan_only:
        print_preflight(preflight(situation, requested, data_root, seeds, out, workers or os.cpu_count() or 1), as_json)
        return 0
    require_dates(registration)
    require_known(registration)
    require_methods(registration)
    run_mode = (
        decide_mode(situation, requested) if scheduler is None else mode_on_cluster(situation, requested, scheduler)
    )
    if run_mode.may_start and run_mode.mode == "confirmatory" and not clean_process.is_confirmatory(os.environ):
        return clean_process.run(ROOT, [*click.get_current_context().obj, "--confirmatory"])
    uid = str(uuid4())
    mode = "blinded" if blinded else run_mode.mode
    log = journal.start(out / uid, registration.study, mode, f"run {config.name}", now_us, uid)

    def log_tag(key: str, sentence: str) -> None:
        log.tag(key, sentence)
        if not quiet:
            remark(sentence)

    tracker = Tracker(out, tracking)
    pool = WorkerPool(workers or os.cpu_count() or 1, scheduler, out, log_tag)
    with (
        journal.ended(log, lambda code: tracker.conclude(log.path, code, quiet)),
        unless_removed(out, log.path),
        sole_runner(out, registration, now_us()),
    ):
        compared = pass_final_gate(
            run_mode,
            registration,
            lambda: prepare_dataset(registration, data_root, seeds, out, pool.workers, None),
            live,
            out,
            pool.workers,
            blinded=blinded,
        )
        if blinded:
            done = rehearse(compared, registration, data_root, seeds, out, pool, log, PAGES, quiet)
            print_blinded(done, as_json)
            return 0
        run_mode = open_looks(compared.run_mode, registration, now_us())
        folders = _run_windows(registration, run_mode, compared.plans, data_root, out, pool, log, tracker, again, quiet)
    print_summary(folders, tracking or str(out / "mlflow.db"), as_json, where_each_ends)
    return 0


def _run_windows(
    registration: Registration,
    run_mode: RunMode,
    plans: PlansInForce,
    data_root: Path | None,
    out: Path,
    pool: WorkerPool,
    log: Journal,
    tracker: Tracker,
    again: bool,
    quiet: bool,
) -> list[Path]:
    """Run every window of the plan through the stages of `_stages`; return the run directories."""
    from backtest.commands.data import warn_of_lacking
    from backtest.gate.access import check_dataset
    from backtest.gate.run_mode import windows_of
    from backtest.pipeline.dataset import prepare_dataset
    from backtest.rundir.stages import WindowJob, run_unless_finished
    from backtest.seeds import streams
    from backtest.tasks.scheduler import market_of
    from backtest.terminal import progress
    from backtest.tracking.outcome import journal_plan, journal_window
    from hypotheses.stages import WARM_UP

    seeds, stages = streams.load(ROOT / "seeds.lock"), _stages(registration, run_mode, out, pool, log)
    journal_plan(log, registration)
    log.stage("data")
    with progress("data", quiet) as on_progress:
        dataset = prepare_dataset(registration, data_root, seeds, out, pool.workers, on_progress)
    check_dataset(run_mode, dataset.dataset_hash)
    if lacking := warn_of_lacking(registration, dataset.instruments.name, quiet):
        log.tag("lacking", ", ".join(lacking))
    market = market_of(dataset, registration)
    pool.resume(market)

    def on_stage(name: str) -> None:
        log.stage(name)
        if name == "placements":  # MLflow takes seconds to import: begun when the engine has left the processors
            tracker.prepare()

    folders = []
    for plan in windows_of(run_mode, registration):
        journal_window(log, plan)
        job = WindowJob(dataset, registration, plan, seeds, pool, out, run_mode, WARM_UP, staged=True, plans=plans)
        folders.append(run_unless_finished(job, stages, on_stage, again, quiet))
    pool.cache(market).remove()
    return folders


def _stages(
    registration: Registration, run_mode: RunMode, out: Path, pool: WorkerPool, log: Journal
) -> tuple[Stage, ...]:
    """Return the stages of one window, in order, by the names they have in the journal."""
    from backtest.gate.access import close_look
    from backtest.gate.looks import null_results
    from backtest.rundir import checksums
    from backtest.rundir.stages import HARNESS, PUBLISH, Stage
    from backtest.tasks.parallel import parallel_map
    from backtest.tracking.outcome import FIGURES, copies_of, journal_judged, journal_results
    from hypotheses.judge import streams_of
    from hypotheses.planning.claims import power_by_claim
    from hypotheses.stages import verdicts_stage
    from reports.commands import write as write_report

    processes = parallel_map(pool.workers)
    negatives = (registration.path.parent if run_mode.mode == "confirmatory" else out) / null_results.NEGATIVES_FILE

    def report(job: WindowJob, _: OnProgress | None) -> WindowJob:
        write_report(job.run_folder, processes, copies_of(log, job.run_folder) / FIGURES)
        checksums.write(job.run_folder)
        power = partial(power_by_claim, registration, streams_of(job.seeds))
        log.tag("negatives", null_results.record(negatives, job.run_folder, now_us(), power).head)
        journal_results(log, job.run_folder)
        return job

    def look(job: WindowJob, _: OnProgress | None) -> WindowJob:
        close_look(run_mode, job.run_folder, now_us())
        return job

    return (
        *HARNESS,
        verdicts_stage(processes, lambda job, verdicts: journal_judged(log, job.run_folder, verdicts.h1.sharpe)),
        Stage("report", report),
        PUBLISH,
        # Last: whoever is killed while the look is closed has every file of the run on the disk.
        Stage("look", look),
    )


if __name__ == "__main__":
    main()
