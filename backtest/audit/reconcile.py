"""Run directories, their ledgers, journals, reports and failed claims must name the same runs; what stands alone is an
orphan.  [audit 13, 15.5]

The other side, journals against MLflow, is `backtest.tracking.audit`.  A run directory that was made again is compared
with the newest journal that names it: the older ones keep their own copies of what they recorded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backtest.audit.run.check import KINDS, is_run
from backtest.gate.looks import null_results
from backtest.gate.looks.null_results import NEGATIVES_FILE
from backtest.rundir import checksums
from backtest.rundir.staging import is_staged, name_of
from backtest.tracking import journal
from backtest.tracking.journal import Record
from engine.errors import CmeError
from engine.ledger.hash_chain import ZERO_HASH

UNREADABLE: Final = "journal does not hold"
UNFINISHED: Final = "run is not finished"
_CUT_OFF: Final = "was cut off before its end: the command that began it takes it up again"
_MARK: Final = "/verdicts.json"
"""The artifact by which a journal names a run directory."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """One thing that another should stand for and does not."""

    kind: str
    subject: str
    reason: str


def orphans(runs: Path) -> tuple[Orphan, ...]:
    """Return what does not fit together below ``runs``: journals first, then run directories by name."""
    records, problems = _records(runs)
    newest: dict[str, Record] = {}
    # In order of their ends: the newest journal of a name is written last and stays.
    for record in sorted(records, key=lambda read: read.end_us):
        for name in named(record):
            newest[name] = record
    twice = [uid for uid, number in Counter(record.run_uid for record in records).items() if number > 1]
    for uid in sorted(twice):
        paths = ", ".join(str(record.path) for record in records if record.run_uid == uid)
        problems.append(Orphan("journal twice", uid, f"{paths} are of one run: keep the one in the folder of its name"))
    directories = [path for path in sorted(runs.iterdir()) if path.is_dir() and is_run(path)]
    folders = {path.name: path for path in directories if not is_staged(path)}
    problems += [Orphan(UNFINISHED, name_of(path), f"{path} {_CUT_OFF}") for path in directories if is_staged(path)]
    for name, record in sorted(newest.items()):
        if name not in folders:
            problems.append(
                Orphan(
                    "run is gone", name, f"{record.path} names it, and there is no such run directory: bring it back"
                )
            )
    for name, path in folders.items():
        problems += _of_run(path, newest.get(name))
    return (*problems, *_of_claims(runs, records, {*newest, *folders}))


def named(record: Record) -> tuple[str, ...]:
    """Return the run directories a journal recorded."""
    return tuple(path.removesuffix(_MARK) for path in record.artifacts if path.endswith(_MARK))


def _records(runs: Path) -> tuple[list[Record], list[Orphan]]:
    records, problems = [], []
    for path in journal.journals(runs):
        try:
            records.append(journal.read(path))
        except CmeError as problem:
            problems.append(Orphan(UNREADABLE, str(path), str(problem)))
    return records, problems


def _of_claims(runs: Path, records: Sequence[Record], known: Set[str]) -> Iterator[Orphan]:
    """Yield what the registry of failed claims lacks, and entries of exploratory runs that nothing else names."""
    path = runs / NEGATIVES_FILE
    try:
        rows = null_results.read(path).rows
    except (CmeError, OSError) as problem:
        yield Orphan("failed claims do not hold", str(path), str(problem))
        return
    # A journal may have seen the registry before its first claim.
    heads = {ZERO_HASH, *null_results.heads(path)}
    for record in records:
        head = record.tags.get("negatives")
        if record.mode != "confirmatory" and head is not None and head not in heads:
            reason = f"the journal {record.path} saw it with head {head}, which it does not have: bring it back"
            yield Orphan("failed claims were removed", str(path), reason)
    for name in sorted({str(row["run_id"]) for row in rows} - known):
        reason = f"{path} tells what it did not show, and neither a journal nor a run directory names it: bring it back"
        yield Orphan("failed claim of a run that is gone", name, reason)


def _of_run(path: Path, record: Record | None) -> list[Orphan]:
    # The listing is written last: without it and a journal the run was cut off.
    if record is None and not (path / checksums.NAME).is_file():
        return [Orphan(UNFINISHED, path.name, f"it {_CUT_OFF}")]
    problems = []
    if record is None:
        reason = "no journal beside it names this run directory: bring its journal back, or run it with --again"
        problems.append(Orphan("run without a journal", path.name, reason))
    try:
        manifest, verdicts = _read(path / "manifest.json"), _read(path / "verdicts.json")
        digest, start = (path / "digest.txt").read_text(encoding="utf-8").strip(), manifest["window"]["start"]
        header = verdicts["run"]
        # A copy under another name would be taken for a run of its own.
        if not path.name == manifest["id"] == header["id"]:
            names = f"manifest.json says {manifest['id']}, verdicts.json {header['id']}"
            problems.append(Orphan("run under another name", path.name, names))
        if header["digest"] != digest:
            problems.append(
                Orphan("digest differs", path.name, f"digest.txt says {digest}, verdicts.json {header['digest']}")
            )
        recorded = record.tags.get(f"digest.{start}") if record else digest
        if record is not None and recorded != digest:
            reason = f"the journal {record.run_uid} says {recorded}, the run directory {digest}"
            problems.append(Orphan("digest differs", path.name, reason))
        problems += _of_reports(path, header["id"], digest)
        problems += _of_ledgers(path, manifest["ledgers"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as problem:
        problems.append(
            Orphan(
                UNFINISHED,
                path.name,
                f"its files cannot be read: {str(problem) or repr(problem):.300}: run its command again",
            )
        )
    return problems


def _of_ledgers(path: Path, in_manifest: Mapping[str, Any]) -> list[Orphan]:
    """Return the ledgers that are not those of the manifest, by their first and last rows; `cme verify` reads all."""
    problems = []
    for kind in KINDS:
        body = (path / "ledger" / f"{kind}.jsonl").read_bytes()
        first, last = json.loads(body[: body.find(b"\n")]), json.loads(body[body.rfind(b"\n", 0, -1) + 1 :])
        is_ = {"ledger_id": first["row"]["ledger_id"], "size": last["row"]["seq"] + 1, "head": last["row_hash"]}
        wanted = {key: in_manifest[kind][key] for key in is_}
        if is_ != wanted:
            reason = f"expected {wanted} of manifest.json, was {is_}: `cme verify {path}` says where"
            problems.append(Orphan(f"{kind} ledger of another run", path.name, reason))
    return problems


def _of_reports(path: Path, name: str, digest: str) -> list[Orphan]:
    """Return the reports that are of another run, or of other results of this one."""
    problems = []
    for page, wanted in (("report.html", (name, digest)), ("report.md", (digest,))):
        text = (path / page).read_text(encoding="utf-8") if (path / page).is_file() else None
        if text is None:
            problems.append(Orphan("run without a report", path.name, f"there is no {page}: `cme report` writes it"))
        elif missing := [text_part for text_part in wanted if text_part not in text]:
            problems.append(Orphan("report of other results", path.name, f"{page} does not name {', '.join(missing)}"))
    return problems


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
