"""Every command that writes leaves a journal: one table of all commands, each called once, refused.  [audit 13.1]"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from backtest.commands.journals import FOLDER_VARIABLE
from backtest.tracking import journal
from cme import cme
from tests.helpers.cli import RunCommand, study

OWN = {"run", "emit", "resolve", "record", "covenants", "simulate"}
"""Commands with a journal of their own; their own tests read it."""
READS = {
    "list", "verify path", "verify compare", "data check", "data sources", "leaks", "drill", "track audit",
    "track sync",  # MLflow alone, the view of the journals: one of its own would never be brought up
}  # fmt: skip
"""Commands that write no file of the user's; copies of `leaks` and `drill` are gone when they end."""
WRITES = {
    # name: words that write, and exit with this code, below the folder of a journal
    "init": ("init ../x --from spot-perp", 2, ""),
    "power": ("power none.toml --out out", 3, ""),
    "freeze": ("freeze --registration none.toml", 3, ""),
    "status": ("status none.toml --live live --html page.html", 3, "live/journals"),
    "looks": ("looks --registration none.toml --abort X --reason y", 3, ""),
    "data build": ("data build none.toml --out out", 3, ""),
    "data synth": ("data synth none.toml --out out", 3, ""),
    "data join": ("data join live/days --out out", 3, "live/journals"),
    "detect": ("detect none --out out.parquet", 3, ""),
    "judge": ("judge none", 3, ""),
    "report": ("report none", 3, ""),
    "compare": ("compare a b --page page.html", 3, ""),
    "prove": ("prove none.jsonl --row 1 --out proof.json", 3, ""),
    "sign": ("sign none.ckpt --key none.pem", 3, ""),
    "anchor": ("anchor none.ckpt --request out.tsq", 3, ""),
    "bundle": ("bundle none --out out.zip", 3, ""),
    "reproduce": ("reproduce none", 3, ""),
    "calibrate": ("calibrate none.toml --out out", 3, ""),
}


def commands(command: click.Command = cme, name: str = "") -> Iterator[str]:
    """Every command by its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            member = command.get_command(context, word)
            assert member is not None
            yield from commands(member, f"{name} {word}".strip())
    else:
        yield name


def test_every_command_is_in_one_of_the_three_lists() -> None:
    """A new command says whether it writes."""
    assert sorted(commands()) == sorted([*OWN, *READS, *WRITES])


@pytest.mark.parametrize("name", WRITES)
def test_a_refused_call_of_a_command_that_writes_has_a_journal_with_its_code(
    name: str, run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, code, folder = WRITES[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "kept"))
    done = run_command(*words.split())
    assert done.code == code, done.err
    (path,) = journal.journals(tmp_path / (folder or "kept"))
    record = journal.read(path)
    assert (record.exit_code, record.study) == (code, name.replace(" ", "-"))
    given = [word for word in words.removeprefix(name).split() if not word.startswith("--")]
    assert set(given) <= set(" ".join(record.params.values()).split())


def test_a_call_that_writes_has_a_journal_that_says_so(
    run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the options as parameters, and with 0; without a variable it is below runs, as those of `cme run`."""
    config, data = study(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(FOLDER_VARIABLE)
    done = run_command("data", "build", config, "--data", data, "--out", tmp_path / "set", "--quiet")
    assert done.code == 0, done.err
    (path,) = journal.journals(tmp_path / "runs")
    record = journal.read(path)
    assert (record.exit_code, record.params["out"]) == (0, str(tmp_path / "set"))


@pytest.mark.parametrize("words", [
    "status none.toml --live live", "prove none.jsonl --row 1", "looks --registration x", "power none.toml",
    "freeze --check --registration none.toml", "list --out .",
])  # fmt: skip
def test_a_call_that_writes_nothing_has_none(
    words: str, run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "kept"))
    run_command(*words.split())
    assert not list(tmp_path.rglob("journal*.jsonl"))


def test_a_journal_that_cannot_be_begun_refuses_the_call_before_it_writes(
    run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file"))
    done = run_command("init", tmp_path / "mine", "--from", "spot-perp")
    assert (done.code, FOLDER_VARIABLE in done.err) == (5, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
