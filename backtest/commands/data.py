"""``cme data``: build, check and generate data sets.  [interface]"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, remark
from engine.errors import CmeError, UsageError

if TYPE_CHECKING:
    from backtest.data.adapters.base import Adapter
    from backtest.data.format.dataset import Dataset
    from backtest.records import Registration
    from backtest.terminal import OnProgress

_SEEDS = Path(__file__).resolve().parents[2] / "seeds.lock"
_CONFIG = click.argument("config", type=click.Path(path_type=Path))
_OUT = click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the data set to write.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
_QUIET = click.option("--quiet", is_flag=True, help="No progress on stderr.")


def _verification(verified: str, unmet: str) -> str:
    met = "passed on a real third-party sample" + (f"; UNVERIFIED: {unmet}" if unmet else "")
    return met if verified else "UNVERIFIED: it has met no real sample"


@click.group()
def data() -> None:
    """Build, check and generate canonical data sets; `cme data sources` lists what can be read."""


@data.command(epilog="Example: cme data sources quotes_table")
@click.argument("name", required=False)
@_JSON
@_QUIET
def sources(name: str | None, as_json: bool, quiet: bool) -> None:  # noqa: ARG001  # it has no progress to silence
    """List the adapters that read source files, or explain the one called NAME: options, an example, a sample.

    \f

    Raises ``UsageError`` (2) for an unknown NAME, with the nearest known one.
    """
    # Imported here: pandas is for a reader of this page only.
    from backtest.data.adapters.examples import example_of
    from backtest.data.adapters.registry import ADAPTERS, adapter

    shown = ADAPTERS if name is None else (adapter(name),)
    if as_json:
        documents = [
            {"name": member.name, "title": member.title, "verified": member.verified, "unmet": member.unmet,
             "options": options_text(member), **asdict(example_of(member.name))}
            for member in shown
        ]  # fmt: skip
        echo(json.dumps({"sources": documents}, indent=1))
    elif name is None:
        for member in shown:
            echo(f"{member.name:<26} {member.title}; {_verification(member.verified, member.unmet)}")
        echo("\n`cme data sources NAME` shows the options of one, an example and a sample.")
    else:
        member, example = shown[0], example_of(name)
        inside = f", as {example.inside} of" if example.inside else ""
        echo(f"{member.name}: {member.title}\n{_verification(member.verified, member.unmet)}")
        echo(f"{member.verified}\n\n{options_text(member)}" if member.verified else f"\n{options_text(member)}")
        echo(
            f"\nIn a plan, all values made up:\n{example.source}\nA file, {example.file}{inside}:\n{example.sample}",
            nl=False,
        )


def options_text(member: Adapter) -> str:
    """Return what an adapter says of its options: the text of its `read` function, without its markup."""
    return inspect.cleandoc(member.read.__doc__ or "").replace("``", "")


@data.command(epilog="Example: cme data build configs/studies/btc-2026q1.toml --data DIR --out build/btc-2026q1")
@_CONFIG
@click.option("--data", "root", envvar="CME_DATA", type=click.Path(path_type=Path),
              help="Folder with the source files; $CME_DATA where not given.")  # fmt: skip
@_OUT
@_JSON
@_QUIET
@leaves_journal()
def build(config: Path, root: Path | None, out: Path, as_json: bool, quiet: bool) -> None:
    """Turn the [[data.sources]] of CONFIG into a canonical data set with its manifest.

    Exit code 2 (UsageError): CONFIG has no sources; 3 no file matches a source, 4 a file is not in form, 5 no writing.
    """
    from backtest.data.build.assemble import build as build_dataset
    from backtest.pipeline.dataset import window_of
    from backtest.registration.load import load_registration
    from backtest.tasks.parent import end_workers_with_this_process
    from backtest.terminal import progress

    end_workers_with_this_process()
    plan = load_registration(config)
    if plan.data.kind != "sources":
        raise UsageError(f"{config}: expected [[data.sources]] to build from, was data.kind = {plan.data.kind!r}")
    if root is None:
        raise UsageError("expected the folder of the source files, was none: give --data DIR or set CME_DATA")
    with progress("data", quiet) as on_progress:
        spec, step = plan.data, plan.params.grid_ns
        folder = build_dataset(
            spec.sources,
            root,
            out,
            spec.name,
            step,
            spec.grid_from,
            on_progress,
            registration_text=plan.text,
            window=window_of(plan),
            workers=os.cpu_count() or 1,
        )
    _print_built(folder, plan, as_json, quiet)


@data.command(epilog="Example: cme data check build/options-2026 --json")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--no-lags", is_flag=True,
              help="Read no panels: do not compare clocks and levels of sources, nor registered inputs.")  # fmt: skip
@_JSON
@_QUIET
@click.pass_context
def check(context: click.Context, folder: Path, no_lags: bool, as_json: bool, quiet: bool) -> None:
    """Check hashes, schema, order, units, gaps, coverage, clocks and levels of the data set in FOLDER.

    Two sources of one coin should differ by a few bps that come and go: a gap that follows USDC/USDT, funding or a tick
    is named, with its slope.

    Cover counts from the first to the last day of the plan inside the data set, whose pairs, triangles and venues are
    named where they lack an input (with --no-lags: where the data set lacks the instrument).

    The gaps that a sealed day or a joined data set declares are shown by instrument. FOLDER may be a recording of
    `cme record` too: its chain, files, numbers and gaps are checked.

    Exit code 0: every file holds; 3 missing, 21 bytes differ from the manifest, 4 out of schema, order or range.
    """
    from backtest.data.checks.check import check as check_dataset
    from backtest.data.checks.gaps import declared_gaps
    from backtest.data.checks.report import text_of
    from backtest.data.format.dataset import open_dataset
    from backtest.data.raw.check_recording import is_recording
    from backtest.terminal import progress

    if is_recording(folder):
        context.exit(_check_recording(folder, as_json, quiet))
    plan, why = _plan_inside(dataset := open_dataset(folder))
    with progress("check", quiet) as on_progress:
        span = _days_of(plan) if plan else None
        report = check_dataset(dataset, lags=not no_lags, plan_ns=span, on_progress=on_progress)
        # panels cannot be read through a file that is wrong
        gaps = _input_gaps(dataset, plan, on_progress, panels=not no_lags) if plan and not report.problems else why
    report = replace(report, warnings=(*gaps, *report.warnings), gaps=declared_gaps(folder))
    echo(json.dumps(asdict(report), indent=1) if as_json else text_of(report))
    context.exit(report.exit_code)


@data.command(epilog="Example: cme data synth configs/demo.toml --out build/demo")
@_CONFIG
@_OUT
@_JSON
@_QUIET
@leaves_journal()
def synth(config: Path, out: Path, as_json: bool, quiet: bool) -> None:
    """Generate the synthetic market of CONFIG, with its planted truth beside it.

    Exit code 2 (UsageError): CONFIG has no table [data.synthetic], or the market has no room for its plants.
    """
    from backtest.data.build.synthesise import build_synthetic, spec_of
    from backtest.registration.load import load_registration
    from backtest.seeds import streams as seed_streams
    from backtest.tasks.parent import end_workers_with_this_process
    from backtest.terminal import progress

    end_workers_with_this_process()
    plan = load_registration(config)
    if plan.data.kind != "synthetic":
        raise UsageError(f"{config}: expected a [data.synthetic] table, was data.kind = {plan.data.kind!r}")
    with progress("data", quiet) as on_progress:
        spec = spec_of(plan.data.synthetic, str(config))
        streams = seed_streams.load(_SEEDS).generator
        folder = build_synthetic(spec, streams, out, plan.data.name, os.cpu_count() or 1, on_progress, plan.text)
    _print_built(folder, plan, as_json, quiet)


@data.command(epilog="Example: cme data join live/days --out DATA/set --registration PLAN")
@click.argument("days", type=click.Path(path_type=Path))
@_OUT
@click.option("--registration", type=click.Path(path_type=Path), help="The plan that the data set is made for.")
@click.option("--name", default="joined", show_default=True, help="Name of the data set without a plan.")
@_JSON
@_QUIET
@leaves_journal(folder=lambda options: options["days"].parent / "journals")
def join(days: Path, out: Path, registration: Path | None, name: str, as_json: bool, quiet: bool) -> None:
    """Join the sealed days in DAYS into one canonical data set, each day's digest checked with the chain.

    Exit code 3: no day is sealed there; 21: the rows of a day are not those that were sealed.
    """
    from backtest.live.join import join_days
    from backtest.registration.load import load_registration

    plan = None if registration is None else load_registration(registration)
    dataset = join_days(days, out, plan.data.name if plan else name, plan.text if plan else None)
    _print_built(dataset.path, plan, as_json, quiet)


def _check_recording(folder: Path, as_json: bool, quiet: bool) -> int:
    """Print the report on a recording; return its exit code."""
    from backtest.data.raw.check_recording import check_recording, recording_text
    from backtest.terminal import progress

    with progress("check", quiet) as on_progress:
        report = check_recording(folder, on_progress)
    document = {**asdict(report), "rows": [row._asdict() for row in report.rows]}
    echo(json.dumps(document, indent=1) if as_json else recording_text(report))
    return report.exit_code


def _plan_inside(dataset: Dataset) -> tuple[Registration | None, tuple[str, ...]]:
    """Return the plan inside a data set, or None and why it cannot be read; no reason where there is none inside."""
    from backtest.data.format.dataset import REGISTRATION_FILE
    from backtest.registration.load import load_registration

    if REGISTRATION_FILE not in dataset.files:
        return None, ()
    try:
        dataset.read(REGISTRATION_FILE)
        return load_registration(dataset.path / REGISTRATION_FILE), ()
    except CmeError as error:
        # a plan of another version says nothing against the data
        return None, (f"its plan is not compared with it: {error}",)


def _days_of(plan: Registration) -> tuple[int, int] | None:
    """Return the time [from, to) in ns of the plan's windows with their history; None where they have no dates."""
    if not plan.dated:
        return None
    return min(window.history_ns for window in plan.windows), max(window.t1_ns for window in plan.windows)


