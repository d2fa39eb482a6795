"""``cme reproduce`` and ``cme drill``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, remark

_PATH = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
_QUIET = click.option("--quiet", is_flag=True, help="No progress on stderr.")


@click.command(epilog="Example: cme reproduce demo.zip --level 2")
@click.argument("source", metavar="BUNDLE_OR_RUN", type=_PATH)
@click.option("--level", type=click.IntRange(0, 3), default=1, show_default=True, help="How far; see above.")
@click.option("--data", type=_PATH, envvar="CME_DATA", help="Folder of the source files, or of the data set itself.")
@click.option("--workers", default=0, help="Processes of level 2; 0 takes one a core. Results do not depend on it.")
@click.option("--checkpoint", "checkpoints", type=_PATH, multiple=True, help="A checkpoint kept elsewhere; repeatable.")
@click.option("--key", "keys", type=_PATH, multiple=True, help="Verification keys that must have signed it.")
@click.option("--anchors", type=_PATH, help="anchors.jsonl kept elsewhere.")
@click.option("--variation", "names", multiple=True, help="Of level 3, only these; all where not given.")
@click.option("--out", type=_PATH, help="Folder for report and attestation; beside BUNDLE_OR_RUN where not given.")
@_JSON
@_QUIET
@click.pass_context
@leaves_journal()
def reproduce(
    ctx: click.Context,
    source: Path,
    level: int,
    data: Path | None,
    workers: int,
    checkpoints: tuple[Path, ...],
    keys: tuple[Path, ...],
    anchors: Path | None,
    names: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compute a published run again; print registered, reported and recomputed value of every claim.

    \b
    level 0  sums, ledgers row by row, checkpoints, the digest from the results document
    level 1  every statistic from the run's tables and seeds; another digest is exit 30
    level 2  the data set and the engine again; a ledger that differs is exit 32, naming the first row
    level 3  level 2 in other environments; a digest that differs is exit 32

    The float tier is compared with its tolerances and reported after the exact verdict (31). Nothing is written into
    BUNDLE_OR_RUN; a report and an attestation are written beside it.
    \f

    Raises ``UsageError`` (2) for an unknown --variation, or an --out inside BUNDLE_OR_RUN.
    """
    from backtest.audit.bundle.variations import variations
    from backtest.audit.verify_ledger import trusted_inputs
    from backtest.simulation.covenant_verify import is_covenant_run
    from backtest.simulation.scenario_verify import is_simulation_run
    from backtest.tasks.parent import end_workers_with_this_process
    from engine.errors import UsageError
    from hypotheses.covenants.reproduce import reproduce_covenant_run
    from hypotheses.reproduction.report import write
    from hypotheses.reproduction.reproduce import reproduce as reproduced

    on_progress = (lambda _: None) if quiet else (lambda what: echo(f"reproducing: {what}", err=True))
    if is_simulation_run(source):
        ctx.exit(_simulation(source, data, workers or os.cpu_count() or 1, as_json))
    if is_covenant_run(source):
        ctx.exit(_conclude(reproduce_covenant_run(source, data, on_progress), as_json))
    matrix = variations()
    # A misspelt name would leave the matrix empty, and an empty matrix agrees.
    unknown = sorted(set(names) - {variation.name for variation in matrix})
    if unknown:
        raise UsageError(f"--variation: expected names of {[variation.name for variation in matrix]}, was {unknown}")
    beside = (out or source.resolve().parent).resolve()
    # A file more in a run or bundle breaks its list of sums.  [decision 0270]
    if beside.is_relative_to(source.resolve()):
        raise UsageError(f"--out: expected a folder outside {source}, which is only read, was {out}")
    end_workers_with_this_process()
    report = reproduced(
        source,
        level,
        trusted_inputs(checkpoints, keys, anchors),
        data,
        workers or os.cpu_count() or 1,
        [variation for variation in matrix if not names or variation.name in names],
        on_progress,
    )
    written = write(report, beside, source.resolve().name)
    if as_json:
        echo(json.dumps(report.document() | {"written": [str(path) for path in written]}, indent=1))
    else:
        echo(report.text(), nl=False)
        echo(f"report   {written[1]}")
    if report.exit and not quiet:
        remark(str(report.reason))
    ctx.exit(report.exit)


def _simulation(source: Path, data: Path | None, workers: int, as_json: bool) -> int:
    """Compute a run of `cme simulate` again, print registered, reported and recomputed digest, return the exit code."""
    from backtest.simulation.scenario_verify import verify_simulation_run

    document = verify_simulation_run(source, data, workers)
    # What `cme verify` may leave out is what this command is for.
    if document["unchecked"] and not document["exit"]:
        document |= {"exit": 3, "reason": f"{source}: {document['unchecked'][0]}; or give --data DIR"}
    return _conclude(document, as_json)


def _conclude(document: dict[str, Any], as_json: bool) -> int:
    """Print the checks of a run without a ledger and the claims it has, and return the exit code."""
    lines = [f"{row['name']:12} {row['reason'] or 'ok'}" for row in document["checks"]]
    for claim in document.get("claims", ()):
        words = (f"{name} {_shown(claim[name])}" for name in ("reported", "recomputed"))
        lines.append(f"{claim['claim']:12} {'; '.join(words)}")
    echo(json.dumps(document, indent=1) if as_json else "\n".join([*lines, f"exit {document['exit']}"]))
    if document["exit"]:
        remark(str(document["reason"]))
    return int(document["exit"])


def _shown(estimate: dict[str, Any]) -> str:
    """Return an estimate against the constant-leverage placebo as text: point, interval, verdict."""
    if estimate["point"] is None:
        return str(estimate["verdict"])
    return f"{estimate['point']:+.4f} [{estimate['low']:+.4f}, {estimate['high']:+.4f}] {estimate['verdict']}"


@click.command(epilog="Example: cme drill runs/ID")
@click.argument("run", type=_PATH)
@_JSON
@_QUIET
@click.pass_context
def drill(ctx: click.Context, run: Path, as_json: bool, quiet: bool) -> None:
    """Tamper with copies of RUN in every known way; print what caught each, or that nothing can without a checkpoint.

    Exit 0 where each was caught by the files themselves or by a checkpoint kept elsewhere, 32 otherwise. RUN is only
    read.
    \f

    Raises ``MissingError`` (3) if RUN is no run directory.
    """
    from dataclasses import asdict

    from backtest.audit.run.check import is_run
    from engine.errors import MissingError
    from hypotheses.reproduction.drill import BEYOND, table
    from hypotheses.reproduction.drill import drill as drilled

    if not is_run(run):
        raise MissingError(f"{run}: expected a run directory (manifest.json, ledger/emit.jsonl), was none")
    rows = drilled(run, (lambda _: None) if quiet else (lambda what: echo(f"drill: {what}", err=True)))
    missed = [row for row in rows if not row.exit and not row.with_checkpoint]
    if as_json:
        echo(json.dumps({"missed": len(missed), "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        echo("\n".join(table(rows)))
        echo(f"{len(rows)} tamperings, {len(missed)} missed\n")
        echo("\n".join(BEYOND))
    ctx.exit(32 if missed else 0)
