"""`cme list` and `cme compare`: many runs in a table, and on one page."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, remark
from engine.errors import UsageError

if TYPE_CHECKING:
    from reports.many.summary import Summary

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
QUIET = click.option("--quiet", is_flag=True, help="No remarks on stderr.")


@click.command("list", epilog="Example: cme list --study carry-2022-2024")
@click.option("--out", default="runs", show_default=True, type=click.Path(path_type=Path), help="Where runs are.")
@click.option("--study", metavar="NAME", help="Only the runs of one study.")
@JSON
@QUIET
def list_runs(out: Path, study: str | None, as_json: bool, quiet: bool) -> None:
    """List the finished runs in --out: id, window, mode, and the three answers.

    A run that cannot be read is named on stderr with the reason, and the others are listed.
    """
    from reports.many.summary import summaries

    runs, unreadable = summaries(out)
    runs = [run for run in runs if study in (None, run.study)]
    if as_json:
        echo(json.dumps({"runs": [_document(run) for run in runs], "unreadable": unreadable}, indent=1))
        return
    for run in runs:
        echo(_line(run))
    if not quiet:
        for reason in unreadable.values():
            remark(f"not listed: {reason}")
        if not runs:
            remark(f"no finished run {f'of {study} ' if study else ''}in {out}; `cme run configs/demo.toml` makes one")


@click.command(epilog="Example: cme compare runs/carry-2022-2024-* --page carry.html")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--page", type=click.Path(path_type=Path), help="Also write one page, FILE.html, and its twin, FILE.md.")
@JSON
@QUIET
@leaves_journal(lambda options: options["page"])
def compare(runs: tuple[Path, ...], page: Path | None, as_json: bool, quiet: bool) -> None:
    """Put two or more RUNs side by side: answers, constraints, and which inputs and keys of the plans differ.

    The page shows the Sharpe ratios with their intervals as one picture. To pick the best of several runs is no test,
    and nothing here corrects for the choice.
    \f

    Raises ``UsageError`` (2) for fewer than two runs, one twice, or a page inside a run.
    """
    from reports.many.sections import caution, differing_inputs, differing_keys
    from reports.many.summary import summary_of

    _check(runs, page)
    read = [summary_of(run) for run in runs]
    pages = {} if page is None else _write(read, page)
    if as_json:
        keys = {key: [run.plan.get(key) for run in read] for key in differing_keys(read)}
        document = {"runs": [_document(run) for run in read], "differing_keys": keys}
        echo(json.dumps(document | {name: str(path) for name, path in pages.items()}, indent=1))
        return
    for run in read:
        echo(_line(run))
    for key in (*differing_keys(read), *differing_inputs(read)):
        echo(f"differs  {key}")
    if not quiet:
        remark(caution(read))
    if pages and not quiet:
        remark(f"page     {pages['html']}")


def _check(runs: tuple[Path, ...], page: Path | None) -> None:
    places = [run.resolve() for run in runs]
    if len(runs) < 2:
        raise UsageError(f"RUN: expected two runs or more, was {runs[0]} alone; `cme list` shows the runs")
    if twice := [str(run) for run, place in zip(runs, places, strict=True) if places.count(place) > 1]:
        raise UsageError(f"RUN: expected each run once, was {', '.join(twice)}")
    if page is not None and page.suffix != ".html":
        raise UsageError(f"--page: expected a name that ends in .html, was {page}")
    # The sums of a run list every file of it: a page more would be one too many.  [decision 0270]
    if page is not None and any(page.resolve().is_relative_to(place) for place in places):
        raise UsageError(f"--page: expected a file outside the runs, whose files are listed, was {page}")


def _write(runs: list[Summary], page: Path) -> dict[str, Path]:
    from reports.commands import write_whole
    from reports.many.page import pages_of

    html, markdown = pages_of(runs)
    return {"html": write_whole(page, html), "markdown": write_whole(page.with_suffix(".md"), markdown)}


def _line(run: Summary) -> str:
    """Return one run on one line."""
    from reports.many.summary import CLAIMS
    from reports.words import NONE, count, number

    words = "  ".join(f"{name} {run.answers.get(name, NONE):<11}" for name in CLAIMS)
    market = "synthetic, " if run.synthetic else ""
    numbers = f"{count(run.trades):>6} trades  Sharpe {number(run.sharpe):>7}"
    span = f"{run.start} to {run.end}" if run.start else NONE  # a simulation has no window
    return f"{run.run_id:<50} {span:<24}  {words}  {numbers}  {market}{run.mode}"


def _document(run: Summary) -> dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if name != "plan"} | {"path": str(run.path)}