def _input_gaps(dataset: Dataset, plan: Registration, on_progress: OnProgress, *, panels: bool) -> tuple[str, ...]:
    from backtest.pipeline.input_gaps import input_gaps

    try:
        return input_gaps(dataset, plan, on_progress, panels=panels)
    except UsageError as error:
        return (f"registered inputs are not compared with it: {error}",)


def warn_of_lacking(registration: Registration, listed: Sequence[str], quiet: bool) -> tuple[str, ...]:
    """Say on stderr, unless ``quiet``, what the plan names and is not among the instruments ``listed``; return it.

    Words of the plan that speak of another market are named too.
    """
    from backtest.registration.load import words_of_another_market
    from backtest.registration.named import lacking

    if not quiet and (words := words_of_another_market(registration.path)):
        remark(
            f"{registration.path}: {', '.join(words)}: the words are those of the plan it extends, whose market is "
            "another; write your own, or take them out by `without`"
        )
    entries = lacking(registration, listed)
    for entry in () if quiet else entries:
        remark(entry.sentence)
    return tuple(entry.instrument for entry in entries)


def _print_built(folder: Path, plan: Registration | None, as_json: bool, quiet: bool) -> None:
    """Open the data set that was written, which checks it, and print what it is and what it lacks."""
    from backtest.data.format.dataset import open_dataset

    dataset = open_dataset(folder)
    facts = {
        "path": str(dataset.path),
        "name": dataset.name,
        "synthetic": dataset.synthetic,
        "dataset_hash": dataset.dataset_hash,
        "files": len(dataset.files),
        "instruments": len(dataset.instruments),
        "underlyings": list(dataset.underlyings),
        "lacking": list(warn_of_lacking(plan, dataset.instruments.name, quiet)) if plan else [],
    }
    for source in dataset.sources:
        # The first note is the plan's reason; what was found in the source follows.
        for text in source.notes[1:]:
            echo(f"warning: {source.name}: {text}", err=True)
        if source.unverified:
            echo(f"warning: {source.name}: adapter {source.adapter} is UNVERIFIED: {source.unverified}", err=True)
    echo(json.dumps(facts) if as_json else "\n".join(f"{key:13} {value}" for key, value in facts.items()))
