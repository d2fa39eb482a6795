"""`cme freeze` and `cme looks`: the seal of a study, and how often its outcomes were looked at.  [audit 9, 11]"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, remark
from engine.errors import GateError, MissingError

if TYPE_CHECKING:
    from backtest.gate.checks import GateFinding, Situation
    from backtest.gate.freeze.seal import Place

ROOT = Path(__file__).resolve().parents[2]
REGISTRATION = ROOT / "configs" / "prereg" / "288615" / "registration.toml"


@click.command(epilog="Example: cme freeze --check")
@click.option("--registration", default=REGISTRATION, type=click.Path(path_type=Path),
              help="Registration to seal; that of AsPredicted #288615 by default.")  # fmt: skip
@click.option("--check", is_flag=True, help="Compare with the seal and write nothing.")
@click.option("--seal-data", is_flag=True, help="Add the hash of the collected data set to a freeze made before it.")
@click.option("--window", is_flag=True, help="Write the dates of the windows into an amendment, from the record; once.")
@click.option("--days", default="live/days", show_default=True, type=click.Path(path_type=Path),
              help="Folder of days.jsonl, whose row 1 is the start of the recording; for --window.")  # fmt: skip
@click.option("--data", "data_root", envvar="CME_DATA", type=click.Path(path_type=Path),
              help="Folder below which the registered data set lies.")  # fmt: skip
@click.option("--out", default="runs", show_default=True, type=click.Path(path_type=Path), help="Where runs go.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No remarks on stderr.")
@leaves_journal(lambda options: not options["check"])
def freeze(
    registration: Path,
    check: bool,
    seal_data: bool,
    window: bool,
    days: Path,
    data_root: Path | None,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """Write freeze.json beside the registration, or compare everything with it.

    \b
    0  a window in days of the recording: cme freeze --window, once, from row 1 of days.jsonl; commit the amendment
    1  commit everything; cme freeze; commit freeze.json and looks/; git tag -a freeze/STUDY
    2  collect the data; cme freeze --seal-data; commit data-seal.json
    3  cme run REGISTRATION: confirmatory if every check of `cme freeze --check` holds

    Exit codes of the checks: 3 lock files, 22 clean tree, 20 code, 26 plan, 21 data, 24 seeds, 23 environment,
    25 looks; all are made, the first that fails gives the code.  A run asks for more than --check: a committed
    freeze, a sealed data set, and a look that may still be had.
    """
    from backtest.gate.checks import examine, exit_code
    from backtest.gate.freeze import seal
    from backtest.gate.freeze.seal import Place
    from backtest.gate.run_mode import situation_of
    from backtest.registration.dates import require_dates
    from backtest.registration.first_days import require_known
    from backtest.registration.load import load_registration

    place = Place(ROOT, load_registration(registration), data_root)
    if window:
        _print({"path": str(_dated(place, days, time.time_ns() // 1000))}, as_json)
        return 0
    situation = situation_of(place, out, os.environ, None)
    if check:
        findings = examine(replace(situation, opening=False))
        _print(_checked(place, findings), as_json)
        return exit_code(findings)
    require_dates(place.registration)
    require_known(place.registration)
    if seal_data:
        digest = seal.write_data_seal(place, seal.read(place.freeze_path), time.time_ns() // 1000)
        _print({"dataset_hash": digest, "path": str(place.home / seal.DATA_SEAL_FILE)}, as_json)
        return 0
    document = sealed(situation, time.time_ns() // 1000)
    if place.environment.foreign and not quiet:
        named = ", ".join(place.environment.foreign)
        remark(f"sealed with distributions that no lock names: {named}; another machine lacks them")
    _print(document, as_json)
    return 0


@click.command(epilog="Example: cme looks")
@click.option(
    "--registration", default=REGISTRATION, type=click.Path(path_type=Path), help="Registration of the study."
)
@click.option("--looks", "folder", type=click.Path(path_type=Path),
              help="Folder of the registry, such as a copy; beside the registration by default.")  # fmt: skip
@click.option("--abort", metavar="LOOK", help="Abort an open look; it stays on record and counts.  Needs --reason.")
@click.option("--reason", default="", metavar="TEXT", help="Why it is aborted; kept with it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No remarks on stderr.")
@leaves_journal(lambda options: options["abort"])
def looks(registration: Path, folder: Path | None, abort: str | None, reason: str, as_json: bool, quiet: bool) -> None:
    """List the looks at a study's outcomes, every row of the registry checked.

    \b
    open      begun and not ended: the same `cme run` takes it up again, or --abort ends it for good
    closed    ended with results; `cme run --replication-of LOOK` repeats it beside the first
    aborted   ended without results; it counts, and may be repeated in the same way

    `cme freeze` begins the registry, `cme run` writes to it; commit its folder after every look.  It shows the looks
    made through this tool; it cannot show an analysis of a copy made elsewhere.
    """
    from backtest.gate.access import abort_look
    from backtest.gate.freeze.seal import LOOKS_FOLDER
    from backtest.gate.looks import registry

    place = folder or registration.parent / LOOKS_FOLDER
    if abort:
        abort_look(place, abort, reason, time.time_ns() // 1000)
    summary = registry.read(place).summary()
    if as_json:
        echo(json.dumps(summary, indent=1))
        return
    echo(f"{summary['number']} looks: {summary['closed']} closed, {summary['open']} open, {summary['aborted']} aborted")
    for look in summary["looks"]:
        echo(f"  {look['look_id']}  {look['state']:<8} {look['analysis_id']}  {look['reason']}")
    if summary["open"] and not quiet:
        remark("an open look is taken up by the `cme run` that began it, or ended by --abort LOOK")


def _dated(place: Place, days: Path, now_us: int) -> Path:
    """Return the amendment that dates the windows by row 1 of the chain in ``days``."""
    from backtest.live.day_chain import DAYS_FILE, read_days
    from backtest.registration.window_dates import write_window

    chain = read_days(days)
    # before the chain is asked for: a plan with dates is refused whatever was recorded
    if not place.registration.dated and not chain.rows:
        raise MissingError(
            f"expected the first sealed day of the recording in {days / DAYS_FILE}, found none: `cme record`, then "
            "`cme emit`, or name the folder with --days"
        )
    return write_window(place.registration, chain.days[0] if chain.rows else 0, chain.head.hash, now_us)


def sealed(situation: Situation, now_us: int) -> dict[str, Any]:
    """Write the freeze and begin the looks registry; return what was sealed.

    Raises ``GateError``: 22 for a checkout that is not clean, 24 for other random numbers, 25 after a look, 26 for a
    registration that allows none, has no dates yet, or whose power statement is not acknowledged.
    """
    from backtest.gate.freeze import git_checkout, git_history, seal
    from backtest.gate.looks import registry as looks_registry
    from backtest.registration.acknowledged import not_acknowledged
    from backtest.registration.dates import require_dates
    from backtest.seeds import streams

    place = situation.place
    if place.registration.mode_allowed != "confirmatory":
        raise GateError(
            f"{place.config_name}: expected mode confirmatory, was exploratory: nothing to seal", exit_code=26
        )
    require_dates(place.registration)
    unread = not_acknowledged(place.registration.content)
    if unread:
        raise GateError(f"{place.config_name}: {unread}: no run of such a plan may start", exit_code=26)
    written = (situation.looks, place.freeze_path)
    faults = list(git_checkout.faults(place.root, situation.variables, situation.outputs, written))
    if faults:
        raise GateError("a freeze names what a commit holds; " + "; ".join(faults), exit_code=22)
    ledger = situation.looks / looks_registry.LEDGER
    registry = looks_registry.read(situation.looks) if ledger.exists() else None
    body = registry.body if registry else b""
    lost = list(git_history.forgotten(place.root, ledger, body, place.registration.study))
    if lost:
        raise GateError("a freeze hides no look; " + "; ".join(lost), exit_code=25)
    amendments = place.registration.content["amendments"]
    # A proven defect is mended in another freeze, whose look stands beside the first.  [R12.3]
    if registry and registry.looks and not (amendments and "defect" in amendments[-1]):
        raise GateError(
            f"{situation.looks}: expected no look before a freeze, was one: new inputs need a new analysis and a new "
            "preregistration; a proven defect needs an amendment with a table defect",
            exit_code=25,
        )
    # Before anything is written: seeds that this machine draws otherwise are worth no seal.
    streams.load(place.root / seal.SEEDS).check_known_answers()
    content = seal.content(place, git_checkout.identity(place.root), now_us)
    hashes = {"engine_hash": content["engine"]["tree_hash"], "config_hash": content["config"]["config_hash"]}
    # The registry first: a kill in between leaves no freeze without one.
    looks_registry.begin(situation.looks, place.registration.study, seal.PREREG, hashes, now_us)
    digest = seal.write(place.freeze_path, content)
    return {"freeze_hash": digest, "path": str(place.freeze_path), "tag": f"freeze/{content['study']}", **content}


def _checked(place: Place, findings: Sequence[GateFinding]) -> dict[str, Any]:
    from backtest.gate.checks import exit_code

    return {
        "path": str(place.freeze_path),
        "exit": exit_code(findings),
        "checks": [
            {"check": finding.check, "code": finding.code, "holds": finding.holds, "faults": list(finding.faults)}
            for finding in findings
        ],
    }


def _print(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        echo(json.dumps(document, indent=1))
        return
    if "checks" not in document:
        for key in ("freeze_hash", "dataset_hash", "path", "tag"):
            if key in document:
                echo(f"{key:<12} {document[key]}")
        return
    shown: set[str] = set()
    for row in document["checks"]:
        state = "holds" if row["holds"] else f"FAILS ({row['code']})"
        again = shown.issuperset(row["faults"]) and not row["holds"]
        echo(f"{row['check']:<12} {state}{': as above' if again else ''}")
        for fault in [] if again else row["faults"]:
            echo(f"    {fault}")
        shown.update(row["faults"])
    echo("everything is as sealed" if document["exit"] == 0 else f"not as sealed: exit {document['exit']}")
