"""`cme bundle`: everything a reviewer needs in one file.  [audit 12]"""

from __future__ import annotations

import json
from pathlib import Path

import click

from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, remark
from engine.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.command(epilog="Example: cme bundle runs/ID --out demo.zip")
@click.argument("run", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="The archive to write; replaced whole where it is there.")
@click.option("--checkpoint", "checkpoints", type=_PATH, multiple=True, help="A kept checkpoint to take along.")
@click.option("--anchors", type=_PATH, help="anchors.jsonl to take along.")
@click.option("--freeze", type=_PATH, help="freeze.json of a confirmatory run; found below configs/ where not given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="Nothing on stderr.")
@leaves_journal()
def bundle(
    run: Path,
    out: Path,
    checkpoints: tuple[Path, ...],
    anchors: Path | None,
    freeze: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Pack the finished run directory RUN: what it claims, what it stands on, and how to check both.

    The run is verified first. The archive's hash depends on the run and its journals only. Market data are named by
    hash and not taken along.
    \f
    Raises ``UsageError`` (2) if --out has another ending, and what `bundle_of` raises.
    """
    from backtest.audit.bundle.collect import bundle_of
    from backtest.audit.bundle.pack import write_archive
    from backtest.audit.verify_ledger import trusted_inputs

    if out.suffix != ".zip":
        raise UsageError(f"--out: expected a name that ends with .zip, was {out}")
    contents = bundle_of(run, trusted_inputs(checkpoints, (), anchors), freeze)
    digest = write_archive(out, contents.files)
    if not quiet:
        for sentence in contents.remarks:
            remark(sentence)
    if as_json:
        document = {"path": str(out), "sha256": digest, "files": len(contents.files), "remarks": list(contents.remarks)}
        echo(json.dumps(document, indent=1))
    else:
        echo(f"{out}  {len(contents.files)} files  sha256 {digest}")
