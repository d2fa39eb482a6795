"""What a command writes: one paragraph for an error, values cut, no control character from outside."""

from __future__ import annotations

import ast
import errno
import os
from pathlib import Path

import pytest

from backtest.terminal import echo, error_text, remark
from engine.errors import MOST_MESSAGE, MOST_SHOWN, CmeError, DataError, escaped, one_paragraph
from engine.ledger.chain import Conflict

ROOT = Path(__file__).resolve().parents[2]
CONTROLS = "\x00\x07\x1b[31m\r\n\t\x7f\x9b\u200b\u202e\u2066\ufeff\udcff"


def leaves(kind: type[CmeError]) -> list[type[CmeError]]:
    """Every error of the tree."""
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]


@pytest.mark.parametrize("kind", leaves(CmeError))
def test_every_error_of_the_tree_is_one_printable_line(kind: type[CmeError]) -> None:
    """Whatever a message quotes, a terminal shows it and obeys nothing in it."""
    # a conflict of ids also takes what became of each item
    more = ((),) if kind is Conflict else ()
    text = str(kind(f"file{CONTROLS}.csv: expected a number, was {CONTROLS!r}", *more))
    assert text.isprintable()
    assert r"\x1b[31m" in text
    assert text.isascii()


@pytest.mark.parametrize(
    "value",
    ["9" * 10**6, "two words " * 10**5, "it's 'quoted' " * 10**5, "a,b," * 10**5],
    ids=["digits", "words", "quotes", "header"],
)
def test_a_value_of_any_length_is_cut(value: str) -> None:
    """In quotes, in a list or bare: at most so many characters of one value, and a message stays a paragraph."""
    for shown, most in ((repr(value), MOST_SHOWN), (str([value, value]), MOST_SHOWN), (value, MOST_MESSAGE)):
        text = str(DataError(f"f.csv, row 3: expected a price, was {shown}; repair the row"))
        assert text.startswith("f.csv, row 3: expected a price, was ")
        assert text.endswith("; repair the row")
        assert len(text) <= most + len("f.csv, row 3: expected a price, was ; repair the row")


def test_short_values_and_plain_words_stay_as_they_are() -> None:
    """An apostrophe opens no literal, brackets of ordinary length and their contents are kept."""
    text = "it's the venue's own: expected ['a', 'b'] or {x}, was \"c's\" " + "and many words " * 60
    assert one_paragraph(text) == text
    assert escaped("a\nb\tc", keep="\n") == "a\nb\\tc"


def test_results_and_remarks_bring_no_control_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A result may have several lines; a remark has one."""
    echo(f"name {CONTROLS} end\nsecond")
    remark(f"name {CONTROLS} end")
    out, err = capsys.readouterr()
    assert out.count("\n") == CONTROLS.count("\n") + 2
    assert out.replace("\n", "").isprintable()
    assert err.startswith("cme: name")
    assert err.count("\n") == 1
    assert err.strip().isprintable()


def test_a_value_in_a_remark_is_cut_as_in_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    remark(f"lacking: '{'x' * 10_000}' and {'y' * 10_000}")
    said = capsys.readouterr().err
    assert len(said) <= 2 * MOST_SHOWN + 40
    assert said.startswith("cme: lacking: 'xxx")


def test_a_defect_is_one_paragraph_too() -> None:
    """What is not of our tree is cut and escaped where it leaves."""
    text, code = error_text(RuntimeError("x\x1b" * 10**5))
    assert code == 70
    assert text.isprintable()
    assert len(text) < MOST_MESSAGE + 100


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_refuses_is_no_defect_of_ours(number: int) -> None:
    text, code = error_text(OSError(number, os.strerror(number), "/live/x\x1b"))
    assert code == 5
    assert text.startswith("expected to write /live/x\\x1b, was refused: ")
    assert "make room" in text


def test_commands_write_through_the_output_door_alone() -> None:
    """`click.echo` and `print` are called in `backtest/terminal.py` alone."""
    calls = {}
    for path in [
        ROOT / "cme.py",
        *(p for f in ("backtest", "hypotheses", "reports") for p in (ROOT / f).rglob("*.py")),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            writes = isinstance(node, ast.Call) and ast.unparse(node.func) in ("click.echo", "click.secho", "print")
            if writes and not isinstance(node.args[0], ast.Constant):
                calls[f"{path.relative_to(ROOT)}:{node.lineno}"] = ast.unparse(node)
    assert {where.split(":")[0] for where in calls} == {"backtest/terminal.py"}, calls
