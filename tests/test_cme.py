"""The command line: exit codes, one paragraph an error, one document with --json, nothing half-written.  [interface]"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import pytest

import cme
from tests.helpers.cli import RunCommand, refused
from tests.helpers.small_run import Tiny, document, toml, write_config

STANDING = ("manifest.json", "verdicts.json", "results.float.json", "report.html", "report.md", "files.sha256")
"""Files that say how the run stands to a freeze and to the journals beside it, which only `cme` knows, and the
listing, which holds their hashes."""


def test_help_lists_every_command_with_its_line(run_command: RunCommand) -> None:
    """`cme --help` names all commands, in the order of a day's work, and every exit code's meaning."""
    done = run_command("--help")

    assert done.code == 0
    places = [done.out.index(f"\n  {name} ") for name in cme.COMMANDS]
    assert places == sorted(places)
    for words in ("2 usage", "130 interrupted", "cme run configs/demo.toml"):
        assert words in " ".join(done.out.split())


def leaves() -> list[tuple[str, ...]]:
    """Every command, the members of groups included."""
    found: list[tuple[str, ...]] = []
    for name in cme.COMMANDS:
        command = cme.cme.get_command(click.Context(cme.cme), name)
        if isinstance(command, click.Group):
            found += [(name, member) for member in command.commands]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("command", leaves(), ids=" ".join)
def test_every_command_has_help_with_an_example(run_command: RunCommand, command: tuple[str, ...]) -> None:
    """--help of each shows, besides its usage, a line that calls it."""
    done = run_command(*command, "--help")
    called = command[:1] if command == ("verify", "path") else command  # the word may be left out
    text = done.out if called == command else done.out + run_command(*called, "--help").out
    lines = [line for line in text.splitlines() if f"cme {' '.join(called)} " in f"{line} " and "Usage:" not in line]

    assert done.code == 0
    assert lines


WRONG = {
    "nonsense": "no such command 'nonsense'; `cme --help`",
    "rnu a.toml": "(did you mean 'run'?)",
    "data chek set": "cme data: no such command 'chek' (did you mean 'check'?)",
    "run": "cme run: missing argument 'CONFIG'; `cme run --help`",
    "run a.toml --workers many": "'many' is not a valid integer",
    "run --nope": "no such option '--nope'",
    "run a.toml --quite": "'--quiet'",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_usage_in_one_paragraph(run_command: RunCommand, words: str) -> None:
    """Exit 2, nothing on stdout, what was wrong, the nearest word there is, and where the example stands."""
    refused(run_command(*words.split()), 2, WRONG[words], "--help` shows how it is called, with an example")


@pytest.mark.parametrize("command", ["judge", "report", "verify"])
def test_a_run_that_is_not_there_is_missing(run_command: RunCommand, tmp_path: Path, command: str) -> None:
    """Exit 3 with its name, whichever command was asked of it."""
    refused(run_command(command, tmp_path / "no-run"), 3, "no-run")


def test_a_file_that_is_not_there_is_missing(run_command: RunCommand, tmp_path: Path) -> None:
    """Exit 3; not even the folder of runs is made."""
    refused(
        run_command("run", tmp_path / "no.toml", "--out", tmp_path / "runs"), 3, "no.toml", "expected a configuration"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_registration_without_a_key_names_it(run_command: RunCommand, tmp_path: Path) -> None:
    """Exit 2: file and key; no default stands in; nothing is written."""
    tree = document()
    del tree["grid"]["persistence"]
    config = tmp_path / "tiny.toml"
    config.write_text(toml(tree))

    refused(run_command("run", config, "--out", tmp_path / "runs"), 2, "tiny.toml", "grid.persistence")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("text", ["a = ", "schema = 'registration/1'", "\x00"])
def test_text_that_is_no_registration_is_usage(run_command: RunCommand, tmp_path: Path, text: str) -> None:
    """Broken TOML, and TOML that says nothing of a plan."""
    config = tmp_path / "c.toml"
    config.write_text(text)

    refused(run_command("run", config, "--out", tmp_path / "runs"), 2, "c.toml")


def test_a_run_prints_its_verdicts_and_is_complete_without_a_tracker(
    tiny: Tiny, run_command: RunCommand, tmp_path: Path
) -> None:
    """Exit 0 and one warning where the tracker is down; the directory is that of the same run made before."""
    shutil.copytree(tiny.folder.parent / "data", tmp_path / "runs" / "data")
    done = run_command("run", tiny.config, "--out", tmp_path / "runs", "--workers", "1")
    folder = tmp_path / "runs" / tiny.folder.name

    assert done.code == 0
    assert [line[2:4] for line in done.out.splitlines() if line.startswith("  H")] == ["H1", "H2", "H3"]
    ends = [line[2:].split("  ", 1) for line in done.out.splitlines() if line.startswith("  C")]
    assert [code for code, _ in ends] == [f"C{n}" for n in range(1, 8)]
    page = (folder / "report.md").read_text(encoding="utf-8")
    assert all(any(row.startswith(f"| {code} |") and end in row for row in page.splitlines()) for code, end in ends)
    assert "which the plan names, is not in the data set" not in done.err
    assert "synthetic market" in done.out
    assert str(folder / "report.html") in done.out
    assert "MLflow was not brought up" in done.err
    assert "cme track sync" in done.err
    for path in sorted(tiny.folder.rglob("*")):
        if path.is_file() and path.name not in STANDING:
            assert (folder / path.relative_to(tiny.folder)).read_bytes() == path.read_bytes(), path.name


def test_judge_and_report_repeat_from_the_directory_alone(tiny: Tiny, run_command: RunCommand, tmp_path: Path) -> None:
    """Verdicts, digest and page of a copy are made again, byte for byte; --json prints one document each."""
    copy = tmp_path / tiny.folder.name
    shutil.copytree(tiny.folder, copy)
    made = ("verdicts.json", "results.exploratory.json", "results.float.json", "digest.txt", "report.html", "report.md")
    for name in made:
        (copy / name).unlink()
    judged = run_command("judge", copy, "--json", "--quiet")
    shown = run_command("report", copy, "--json")

    assert (judged.code, shown.code) == (0, 0)
    assert json.loads(judged.out) == json.loads((tiny.folder / "verdicts.json").read_text())
    assert set(json.loads(shown.out)) >= {"html", "markdown"}
    for name in made:
        assert (copy / name).read_bytes() == (tiny.folder / name).read_bytes(), name


def test_json_is_one_document_and_nothing_else(tiny: Tiny, run_command: RunCommand) -> None:
    """Stdout parses as a whole, for a data set too."""
    done = run_command("data", "check", tiny.dataset.path, "--no-lags", "--json")

    assert done.code == 0
    assert json.loads(done.out)


def test_an_interrupted_command_says_so(
    run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C: 130, one line, and the journal ends with it."""
    import backtest.pipeline.dataset as prepare

    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "build_synthetic", interrupted)
    done = run_command("run", write_config(tmp_path), "--out", tmp_path / "runs", "--quiet")

    refused(done, 130, "interrupted")
    (journal,) = (tmp_path / "runs").rglob("journal.jsonl")
    assert "130" in journal.read_text().splitlines()[-1]


def test_a_defect_is_ours_and_debug_shows_it(
    run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """70 with one paragraph; the traceback only under --debug."""
    import backtest.pipeline.dataset as prepare

    def broken(*_args: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(prepare, "build_synthetic", broken)
    config = write_config(tmp_path)
    refused(run_command("run", config, "--out", tmp_path / "runs", "--quiet"), 70, "defect of ours", "oops")
    assert "Traceback" in run_command("run", config, "--out", tmp_path / "runs", "--quiet", "--debug").err


def test_every_command_takes_json_and_quiet(run_command: RunCommand) -> None:
    """Scripts may count on both, whatever the command."""
    for words in leaves():
        command: click.Command = cme.cme
        for word in words:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), word)
            assert found is not None
            command = found
        assert {"--json", "--quiet"} <= {option for parameter in command.params for option in parameter.opts}, words
