"""The looks registry of a study: a live ledger whose every row is one act of looking at outcomes.  [audit 11.1]

    looks/looks.jsonl                 the published form: committed, and what is verified
    looks/checkpoints/<id>/<n>.ckpt   one at both ends of every look
    looks/highwater.json              how far it had come
    looks/live/looks.sqlite           the live store; in no commit, rebuilt from the published form where absent

It shows the looks made through this tool; it cannot show an analysis of a copy made elsewhere.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from backtest.gate.looks.rule import Look, Permit, amendments_when_blinded, looks_of
from engine.errors import AppendError, GateError, LedgerError, MissingError
from engine.ledger.chain import id_of
from engine.ledger.checkpoint import Checkpoint, parse_checkpoint, text_of, write_checkpoint
from engine.ledger.merkle import root
from engine.ledger.store.export import export, export_lines
from engine.ledger.store.high_water_mark import read_mark
from engine.ledger.store.live_store import Store, open_store
from engine.ledger.store.tables import TABLE
from engine.ledger.verification.verify import verify_ledger

LEDGER: Final = "looks.jsonl"
MARK: Final = "highwater.json"
LIVE: Final = Path("live", "looks.sqlite")
CHECKPOINTS: Final = "checkpoints"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that holds: its looks, and the bytes that say so."""

    ledger_id: str
    genesis: Mapping[str, Any]
    looks: tuple[Look, ...]
    body: bytes

    def amendments_when_blinded(self) -> int | None:
        """Return how many amendments the plan had at its first blinded run; None without one."""
        return amendments_when_blinded(row["content"] for _, _, row in _rows(self.body) if row["kind"] == "look")

    def summary(self) -> dict[str, Any]:
        """Return what every report prints: the number of looks by state, each look, and size and root of the ledger."""
        states = [look.state for look in self.looks]
        return {
            "ledger_id": self.ledger_id,
            "size": self.body.count(b"\n"),
            "root": root(row for row, _, _ in _rows(self.body)).hex(),
            "number": len(states),
            **{state: states.count(state) for state in ("open", "closed", "aborted")},
            "repaired": sum(look.repair_of is not None for look in self.looks),
            "blinded": sum(row["content"].get("event") == "blinded" for _, _, row in _rows(self.body)),
            "looks": [
                {
                    "look_id": look.look_id,
                    "analysis_id": look.inputs.analysis_id,
                    "replication": look.replication,
                    "replication_of": look.replication_of,
                    "repair_of": look.repair_of,
                    "state": look.state,
                    "opened_us": look.opened_us,
                    "reason": look.reason,
                }
                for look in self.looks
            ],
        }


def begin(folder: Path, study: str, prereg: str | None, seal: Mapping[str, str], now_us: int) -> Registry:
    """Return the registry in ``folder``, begun now where there is none: the freeze begins it, so its loss is visible.

    It belongs to the study, not to one freeze: ``seal`` (engine_hash, config_hash) says what it began with.
    """
    if not (folder / LEDGER).exists():
        genesis = {
            "schema": "genesis/1",
            "ledger_kind": "looks",
            "mode": "live",
            "study": study,
            "prereg": prereg,
            "freeze_hash": None,
            "engine_hash": seal["engine_hash"],
            "config_hash": seal["config_hash"],
            "dataset_hash": None,
            "seeds_hash": None,
            "emit_ledger_id": None,
            "opened_at_us": now_us,
        }
        # The live store belongs to this clone; its export is what a commit holds.
        write_whole(folder / ".gitignore", b"live/\n")
        (folder / LIVE).parent.mkdir(parents=True, exist_ok=True)
        with open_store(folder / LIVE, genesis, folder / MARK, recorded_at_us=now_us) as store:
            _publish(folder, store)
    return read(folder)


def read(folder: Path) -> Registry:
    """Return the registry in ``folder``, every row, checkpoint and the high-water mark checked.

    Raises ``MissingError`` (3) if there is none, ``LedgerError`` with the ledger's own code if it is not intact, and
    ``AppendError`` (41) if it has lost rows that its high-water mark knows.
    """
    _catch_up(folder)
    body = _body(folder)
    claims = [(str(path), parse_checkpoint(text_of(path.read_bytes()))) for path in _checkpoints(folder)]
    verified = verify_ledger(io.BytesIO(body), checkpoints=claims)
    if verified.report.exit:
        raise LedgerError(f"{folder / LEDGER}: {verified.report.reason}", exit_code=verified.report.exit)
    rows = list(_rows(body))
    mark = read_mark(folder / MARK)
    if mark is None or mark.seq >= len(rows) or rows[mark.seq][1] != mark.row_hash:
        raise AppendError(
            f"{folder}: expected the rows up to the high-water mark {mark and mark.seq}, was {len(rows)} rows: "
            "bring back the newest looks ledger",
            exit_code=41,
        )
    looks = looks_of((row["content"], row["recorded_at_us"]) for _, _, row in rows if row["kind"] == "look")
    return Registry(str(verified.report.ledger_id), verified.genesis, looks, body)


