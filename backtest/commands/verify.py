"""`cme verify`: recompute every hash of a ledger or a run from its content.  [audit 8]"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from backtest.terminal import echo, remark
from engine.errors import MissingError, UsageError

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
_QUIET = click.option("--quiet", is_flag=True, help="Nothing on stderr.")
_PATH = click.Path(path_type=Path)
_LOOKED_AT = 1 << 16
"""Bytes: a first row is a few hundred."""


class PathFirst(click.Group):
    """A group whose first word may be a path: then it is the command ``path``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["path", *args]
        return super().parse_args(ctx, args)


@click.group(cls=PathFirst, invoke_without_command=False)
def verify() -> None:
    """Recompute every hash from content: of a run directory, of a bundle, or of a ledger file.

    \b
    cme verify runs/ID                                     every file of a run against files.sha256, and what it says
    cme verify demo.zip                                    a bundle, packed or unpacked: level 0 of `cme reproduce`
    cme verify ledger/resolution.jsonl --emit-ledger ledger/emit.jsonl
    cme verify ledger/emit.jsonl --checkpoint 1269.ckpt --key publisher.vkey
    cme verify compare A.jsonl B.jsonl                     the same, a prefix, or a fork (16)

    files.sha256 lists every file of a run and shows accidents and careless changes. Who changes a file can list it
    anew: against that stand `cme reproduce`, which computes results and ledgers again, and a digest kept elsewhere.
    The net of each signal is computed again from the terms in its row, and counted; a row that differs is named.
    A chain alone shows neither a cut tail nor a complete rewrite: bring a checkpoint that someone else kept. It does
    not show that inputs were true, that everything the engine produced was emitted, or that nobody analysed a copy.
    """


@verify.command("path", short_help="A run directory, a bundle or a ledger file (the word may be left out).")
@click.argument("path", type=_PATH)
@click.option("--emit-ledger", "emit", type=_PATH, help="The emit ledger that a resolution ledger refers to.")
@click.option("--checkpoint", "checkpoints", type=_PATH, multiple=True, help="A checkpoint kept elsewhere; repeatable.")
@click.option(
    "--key", "keys", type=_PATH, multiple=True, help="Verification keys that must have signed it, one a line."
)
@click.option("--anchors", type=_PATH, help="anchors.jsonl; each anchor of the ledger must fit it.")
@click.option("--data", "data_root", type=_PATH, envvar="CME_DATA",
              help="Folder of real market data: a simulation of a real event is computed again from it.")  # fmt: skip
