"""``cme report RUN``: renders the page and its Markdown twin again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from backtest.commands.journals import leaves_journal
from backtest.tasks.parallel import ParallelMap, serial_map
from backtest.terminal import echo, remark
from engine.errors import UsageError, WriteError


@click.command(epilog="Example: cme report runs/ID")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else there.")
@click.option("--figures", type=click.Path(path_type=Path), help="Also write each figure as NAME.svg into this folder.")
@click.option("--quiet", is_flag=True, help="Print nothing but an error.")
@leaves_journal()
def report(run: Path, as_json: bool, figures: Path | None, quiet: bool) -> None:
    """Render the report of the run directory RUN again: report.html and report.md.

    \f

    Raises ``UsageError`` (2) for a --figures folder inside RUN.
    """
    from backtest.rundir import checksums
    from backtest.rundir.damage import damage_named

    # The sums of a run list every file of it: a picture more would be one too many.  [decision 0270]
    if figures is not None and figures.resolve().is_relative_to(run.resolve()):
        raise UsageError(f"--figures: expected a folder outside {run}, whose files are listed, was {figures}")
    with damage_named(run):
        pages = write(run, figures=figures)
    if not checksums.renew(run, [path.name for path in pages.values() if path.parent == run]) and not quiet:
        remark(f"{run} has no {checksums.NAME} to renew: `cme verify` will say so")
    if as_json:
        echo(json.dumps({name: str(path) for name, path in pages.items()}))
    elif not quiet:
        echo(f"report   {pages['html']}")


def write(run: Path, parallel_map: ParallelMap = serial_map, figures: Path | None = None) -> dict[str, Path]:
    """Write both pages of ``run``, and each figure as NAME.svg into ``figures`` unless None; return their paths.

    Each file is written whole or not at all.
    """
    # imported here: pandas and matplotlib take a second, and the command's help needs neither
    from reports.load import load
    from reports.render import build, figures_of, frame_of, markdown, page

    loaded = load(run)
    built, frame = build(loaded, parallel_map), frame_of(loaded)
    pages = {
        "html": write_whole(run / "report.html", page(frame, built)),
        "markdown": write_whole(run / "report.md", markdown(frame, built)),
    }
    if figures is not None:
        pages |= {
            name: write_whole(figures / f"{name}.svg", f"{svg.rstrip()}\n") for name, svg in figures_of(built).items()
        }
    return pages


def where_each_ends(run: Path) -> dict[str, str]:
    """Return, by code, the first empty stage of each constraint of the run directory ``run`` and its reason."""
    from reports.load import load_counts
    from reports.sections.funnel import stopped
    from reports.words import CODES

    counts = load_counts(run)
    return {code: stopped(counts, code) for code in CODES}


def write_whole(path: Path, text: str) -> Path:
    """Write ``text`` to ``path`` whole, or leave the file as it was; return the path."""
    # beside the target: a rename within one folder is atomic
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WriteError(f"expected to write {path}, was: {error}; free space or give permission") from error
    return path