def record(
    folder: Path,
    permit: Permit,
    event: str,
    ledgers: Mapping[str, Mapping[str, Any]],
    now_us: int,
    *,
    results_digest: str | None = None,
    reason: str,
) -> Registry:
    """Append one event of a look, durably, with its checkpoint; return the registry after it.

    ``ledgers`` gives ``{ledger_id, size, root}`` of emit and resolution.  A resumed opening is there already.  Raises
    ``GateError`` (25) for an abort without a reason.
    """
    if event == "abort" and not reason.strip():
        raise GateError("looks: expected a reason for the abort, was none: say why with --reason", exit_code=25)
    if event == "open" and permit.resumes:
        return read(folder)
    row = {
        "schema": "look/2",
        "look_id": permit.look_id,
        "event": event,
        "analysis_id": permit.inputs.analysis_id,
        "freeze_hash": permit.inputs.freeze_hash,
        "dataset_hash": permit.inputs.dataset_hash,
        "seeds_hash": permit.inputs.seeds_hash,
        **{kind: {key: ledgers[kind][key] for key in ("ledger_id", "size", "root")} for kind in ("emit", "resolution")},
        "results_digest": results_digest,
        "replication": permit.replication,
        "replication_of": permit.replication_of,
        "repair_of": permit.repair_of,
        "reason": reason,
    }
    registry = read(folder)
    _restore(folder, registry.body)
    with open_store(folder / LIVE, registry.genesis, folder / MARK) as store:
        store.append("look", [row], recorded_at_us=now_us)
        _publish(folder, store)
    return read(folder)


def opening(folder: Path, name: str) -> Mapping[str, Any]:
    """Return the content of the row that opened look ``name``.  Raises ``GateError`` (25) where there is none."""
    for _, _, row in _rows(read(folder).body):
        content = row["content"]
        if row["kind"] == "look" and content["look_id"] == name and content["event"] == "open":
            return dict(content)
    raise GateError(f"{folder}: expected a look {name}, found none: `cme looks` lists them", exit_code=25)


def _publish(folder: Path, store: Store) -> None:
    """Write the export and a checkpoint of all of it."""
    # The export first: a kill in between must not leave a checkpoint of rows that the file lacks.
    export(store, folder / LEDGER)
    rows = [row for row, _ in store.rows()]
    checkpoint = Checkpoint(store.ledger_id, len(rows), root(rows))
    write_checkpoint(folder / CHECKPOINTS, checkpoint, lambda: rows)


def _catch_up(folder: Path) -> None:
    """Publish what a kill between commit and export left in the live store alone."""
    if not (folder / LIVE).exists() or not (folder / LEDGER).exists():
        return
    body = _body(folder)
    genesis, stale = next(_rows(body))[2]["content"], False
    with open_store(folder / LIVE, genesis, folder / MARK) as store:
        live = b"".join(export_lines(store))
        # A clone that was brought up to date by git.
        if body.startswith(live) and body != live:
            stale = True
        elif not live.startswith(body):
            raise LedgerError(
                f"{folder}: expected {LEDGER} to be what {LIVE} began with, was another history: find out which of "
                "the two was changed",
                exit_code=16,
            )
        elif live != body:
            _publish(folder, store)
    if stale:
        # With its write-ahead log, which SQLite would replay into a new file.
        for file in (folder / LIVE).parent.glob(LIVE.name + "*"):
            file.unlink()


def _restore(folder: Path, body: bytes) -> None:
    """Make the live store hold the published rows where this clone has none."""
    path = folder / LIVE
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside and then renamed: a kill in between leaves no half store.
    beside = path.with_suffix(".restoring")
    beside.unlink(missing_ok=True)
    db = sqlite3.connect(beside)
    try:
        for statement in TABLE:
            db.execute(statement)
        for data, digest, row in _rows(body):
            name = id_of(row["kind"], row["content"])
            values = (row["seq"], name, row["content_hash"], row["prev_hash"], digest, data)
            db.execute("INSERT INTO ledger VALUES(?,?,?,?,?,?)", values)
        db.commit()
    finally:
        db.close()
    beside.replace(path)


def _body(folder: Path) -> bytes:
    try:
        return (folder / LEDGER).read_bytes()
    except OSError as problem:
        raise MissingError(
            f"expected the looks ledger at {folder / LEDGER}, was: {problem.strerror}: `cme freeze` begins it, and "
            "every look is committed with it"
        ) from problem


def _rows(body: bytes) -> Iterator[tuple[bytes, str, dict[str, Any]]]:
    """Yield (CJ(row), row hash, row) of a ledger's lines, which are not checked here."""
    for line in body.splitlines():
        frame = json.loads(line)
        # The row's bytes as hashed: `{"row":` stands before them, its hash and the end after them.
        yield line[7:-79], frame["row_hash"], frame["row"]


def _checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / CHECKPOINTS).glob("*/*.ckpt"))