@_JSON
@_QUIET
@click.pass_context
def path_command(
    ctx: click.Context,
    path: Path,
    emit: Path | None,
    checkpoints: tuple[Path, ...],
    keys: tuple[Path, ...],
    anchors: Path | None,
    data_root: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Verify PATH, a run directory, a bundle or a ledger file; the exit code is that of the first fault.

    \b
    cme verify runs/ID --checkpoint kept/1269.ckpt --json
    \f
    Raises ``MissingError`` (3) if PATH is nothing or another folder, ``UsageError`` (2) if it is another file.
    """
    from backtest.audit.bundle.check import is_bundle, level_0, staged
    from backtest.audit.run.check import is_run, verify_run
    from backtest.audit.verify_ledger import trusted_inputs, verify_with_emit
    from backtest.simulation.covenant_verify import is_covenant_run, verify_covenant_run
    from backtest.simulation.scenario_verify import is_simulation_run, verify_simulation_run

    if not path.exists():
        raise MissingError(f"{path}: expected a run directory, a bundle or a ledger file, was nothing")
    trusted = trusted_inputs(checkpoints, keys, anchors)
    if is_run(path):
        document = _with_net(verify_run(path, trusted).document(), path / "ledger" / "emit.jsonl")
    elif is_covenant_run(path):
        document = verify_covenant_run(path)
    elif is_simulation_run(path):
        document = verify_simulation_run(path, data_root)
    elif is_bundle(path):
        with staged(path) as place:
            document = _with_net(level_0(place, trusted).document(), place.run / "ledger" / "emit.jsonl")
    elif path.is_dir():
        raise MissingError(
            f"{path}: expected a run directory (manifest.json, ledger/emit.jsonl) or a bundle (manifest.json, "
            "ledgers/emit.jsonl), was another folder"
        )
    elif not _is_ledger(path):
        raise UsageError(
            f"{path}: expected a run directory, a bundle or a ledger (NAME.jsonl, lines of row and row_hash), was "
            "another file; what a run was made from is verified with its directory: cme verify runs/ID"
        )
    else:
        document = _with_net(verify_with_emit(path, emit, trusted).report.document(), path)
    _conclude(ctx, document, as_json, quiet)


@verify.command()
@click.argument("a", type=_PATH)
@click.argument("b", type=_PATH)
@_JSON
@_QUIET
@click.pass_context
def compare(ctx: click.Context, a: Path, b: Path, as_json: bool, quiet: bool) -> None:  # noqa: ARG001
    """Compare two files of one ledger: rows in common, and same, prefix or fork; a fork (16) proves two histories.

    \b
    cme verify compare mine.jsonl theirs.jsonl
    """
    from engine.ledger.verification.compare import compare as relation_of
    from engine.ledger.verification.verify import opened

    with opened(a) as first, opened(b) as second:
        relation = relation_of(first, second)
    echo(json.dumps(asdict(relation)) if as_json else f"{relation.relation}, {relation.common_rows} rows in common")
    ctx.exit(relation.exit)


def _is_ledger(path: Path) -> bool:
    """Return whether a file is a ledger, damaged or not: by its name, or by its text."""
    if path.suffix == ".jsonl":
        return True
    with path.open("rb") as stream:
        return b'"row_hash"' in stream.read(_LOOKED_AT)


def _with_net(document: dict[str, Any], emit: Path) -> dict[str, Any]:
    """Return ``document`` with ``net``, the count over the rows of the ledger ``emit`` that hold."""
    from backtest.audit.count_net import count_net

    report = document.get("ledgers", {"emit": document}).get("emit")
    # A bundle without a readable run has no ledger to count.
    return document if report is None else document | {"net": count_net(emit, report["rows"]).document()}


def _conclude(ctx: click.Context, document: dict[str, Any], as_json: bool, quiet: bool) -> None:
    echo(json.dumps(document, indent=1) if as_json else "\n".join(_lines(document)))
    if document["exit"] and not quiet:
        remark(str(document["reason"]))
    ctx.exit(document["exit"])


def _lines(document: dict[str, Any]) -> list[str]:
    """Return the document for reading: each ledger, the nets from their rows, each check, and what was not checked."""
    from backtest.audit.count_net import sentences

    shown = [f"exit {document['exit']}: {document['reason'] or 'everything asked for was checked and holds'}"]
    for kind, report in document.get("ledgers", {"ledger": document}).items():
        kinds = ", ".join(f"{count} {name}" for name, count in report["counts"].items())
        shown += [f"{kind:11}{report['ledger_id'] or 'id not readable'}  {report['rows']} rows ({kinds or 'no kinds'})"]
        shown += [f"{'':11}head {report['head'] or 'none: no row holds'}", f"{'':11}root {report['root']}"]
        for rule, count in (report["unresolved"] or {}).items():
            shown.append(f"{'':11}signals without a resolution under {rule}: {count}")
        for group in ("checkpoints", "signatures", "anchors"):
            shown += [f"{'':11}{group[:-1]} {_entry(entry)}" for entry in report[group]]
    shown += sentences(document["net"]) if "net" in document else []
    shown += [f"check      {row['name']:18} {row['reason'] or 'ok'}" for row in document.get("checks", ())]
    return shown + [f"unchecked  {note}" for note in document["unchecked"]]


def _entry(entry: dict[str, Any]) -> str:
    name = entry.get("name") or entry.get("reference") or entry.get("source")
    size = f" at {entry['size']} rows" if entry.get("size") is not None else ""
    return f"{name}{size}: {entry['status']}" + (f" ({entry['reason']})" if entry["reason"] else "")
