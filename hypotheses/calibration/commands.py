"""``cme calibrate CONFIG``: measured size, coverage and power of the pipeline.  [statistics 10, S9.1]

The door alone: what it needs is imported when it is called, so that its help is quick.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, overwrite, remark
from engine.errors import UsageError

if TYPE_CHECKING:
    from hypotheses.calibration.run import Job


@click.command(epilog="Example: cme calibrate configs/calibration/registered.toml --quick")
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--quick", is_flag=True, help="Few replications of every cell: minutes. Certifies nothing.")
@click.option("--out", default="runs/calibration", show_default=True, type=click.Path(path_type=Path),
              help="Where finished chunks and the certificate go; a stopped run goes on there.")  # fmt: skip
@click.option("--workers", default=0, help="Processes; 0 takes one a core. Results do not depend on it.")
@click.option("--cell", "names", multiple=True, help="Only these cells, by name; no certificate is written.")
@click.option("--replications", type=click.IntRange(min=1),
              help="Replications of the cells named by --cell, in place of the registered number.")  # fmt: skip
@click.option("--data", "data_root", envvar="CME_DATA", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder of real market data, for resampled rows; $CME_DATA where not given.")  # fmt: skip
@click.option("--so-far", is_flag=True, help="Draw nothing new: a certificate of the chunks that --out holds.")
@click.option("--publish", is_flag=True, help="Keep the certificate beside CONFIG too, where reports find it.")
@click.option("--carry", "carry_from", metavar="COMMIT", help="Carry the kept certificate over from COMMIT to HEAD if "
              "the demonstration, both studies and every cell of --quick are equal.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print certificate.json on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@leaves_journal()
def calibrate(
    config: Path,
    quick: bool,
    out: Path,
    workers: int,
    names: tuple[str, ...],
    replications: int | None,
    data_root: Path | None,
    so_far: bool,
    publish: bool,
    carry_from: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure what the judging code does where the truth is known: false positives, coverage, power, recovery.

    Every cell of the protocol's table runs through the project's own code: `engine` rows from a drawn market to the
    verdict, `series` rows from a drawn series, `resampled` rows on real days (with --data). Finished chunks are kept in
    --out, so a run that was stopped goes on. Writes certificate.json, certificate.md and cost.json there. Ends with 0
    whatever the rows say; a row that misses its limit is marked.

    The cells n2-size/* measure N2's size by ratio, by mean and by the larger p-value where moved signals earn the same
    as unmoved ones; the last line says which statistic the registered rule gives and which the plan registers: `--cell
    n2-size/law --cell n2-size/free --replications 20` shows what it costs.

    With --carry the certificate beside CONFIG is kept for the code of HEAD: COMMIT, whose code it is of, and HEAD are
    checked out and run the demonstration, both real studies and --quick below --out; finished steps are kept. Ends
    with 32, and names run and cell, where anything differs; cells named by --cell are measured anew under HEAD and
    take the place of their rows.
    \f

    Raises ``UsageError`` (2) for --publish with --quick or --cell, for --replications without --cell, and for --carry
    with any of --quick, --so-far, --publish, --replications or without --data; `carry` says what else it refuses.
    """
    if replications is not None and not names:
        raise UsageError("--replications: expected cells to be named by --cell, was none: the certificate has its own")
    if publish and (quick or names):
        raise UsageError("--publish: expected a whole certificate, was --quick or --cell: leave them out")
    if carry_from is not None and (quick or so_far or publish or replications):
        raise UsageError(
            "--carry: expected none of --quick, --so-far, --publish, --replications, was one: leave it out"
        )
    if carry_from is not None and data_root is None:
        raise UsageError("--carry: expected --data, the folder with the data of both real studies, was none")
    from backtest.tasks.parent import end_workers_with_this_process
    from hypotheses.calibration import publish as calibration_publish
    from hypotheses.calibration.run import Job, measure

    end_workers_with_this_process()
    job = Job(config.absolute(), quick, out.absolute(), data_root and data_root.absolute(), so_far, replications)
    if carry_from is not None:
        _carry(job, carry_from, workers or os.cpu_count() or 1, names, quiet, as_json)
        return
    cells = calibration_publish.wanted(names, data_root)
    measure(job, cells, workers or os.cpu_count() or 1, _Progress(quiet))
    content = calibration_publish.certificate_of(job, cells)
    if names:
        for name, spent in calibration_publish.cpu_by_cell(job, cells).items():
            echo(f"{name}: {spent:.2f} CPU s a replication", err=True)
        echo(json.dumps(content["rows"], indent=1) if as_json else calibration_publish.table(content))
        return
    text = calibration_publish.write(content, job, cells, publish)
    echo(
        text if as_json else f"{calibration_publish.table(content)}\ncertificate   {out / calibration_publish.NAME}",
        nl=not as_json,
    )


def _carry(job: Job, commit: str, workers: int, names: tuple[str, ...], quiet: bool, as_json: bool) -> None:
    """Carry the certificate beside the configuration over to HEAD and say what it is of now."""
    from backtest.gate.freeze.import_closure import ROOT
    from hypotheses.calibration import publish
    from hypotheses.calibration.carried import in_force
    from hypotheses.calibration.carry import Request, carry

    kept = job.config.parent / publish.NAME
    content = publish.kept_certificate(kept)
    request = Request(ROOT, job, commit, workers, names, quiet=quiet)
    carried = carry(request, content, (lambda _: None) if quiet else remark, _Progress(quiet))
    if carried != content:
        publish.keep_carried(carried, kept, publish.PUBLISHED)
    if as_json:
        echo(kept.read_text(encoding="utf-8"), nl=False)
    else:
        echo(f"the certificate is of this code{in_force(carried).words}\ncertificate   {kept}")


class _Progress:
    """One line a cell on a terminal, else one line whenever a cell is whole: cell, done/of, rate, time left."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._first: dict[str, tuple[float, int]] = {}

    def __call__(self, cell: str, done: int, of: int) -> None:
        if self._quiet:
            return
        # Chunks kept from an earlier run cost no time now and must not raise the rate.
        begun, had = self._first.setdefault(cell, (time.monotonic(), done))
        rate = (done - had) / max(time.monotonic() - begun, 1e-9)
        left = f", {rate:.1f}/s, {(of - done) / rate:.0f} s left" if done > had and done < of else ""
        if self._terminal:
            overwrite(f"{cell:<24} {done}/{of}{left}", nl=done == of and done > had)
        elif done == of:
            echo(f"{cell}: {done}/{of}", err=True)
