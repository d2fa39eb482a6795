"""What `cme emit` does at its end: MLflow and requests for an authority, neither of which can fail it.  [live L2.3]"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backtest.live import anchors
from backtest.live.anchors import days_checkpoint
from backtest.live.day_chain import read_days
from backtest.live.operation_file import OperationFile, read_operation_file
from backtest.tracking import background, journal
from backtest.tracking.background import Tracker
from engine.errors import MissingError
from engine.ledger.checkpoint import parse_checkpoint
from engine.ledger.merkle import root
from tests.helpers import five_days
from tests.helpers.cli import Done, RunCommand
from tests.helpers.five_days import Study
from tests.helpers.small_run import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study, its day of history emitted."""
    made = five_days.make(tmp_path_factory.mktemp("emit"))
    five_days.emitted(made, 1)
    return made


@pytest.fixture
def live(first_day: Study, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first_day.live.root, tmp_path / "live"))


def emit(run_command: RunCommand, study: Study, live: Path, *words: object) -> Done:
    """Emit again: nothing is left to judge, so that what is tested is the end."""
    until = ("--until", "2026-01-05", "--workers", 1, "--json")
    return run_command("emit", study.plan, "--days-of", study.market.path, "--live", live, *until, *words)


def emitted(done: Done) -> dict[str, Any]:
    assert done.code == 0, done.err
    document: dict[str, Any] = json.loads(done.out)
    assert document["days"]["sealed"] == 1
    return document


def test_mlflow_shows_the_journal_of_an_emission(
    run_command: RunCommand, first_day: Study, live: Path, template: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the key of LIVE/operation.toml, where neither option nor variable says another."""
    monkeypatch.delenv("CME_TRACKING")
    store = live.parent / "store.db"
    store.write_bytes(template)
    (live / "operation.toml").write_text(f'tracking = "sqlite:///{store}"\n')
    done = emit(run_command, first_day, live)
    emitted(done)
    assert "MLflow" not in done.err
    (path,) = journal.journals(live / "journals")
    with closing(sqlite3.connect(store)) as base:
        tags = dict(base.execute("SELECT key, value FROM tags").fetchall())
        assert base.execute("SELECT name FROM experiments WHERE name LIKE 'cme/%'").fetchall() == [("cme/five/live",)]
    assert (tags["cme.synced"], tags["cme.exit"]) == (journal.read(path).head, "0")
    assert not (live / "journals" / "mlflow.db").exists()


HANGS = "import time; time.sleep(600)"


@pytest.mark.parametrize("fault", ["down", "locked", "hung", "ends", "off"])
def test_an_emission_stands_whatever_becomes_of_mlflow(
    run_command: RunCommand, first_day: Study, live: Path, template: bytes, monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:  # fmt: skip
    """A server that is down, a locked store, a process that hangs or dies: a warning, 0, and a whole journal."""
    store = live.parent / "store.db"
    store.write_bytes(template)
    address = {"down": "http://127.0.0.1:9", "off": "off"}.get(fault, f"sqlite:///{store}")
    monkeypatch.setattr(background, "PATIENCE_S", 4.0)
    if fault in ("hung", "ends"):
        monkeypatch.setattr(background, "DOOR", HANGS if fault == "hung" else "raise SystemExit(7)")
    begun, begin = [], Tracker._begun
    monkeypatch.setattr(Tracker, "_begun", lambda self: begun.append(begin(self)) or begun[-1])
    with closing(sqlite3.connect(store)) as other:
        if fault == "locked":
            other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        done = emit(run_command, first_day, live, "--tracking", address)
        seconds = time.monotonic() - began
    for process in begun:
        process.kill()
        process.wait()
    emitted(done)
    assert ("cme track sync" in done.err) == (fault != "off")
    assert seconds < 120
    (path,) = journal.journals(live / "journals")
    assert journal.read(path).exit_code == 0


def test_requests_for_an_authority_are_of_the_days_and_of_the_ledger(
    run_command: RunCommand, first_day: Study, live: Path
) -> None:
    """Each checkpoint is that of its lines, and openssl reads the digest of its file in the request."""
    (live / "operation.toml").write_text('tracking = "off"\nanchor = "rfc3161"\n')
    # the history is judged already, so the days alone are asked for
    made = [Path(path) for path in emitted(emit(run_command, first_day, live, "--tracking", "off"))["anchors"]]
    assert [path.relative_to(live / "anchors") for path in made] == [Path("days/1.tsq")]
    note = made[0].with_suffix(".ckpt")
    claim = parse_checkpoint(note.read_text())
    lines = (live / "days" / "days.jsonl").read_bytes().splitlines()
    assert (claim.size, claim.root) == (len(lines), root(lines))
    assert claim == days_checkpoint(read_days(live / "days"))
    text = subprocess.run(
        ["openssl", "ts", "-query", "-in", made[0], "-text"], capture_output=True, text=True, check=True
    )
    digest = subprocess.run(["sha256sum", note], capture_output=True, text=True, check=True).stdout.split()[0]
    dump = "".join(line.partition(" - ")[2][:48] for line in text.stdout.splitlines() if " - " in line)
    assert digest in dump.replace(" ", "").replace("-", "")
    before = made[0].read_bytes()
    assert emitted(emit(run_command, first_day, live, "--tracking", "off"))["anchors"] == []
    assert made[0].read_bytes() == before


def test_an_anchor_that_cannot_be_requested_is_a_remark(
    run_command: RunCommand, first_day: Study, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise MissingError("expected the program openssl, was none")

    monkeypatch.setattr(anchors, "request_stamp", absent)
    (live / "operation.toml").write_text('anchor = "rfc3161"\n')
    done = emit(run_command, first_day, live, "--tracking", "off")
    assert emitted(done)["anchors"] == []
    assert "the emission stands: expected the program openssl" in done.err
    (path,) = journal.journals(live / "journals")
    assert journal.read(path).tags["anchor"].startswith("expected the program openssl")


@pytest.mark.parametrize("options", [(), ("--tracking", "off")])
def test_a_key_that_is_none_is_named_before_anything_is_sealed(
    run_command: RunCommand, first_day: Study, live: Path, options: tuple[str, ...]
) -> None:
    (live / "operation.toml").write_text('trackng = "x"\nanchor = "ots"\n')
    before = list(journal.journals(live / "journals"))
    done = emit(run_command, first_day, live, *options)
    assert (done.code, done.out) == (2, "")
    assert "operation.toml" in done.err
    assert "trackng" in done.err
    assert "rfc3161" in done.err
    assert list(journal.journals(live / "journals")) == before


def test_the_file_to_copy_says_the_defaults(tmp_path: Path) -> None:
    shutil.copy(ROOT / "configs" / "live" / "operation.toml", tmp_path)
    assert read_operation_file(tmp_path) == OperationFile()
