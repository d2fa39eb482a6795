"""The front door: one command line, `cme`, composed of the commands of the four floors.

A command is imported when it is used, so that ``cme --help`` answers at once.  Results go to stdout, progress and
remarks to stderr.  Exit codes are those of `engine.errors`; an error is one paragraph on stderr, with a traceback only
under ``--debug``, which every command takes.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from backtest.gate.run_mode import RunMode
    from backtest.records import Registration
    from backtest.tasks.scheduler import WorkerPool
    from backtest.tracking.background import Tracker
    from backtest.tracking.journal import Journal

ROOT = Path(__file__).resolve().parent

COMMANDS = {
    "run": ("cme:run", "the main job, end to end: data, folds, verdicts, report, MLflow"),
    "power": ("hypotheses.planning.commands:power", "what a plan can show, before any outcome is read"),
    "freeze": ("backtest.commands.freeze:freeze", "seal a registered study, or compare it with its seal"),
    "looks": ("backtest.commands.freeze:looks", "how often outcomes were looked at; abort an open look"),
    "data": ("backtest.commands.data:data", "build, check or synthesise a canonical data set"),
    "detect": ("backtest.commands.detect:detect", "the engine alone: every package that violates a relation"),
    "judge": ("hypotheses.commands:judge_command", "recompute the three verdicts of a run"),
    "report": ("reports.commands:report", "render a run's page and its Markdown twin again"),
    "verify": ("backtest.commands.verify:verify", "recompute every hash of a run or a ledger from its content"),
    "bundle": ("backtest.commands.bundle:bundle", "everything a reviewer needs in one file"),
    "reproduce": ("hypotheses.reproduction.commands:reproduce", "a published run computed again, level by level"),
    "drill": ("hypotheses.reproduction.commands:drill", "tamper with copies of a run; what catches each way"),
    "calibrate": ("hypotheses.calibration.commands:calibrate", "measured size, coverage and power of the pipeline"),
    "leaks": ("backtest.commands.leaks:leaks", "the leak battery on a data set"),
    "track": ("backtest.commands.track:track", "bring MLflow up to the journals; list what differs"),
}
"""Name -> (module:attribute, the line `cme --help` shows), in the order of a day's work."""


