"""`cme emit` and its kin: the daily operation of a registered study.  [live L2, L3]"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backtest.commands.journals import journaled
from backtest.terminal import echo, first_line, remark
from engine.errors import CmeError, MissingError, UsageError

if TYPE_CHECKING:
    from backtest.live.day_chain import DayChain
    from backtest.live.day_source import DaySource
    from backtest.live.emit import Judged
    from backtest.live.live_folder import LiveFolder
    from backtest.tracking.journal import Journal

ROOT = Path(__file__).resolve().parents[2]
PLAN = click.argument("plan", type=click.Path(path_type=Path))
LIVE = click.option("--live", default="live", show_default=True, type=click.Path(path_type=Path),
                    help="Folder of the daily operation: days, ledgers, journals.")  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
QUIET = click.option("--quiet", is_flag=True, help="No progress and no remarks on stderr.")


TRACKING = click.option(
    "--tracking",
    envvar="CME_TRACKING",
    help="MLflow server or store; by LIVE/operation.toml where not given, else LIVE/journals/mlflow.db. off: none.",
)


@click.command(epilog="Example: cme emit configs/prereg/288615/registration.toml --raw live/raw")
@PLAN
@click.option("--raw", type=click.Path(path_type=Path), help="Folder of the recording that `cme record` writes.")
@click.option("--days-of", type=click.Path(path_type=Path),
              help="A canonical data set whose days are sealed instead: a rehearsal.")  # fmt: skip
@LIVE
@click.option("--until", metavar="DAY", help="Last day to seal, YYYY-MM-DD; yesterday (UTC) where not given.")
@click.option("--retained", type=click.Path(path_type=Path),
              help="retained.json of a run: dropped constraints go to the shadow ledger.")  # fmt: skip
@click.option("--reseal", is_flag=True, help="Seal all days anew by this version; before the freeze only.")
@click.option("--workers", default=0, help="Processes; 0 takes one a core. Results do not depend on it.")
@TRACKING
@JSON
@QUIET
def emit(
    plan: Path,
    raw: Path | None,
    days_of: Path | None,
    live: Path,
    until: str | None,
    retained: Path | None,
    reseal: bool,
    workers: int,
    tracking: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Seal every day that is over, judge it, and append what it emits to the live ledger of PLAN.

    \b
    1  days since the last sealed one, up to yesterday -> LIVE/days, a hash chain
    2  days before the window -> LIVE/ledgers/STUDY-history; days of the window -> LIVE/ledgers/STUDY
    3  export, checkpoint, journal -> MLflow, requests for a time-stamp authority (LIVE/operation.toml)

    One process at a time (42); it may be killed at any moment and called again: a second call appends nothing. A day
    that would be sealed with another result is refused (21), and so is a replay with other ids of earlier days (40).
    In the window of a confirmatory plan every check of `cme freeze --check` has to hold. Rows carry no EV and no
    outcome is written.
    """
    first_line(f"cme emit: reading {plan}", quiet)
    from backtest.gate.freeze.seal import SEEDS, Place
    from backtest.gate.run_mode import situation_of
    from backtest.live.emit_gate import open_seal, pass_gate, registered
    from backtest.live.live_folder import LiveFolder
    from backtest.live.operate import Operation, operate, restart, yesterday
    from backtest.live.operation_file import read_operation_file
    from backtest.live.raw_source import LATER_NS
    from backtest.registration.load import load_registration
    from backtest.seeds import streams
    from backtest.tasks.gc_tuning import collect_seldom
    from backtest.tasks.parent import end_workers_with_this_process
    from backtest.terminal import progress
    from engine.units import NS_PER_US

    collect_seldom()
    end_workers_with_this_process()
    registration, folder = load_registration(plan), LiveFolder(live)
    source = _source(raw, days_of)
    seeds_hash = streams.load(ROOT / SEEDS).seeds_hash
    now_us = time.time_ns() // 1000
    place = Place(ROOT, registration, None)
    situation = situation_of(place, live, os.environ, None)
    outputs = (live, *((raw,) if raw else ()))
    situation = replace(situation, outputs=outputs)
    # the settlements and deliveries of a recorded day are answered after its midnight
    over = yesterday(now_us - (LATER_NS // NS_PER_US if raw else 0))
    last_day = over if until is None else min(_day(until), over)
    # before any work: a file that is not right refuses the call, and fails no emission that was made
    beside = read_operation_file(live)
    shown = _shown(beside.tracking if tracking is None else tracking, quiet)
    with (
        journaled(folder.journals, registration.study, f"emit {plan.name}", quiet, shown) as log,
        progress("days", quiet) as on_progress,
    ):
        if reseal:
            log.tag("restart_of", restart(folder, registration, place.freeze_path.exists()))
        operation = Operation(
            live=folder,
            registration=registration,
            source=source,
            last_day=last_day,
            now_us=now_us,
            seal_of=lambda: (pass_gate(situation, folder, seeds_hash) if registered(registration)
                             else open_seal(registration, seeds_hash)),
            seeds_hash=seeds_hash,
            workers=workers or os.cpu_count() or 1,
            report=None if quiet else lambda done, total: on_progress("days", done, total),
            retained=None if retained is None else _retained(retained),
        )  # fmt: skip
        chain, judged = operate(operation, log.stage)
        for ledger in judged:
            log.tag(f"ledger.{ledger.study}", f"{ledger.ledger_id} {ledger.rows} {ledger.root}")
            log.metric(f"appended/{_key(ledger.study)}", ledger.appended)
        log.metric("days/sealed", len(chain.rows))
        anchors = [] if beside.anchor == "none" else _anchored(folder, chain, judged, log, quiet)
        document = {
            "days": {"sealed": len(chain.rows), "last": chain.rows[-1]["day"] if chain.rows else None,
                     "head": chain.head.hash},
            "ledgers": [asdict(ledger) for ledger in judged],
            "anchors": anchors,
        }  # fmt: skip
    _print_emitted(document, as_json)
    return 0


def _shown(address: str, quiet: bool) -> Callable[[Journal, int], None]:
    """Return what brings MLflow up to the journal at the end of a command, waiting for a bounded time.  [audit 13.4]"""
    from backtest.live.operation_file import OFF
    from backtest.tracking.background import Tracker

    def conclude(log: Journal, code: int) -> None:
        if address != OFF:
            Tracker(log.path.parents[1], address or None).conclude(log.path, code, quiet)

    return conclude


def _anchored(folder: LiveFolder, chain: DayChain, judged: tuple[Judged, ...], log: Journal, quiet: bool) -> list[str]:
    """Write the requests for an authority; what fails is a remark and a tag, and no error."""
    from backtest.live.anchors import request_anchors

    try:
        made = [str(path) for path in request_anchors(folder, chain, judged)]
    except (CmeError, OSError) as problem:
        log.tag("anchor", str(problem))
        if not quiet:
            remark(f"no anchor was requested, and the emission stands: {problem}")
        return []
    log.tag("anchor", f"{len(made)} requests")
    return made


def _source(raw: Path | None, days_of: Path | None) -> DaySource:
    """Return where days come from; exactly one place has to be named."""
    from backtest.data.format.dataset import open_dataset
    from backtest.live.day_source import CanonicalSource
    from backtest.live.raw_source import RawSource

    if (raw is None) == (days_of is None):
        raise UsageError("expected --raw DIR, a recording, or --days-of DIR, a canonical data set, was both or neither")
    return RawSource(raw) if raw is not None else CanonicalSource(open_dataset(Path(str(days_of))))


def _retained(path: Path) -> frozenset[str]:
    """Return the names of the constraints that a run's ``retained.json`` keeps.  Raises ``MissingError`` (3)."""
    from engine.constraints.codes import NAMES
    from engine.errors import CmeError
    from engine.ledger.format.canonical_json import parse_any_spelling

    try:
        document: Any = parse_any_spelling(path.read_bytes())
        names = document["retained"]
        if document["schema"] != "retained/1" or not set(names) <= set(NAMES.values()):
            raise ValueError(f"schema {document['schema']!r}, retained {names!r}")
    except (OSError, CmeError, LookupError, TypeError, ValueError) as problem:
        raise MissingError(f"{path}: expected retained.json of a run, was: {problem}") from problem
    return frozenset(names)


def _day(text: str) -> int:
    from backtest.live.day_chain import DATE, day_number

    try:
        if not DATE.holds(text):
            raise ValueError(text)
        return day_number(text)
    except ValueError:
        raise UsageError(f"--until: expected a day YYYY-MM-DD, was {text!r}") from None


def _key(study: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in study.lower())


def _print_emitted(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        echo(json.dumps(document, indent=1))
        return
    days = document["days"]
    echo(f"{days['sealed']} days sealed, the last {days['last'] or 'none'}, head {days['head'][:16]}")
    for ledger in document["ledgers"]:
        echo(f"{ledger['study']:<24} {len(ledger['days'])} days judged, {ledger['appended']} rows appended, "
             f"{ledger['rows']} in all, root {ledger['root'][:16]}")  # fmt: skip


@click.command(epilog="Example: cme resolve configs/prereg/288615/registration.toml")
@PLAN
@LIVE
@click.option("--workers", default=0, help="Processes; 0 takes one a core. Results do not depend on it.")
@TRACKING
@JSON
@QUIET
def resolve(plan: Path, live: Path, workers: int, tracking: str | None, as_json: bool, quiet: bool) -> int:
    """Append the resolutions that are due of PLAN's live ledgers, revision 0.

    \b
    days before the window   LIVE/ledgers/STUDY-history/resolution.jsonl, daily
    days of the window       28 while the plan registers it and its look is not open; then the run settles them

    What could not be followed is resolved as data_gap, what became no position as void; nothing due stays silent.
    """
    first_line(f"cme resolve: reading {plan}", quiet)
    from backtest.gate.freeze.seal import SEEDS
    from backtest.live.day_chain import read_days
    from backtest.live.emit import plan_of_recording
    from backtest.live.live_folder import HISTORY, LiveFolder
    from backtest.live.operate import working_set
    from backtest.live.operation_file import read_operation_file
    from backtest.live.resolve import require_look
    from backtest.live.resolve import resolve as resolve_due
    from backtest.registration.load import load_registration
    from backtest.seeds import streams
    from backtest.tasks.parent import end_workers_with_this_process
    from engine.units import NS_PER_DAY

    end_workers_with_this_process()
    registration, folder = load_registration(plan), LiveFolder(live)
    chain = read_days(folder.days)
    if not chain.rows:
        raise MissingError(f"expected sealed days in {folder.days}, found none: `cme emit` seals them")
    window = plan_of_recording(registration, chain.days[0])
    inside = (chain.days[-1] + 1) * NS_PER_DAY > window.t0_ns
    now_us, done = time.time_ns() // 1000, []
    shown = _shown(read_operation_file(live).tracking if tracking is None else tracking, quiet)
    with (
        journaled(folder.journals, registration.study, f"resolve {plan.name}", quiet, shown) as log,
        folder.sole_writer(),
    ):
        if inside and not folder.ledger(registration.study + HISTORY).export.exists():
            require_look(registration)
        dataset = working_set(folder, chain, registration.data.name)
        arguments = (folder, registration, chain, dataset, now_us, streams.load(ROOT / SEEDS).seeds_hash)
        for history in (True, False):
            if folder.ledger(registration.study + (HISTORY if history else "")).export.exists():
                done.append(resolve_due(*arguments, workers or os.cpu_count() or 1, history=history))
                log.metric(f"resolved/{_key(done[-1].study)}", done[-1].appended)
    document = [asdict(each) for each in done]
    if as_json:
        echo(json.dumps({"ledgers": document}, indent=1))
        return 0
    for row in document:
        due = f"{row['due']} of {row['signals']} signals due"
        echo(f"{row['study']:<24} {due}, {row['appended']} resolutions appended, {row['void']} void")
    return 0
