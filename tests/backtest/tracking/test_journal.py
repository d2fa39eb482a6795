"""The journal is on the disk before work begins, and any change of it is found.

Rules: [S8.7, audit 13.1].
"""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from backtest.tracking import journal
from engine.errors import DataError, MissingError, UsageError, WriteError

ROOT = Path(__file__).parents[3]


def begun(folder: Path) -> journal.Journal:
    ticks = count(1_764_547_200_000_000)
    return journal.start(folder, "demo", "exploratory", "run", lambda: next(ticks))


def test_what_is_written_is_read_back(tmp_path):
    """Params, metrics as exact text, tags, artifacts by hash, and the end."""
    run = begun(tmp_path)
    (tmp_path / "report.html").write_text("page")
    run.param("workers", "2")
    run.metric("h1/sharpe", 0.1)
    run.metric("h1/tiny", 5e-324)
    run.metric("h1/exact", Decimal("2.500"))
    run.metric("h1/psr", float("-inf"), step=3)
    run.stage("report")
    run.artifact("report.html")
    run.end(4, "the disk was full")
    record = journal.read(run.path)
    assert record.params == {"workers": "2"}
    assert [(key, text, step) for key, text, step, _ in record.metrics] == [
        ("h1/sharpe", "0.1", 0),
        ("h1/tiny", "5e-324", 0),
        ("h1/exact", "2.5", 0),
        ("h1/psr", "-inf", 3),
    ]
    assert record.tags == {"stage": "report"}
    assert record.artifacts["report.html"][1] == 4
    assert (record.exit_code, record.head) == (4, run.head)
    assert uuid.UUID(record.run_uid).version == 4


def test_every_changed_byte_is_found(tmp_path):
    """The chain: an edit, a removal or a swap of lines is refused with its number."""
    run = begun(tmp_path)
    run.param("a", "1")
    run.param("b", "2")
    run.end(0)
    lines = run.path.read_bytes().splitlines(keepends=True)
    for broken in (
        b"".join([lines[0], lines[1].replace(b'"1"', b'"9"'), *lines[2:]]),
        b"".join([lines[0], *lines[2:]]),
        b"".join([lines[0], lines[2], lines[1], lines[3]]),
        b"".join([lines[0].replace(b":", b": ", 1), *lines[1:]]),
    ):
        run.path.write_bytes(broken)
        with pytest.raises(DataError, match=r"line [012]"):
            journal.read(run.path)


def test_a_process_that_is_killed_leaves_its_start_and_whole_lines(tmp_path):
    """SIGKILL right after start: the journal says what ran and that it has no end; a torn last line is left out."""
    code = (
        "import os, sys, signal; from pathlib import Path; from backtest.tracking import journal\n"
        "run = journal.start(Path(sys.argv[1]), 'demo', 'exploratory', 'run', lambda: 1)\n"
        "run.stage('folds'); run.param('lost', 'perhaps'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    path = tmp_path / journal.NAME
    record = journal.read(path)
    assert (record.exit_code, record.tags) == (None, {"stage": "folds"})
    with path.open("ab") as stream:
        stream.write(b'{"at_us":1,"da')
    assert journal.read(path).head == record.head


def test_a_second_run_in_a_folder_is_a_second_journal(tmp_path):
    """A resumed run is another event; nothing is overwritten, and both are found."""
    first, second = begun(tmp_path / "id"), begun(tmp_path / "id")
    assert [first.path.name, second.path.name] == ["journal.jsonl", "journal-2.jsonl"]
    assert first.run_uid != second.run_uid
    assert journal.journals(tmp_path) == sorted([first.path, second.path])
    first.end(130)
    second.end(0)


def test_what_cannot_be_recorded_is_refused(tmp_path):
    """A metric key outside the contract, an artifact that is not there, a file that is no journal."""
    run = begun(tmp_path)
    with pytest.raises(UsageError, match=r"H1\[p\]"):
        run.metric("H1[p]", 1.0)
    with pytest.raises(MissingError, match=r"nothing\.html"):
        run.artifact("nothing.html")
    with pytest.raises(MissingError):
        journal.read(tmp_path / "nowhere.jsonl")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(DataError, match="begins with start"):
        journal.read(tmp_path / "empty")
    run.end(2)


def test_an_error_s_message_is_recorded_whatever_it_holds(tmp_path):
    """Line breaks, control characters, lone surrogates and great length: the end is written all the same."""
    run = begun(tmp_path)
    run.end(70, "first\nsecond\x07\x9f\udcff " + "e\u0301" * 5000)
    assert journal.read(run.path).exit_code == 70
    assert journal.one_line("a\n\tb") == "a b"


@pytest.mark.parametrize("block", [None, DataError("rows")])
def test_a_disk_that_refuses_the_end_is_5_unless_the_command_failed(tmp_path, block):
    """What ended the command is said, not that its journal has no end either; without an error the journal is."""
    log = journal.start(tmp_path, "demo", "test", "run")
    codes = []

    def refused(*_):
        raise WriteError("journal could not be flushed")

    log.end = refused

    def command():
        with journal.ended(log, codes.append):
            if block:
                raise block

    with pytest.raises(DataError if block else WriteError) as error:
        command()
    assert codes == [error.value.exit_code]
    assert ("did its work" in str(error.value)) == (block is None)