class Door(click.Group):
    """The group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; an unknown word is answered with the commands that look like it."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = " or ".join(f"{name!r}" for name in get_close_matches(args[0], COMMANDS))
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cme-perps", prog_name="cme")
def cme() -> None:
    """Pre-registered backtests of the Coherent Markets Engine (AsPredicted #288615).

    \b
    cme run configs/demo.toml          a synthetic market, end to end, in about a minute
    cme run CONFIG --data DIR          a study of real market data
    cme report runs/ID                 the page again

    Exit codes: 0 done, whatever the verdicts; 2 usage or configuration; 3 missing; 4 data out of schema; 5 could not
    write; 10-18 ledger; 20-26 gate; 30-32 reproduction; 40-42 append; 50 tracking; 70 our defect; 130 interrupted.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given
    try:
        code = cme.main(
            [word for word in given if word != "--debug"], prog_name="cme", standalone_mode=False, obj=given
        )
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        from backtest.terminal import usage_text

        click.echo(usage_text(error), err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("cme: interrupted; what was finished is kept, and the same command takes it up again", err=True)
        sys.exit(130)
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        from backtest.terminal import error_text

        text, code = error_text(error)
        click.echo(f"cme: {text}", err=True)
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
    as_json: bool,
    quiet: bool,
) -> int:
    """Run the plan in CONFIG end to end: data, engine, folds, three verdicts, report, MLflow.

    Every window of the plan becomes a run directory below --out. Nothing a run computes depends on MLflow. A run is
    confirmatory if CONFIG allows it, a freeze stands beside it and every check of the gate holds; no flag forces it.
    A run that was killed is resumed by the same command: what was finished is kept below OUT/.work until the end.
    """
    from uuid import uuid4

    from backtest.gate.access import open_looks
    from backtest.gate.freeze import clean_process
    from backtest.gate.freeze.seal import Place
    from backtest.gate.run_mode import decide_mode, mode_on_cluster, requested_mode, situation_of
    from backtest.registration.load import load_registration
    from backtest.tasks.gc_tuning import collect_seldom
    from backtest.tasks.scheduler import WorkerPool
    from backtest.tracking import journal
    from backtest.tracking.background import Tracker

    collect_seldom()
    registration = load_registration(config)
    situation = situation_of(Place(ROOT, registration, data_root), out, os.environ, replication_of)
    wish = requested_mode(confirmatory, exploratory, replication_of)
    standing = decide_mode(situation, wish) if scheduler is None else mode_on_cluster(situation, wish, scheduler)
    if standing.may_start and standing.mode == "confirmatory" and not clean_process.is_confirmatory(os.environ):
        return clean_process.run(ROOT, [*click.get_current_context().obj, "--confirmatory"])
    uid = str(uuid4())
    log = journal.start(out / uid, registration.study, standing.mode, f"run {config.name}", _now_us, uid)

    def say(key: str, sentence: str) -> None:
        log.tag(key, sentence)
        if not quiet:
            click.echo(f"\r\x1b[Kcme: {sentence}" if sys.stderr.isatty() else f"cme: {sentence}", err=True)

    tracker = Tracker(out, tracking)
    crew = WorkerPool(workers or os.cpu_count() or 1, scheduler, out, say)
    code, reason = 70, ""
    try:
        standing = open_looks(standing, registration, _now_us())
        folders = _windows(registration, standing, data_root, out, crew, log, tracker, quiet)
        code = 0
    except BaseException as error:
        from backtest.terminal import error_text

        code = error_text(error)[1]
        reason = str(error)
        raise
    finally:
        log.end(code, reason)
        warning = tracker.sync(log.path)
        if warning and not quiet:
            click.echo(f"cme: {warning}", err=True)
    _conclude(folders, tracking or str(out / "mlflow.db"), as_json)
    return 0


def _now_us() -> int:
    return time.time_ns() // 1000


def _windows(
    registration: Registration,
    standing: RunMode,
    data_root: Path | None,
    out: Path,
    crew: WorkerPool,
    log: Journal,
    tracker: Tracker,
    quiet: bool,
) -> list[Path]:
    """Run each window of the plan: engine, verdicts, report; return the run directories."""
    from backtest.gate.access import close_look, held_to
    from backtest.gate.looks import null_results
    from backtest.gate.run_mode import windows_of
    from backtest.pipeline.dataset import prepare_dataset
    from backtest.pipeline.placements import place_window, write_placements
    from backtest.pipeline.window import run_window
    from backtest.rundir import checksums
    from backtest.rundir.write import write_run
    from backtest.seeds import streams as seed_streams
    from backtest.tasks.parallel import importing, parallel_map
    from backtest.tasks.scheduler import market_of
    from backtest.terminal import progress
    from backtest.tracking.outcome import journal_judged, journal_results
    from hypotheses import judge, load
    from hypotheses.sensitivity import write as sensitivity
    from hypotheses.sensitivity.base import QUICK_DRAWS, JudgedRun
    from reports.commands import write as write_report

    streams, each = seed_streams.load(ROOT / "seeds.lock"), parallel_map(crew.workers)
    log.stage("data")
    with progress("data", quiet) as tell:
        dataset = prepare_dataset(registration, data_root, streams, out, crew.workers, tell)
    held_to(standing, dataset.dataset_hash)
    market = market_of(dataset, registration)
    crew.resume(market)
    failures = (registration.path.parent if standing.mode == "confirmatory" else out) / null_results.NEGATIVES_FILE
    folders = []
    for plan in windows_of(standing, registration):
        log.stage("engine")
        with progress("engine", quiet) as tell:
            done = run_window(dataset, registration, plan, workers=crew, report=lambda n, of: tell("days", n, of))
            with importing(crew.workers, "hypotheses.sensitivity.registry"):  # libraries of statistics: a second
                folder = write_run(done, dataset, streams, out, standing)
        log.stage("placements")
        tracker.prepare()
        with progress("nulls", quiet) as tell:
            moved = place_window(dataset, done, crew, lambda n, of: tell("days of moved signals", n, of))
            write_placements(folder, moved)
        log.stage("verdicts")
        with progress("verdicts", quiet) as tell:
            data = load.load(folder, registration, plan)
            drawn = judge.streams_of(streams)
            verdicts = judge.judge(data, registration, drawn, lambda part: tell(part, 0, None), each)
            journal_judged(log, folder, verdicts.h1.sharpe)
            judge.write(folder, verdicts, data, plan, judge.header_of(folder, data))
            sensitivity.write(JudgedRun(folder, data, registration, plan, drawn, verdicts, QUICK_DRAWS), each=each)
        log.stage("report")
        write_report(folder, each)
        checksums.write(folder)
        log.tag("negatives", null_results.record(failures, folder, _now_us()).head)
        journal_results(log, folder)
        log.stage("look")  # on the disk: whoever is killed from here on has left nothing out
        close_look(standing, folder, _now_us())
        folders.append(folder)
    crew.pieces(market).remove()
    return folders


def _conclude(folders: list[Path], store: str, as_json: bool) -> None:
    """Print the verdicts of every window, and where the report and the MLflow store are."""
    found = [(folder, json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))) for folder in folders]
    if as_json:
        runs = [{"path": str(folder), "report": str(folder / "report.html"), **verdicts} for folder, verdicts in found]
        click.echo(json.dumps({"runs": runs, "mlflow": store}, indent=1))
        return
    for folder, verdicts in found:
        window, synthetic = verdicts["window"], "synthetic market, " if _is_synthetic(folder) else ""
        span = f"{window['start'][:10]} to {window['end'][:10]}"
        click.echo(f"{folder.name}  ({synthetic}{span}, {verdicts['run']['mode']})")
        for name in ("H1", "H2", "H3"):
            click.echo(f"  {name}  {verdicts[name]['verdict']:<12} {verdicts[name]['statement']}")
        click.echo(f"  report  {folder / 'report.html'}")
    click.echo(f"MLflow    {store}")


def _is_synthetic(folder: Path) -> bool:
    return bool(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["synthetic"])


if __name__ == "__main__":
    main()
