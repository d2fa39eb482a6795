"""`cme status`: what the daily operation is doing, for a person, a page, a collector or a timer.  [live L3]"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from backtest.commands.journals import leaves_journal
from backtest.commands.live import JSON, LIVE, PLAN, QUIET
from backtest.terminal import echo, first_line

FAULTY = 3
"""Exit code of --check where something is missing that the operation needs."""


@click.command(epilog="Example: cme status configs/prereg/288615/registration.toml --raw live/raw --html status.html")
@PLAN
@LIVE
@click.option("--raw", type=click.Path(path_type=Path), help="Folder of the recording; its feeds are shown.")
@click.option("--out", default="runs", show_default=True, type=click.Path(path_type=Path), help="Where runs go.")
@click.option("--check", is_flag=True, help="End with 3 and one sentence a fault, where there is one.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a static page without scripts.")
@click.option(
    "--metrics", type=click.Path(path_type=Path), help="Write metrics for node_exporter's textfile collector."
)
@JSON
@QUIET
@leaves_journal(lambda options: options["html"] or options["metrics"], lambda options: options["live"] / "journals")
def status(
    plan: Path,
    live: Path,
    raw: Path | None,
    out: Path,
    check: bool,
    html: Path | None,
    metrics: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Show feeds, sealed days, ledgers, refusals and faults of PLAN's daily operation.

    Operational counts only: inside a registered window no money and no expected value is shown. Nothing is written but
    the files that are asked for.
    """
    first_line(f"cme status: reading {plan}", quiet)
    from backtest.data.format.atomic_write import write_whole
    from backtest.live.live_folder import LiveFolder
    from backtest.live.status import status_of
    from backtest.live.status_metrics import metrics_of
    from backtest.live.status_page import page_of, text_of
    from backtest.registration.load import load_registration

    document = status_of(load_registration(plan), LiveFolder(live), raw, out, time.time_ns() // 1000)
    for path, write in ((html, page_of), (metrics, metrics_of)):
        if path is not None:
            write_whole(path, write(document).encode())
    if as_json:
        echo(json.dumps(document, indent=1))
    elif check:
        for fault in document["faults"]:
            echo(fault)
    else:
        echo(text_of(document))
    return FAULTY if check and document["faults"] else 0
