"""What the texts and the help name is there: files of the checkout, commands, options, and no run of another plan."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cme import cme

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "engine|backtest|hypotheses|reports|tests|configs|docs|findings|benchmarks"
PLACEHOLDERS = re.compile(r"[A-Z]{3,}|name\.|c8_|NNNN")
"""Parts of paths that a reader fills in."""
RUN = re.compile(r"runs/((?!data\b|mlflow|mlartifacts)[a-z][a-z0-9-]*-[0-9a-f]{12}|[0-9a-f-]{12,})")


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its words, groups too."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*words, name))


ALL = dict(commands(cme))
HELP = {
    " ".join(("cme", *words)): f"{command.help or ''}\n{command.epilog or ''}"
    + "".join(f"\n{getattr(parameter, 'help', None) or ''}" for parameter in command.params)
    for words, command in ALL.items()
}
READ = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in TEXTS} | HELP


def tracked() -> set[str]:
    files = subprocess.check_output(["git", "-C", ROOT, "ls-files"], text=True).splitlines()
    return {*files, *(str(folder) for file in files for folder in Path(file).parents)}


@pytest.mark.parametrize("name", READ)
def test_every_file_that_is_named_is_in_the_checkout(name: str) -> None:
    """A path below a folder of the checkout; a decision may be named by its number alone."""
    there = tracked()
    for found in re.finditer(rf"(?<![\w/.*-])((?:{FOLDERS})/[\w./-]*[\w/])", READ[name]):
        path = found[1].rstrip("/.")
        if PLACEHOLDERS.search(path) or READ[name][found.end() : found.end() + 1] in ("*", "{"):
            continue
        by_number = re.fullmatch(r"docs/decisions/\d{4}", path) and any(file.startswith(path) for file in there)
        assert by_number or path in there, f"{name} names {path}"


@pytest.mark.parametrize("name", READ)
def test_no_text_names_a_run_by_its_hash(name: str) -> None:
    """STUDY-FIRST_DAY-HASH: the hash moves with every change of the engine, so a text shows the shape, `runs/ID`."""
    assert [found[0] for found in RUN.finditer(READ[name])] == []


def called(text: str) -> Iterator[list[str]]:
    """Yield the words after ``cme`` of each call in ``text``: whole lines of code, and spans between backticks."""
    blocks = re.findall(r"(?m)^(?: {0,4}|\.venv/bin/|Example: |Examples: )(?:\.venv/bin/)?cme ([a-z].*)$", text)
    for line in [*blocks, *re.findall(r"`(?:\.venv/bin/)?cme ([a-z][^`]*)`", text)]:
        shown = re.split(r"\s{2,}|\s#|\s&&|\s\|", line)[0]
        yield shlex.split(shown.replace("`", ""))


@pytest.mark.parametrize("name", READ)
def test_every_call_that_is_shown_is_a_command_with_its_options(name: str) -> None:
    """The words lead to a command of today, and each ``--option`` is one of it."""
    for words in called(READ[name]):
        path: tuple[str, ...] = ()
        while len(path) < len(words) and (*path, words[len(path)]) in ALL:
            path = (*path, words[len(path)])
        assert path, f"{name} shows cme {' '.join(words)}"
        command = ALL[(*path, "path")] if path == ("verify",) else ALL[path]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h", "--debug"}
        unknown = [word.split("=")[0] for word in words if word.startswith("--") and word.split("=")[0] not in known]
        assert not unknown, f"{name} shows cme {' '.join(words)}"
