"""The answers of a window stand in the journal, hence in MLflow, and on the terminal in the words for readers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from backtest.commands.run_summary import print_summary
from backtest.results.vocabulary import WORD_OF_DECISION, WORD_OF_STATUS
from backtest.tracking.outcome import journal_results
from engine.constraints.codes import CODES
from hypotheses.records import Answer, Status
from tests.helpers.small_run import Tiny


class Log:
    """A journal that keeps its tags."""

    def __init__(self, path: Path) -> None:
        self.path, self.tags = path, {}

    def tag(self, key: str, value: str) -> None:
        self.tags[key] = value

    def metric(self, key: str, value: float) -> None:
        del key, value

    def artifact(self, path: str) -> None:
        del path


def changed(tiny: Tiny, folder: Path) -> Path:
    """A copy of the run in which constraints have each status."""
    copy = Path(shutil.copytree(tiny.folder, folder / "copy" / tiny.folder.name))
    verdicts = json.loads((copy / "verdicts.json").read_text())
    for row, status in zip(verdicts["H3"]["constraints"], ("retain", "drop"), strict=False):
        row["status"] = status
    (copy / "verdicts.json").write_text(json.dumps(verdicts))
    return copy


def test_mlflow_gets_the_words(tiny: Tiny, tmp_path: Path) -> None:
    """One tag a hypothesis and a constraint, by window."""
    log = Log(tmp_path / "journal.jsonl")
    journal_results(log, changed(tiny, tmp_path))  # type: ignore[arg-type]  # a journal that writes nothing

    found = {key.partition(".")[0]: value for key, value in log.tags.items() if key.endswith(".2026_01_23")}
    assert [found[name] for name in ("h1", "h2", "h3")] == ["cannot tell"] * 3
    assert [found[name] for name in ("c1", "c2", "c3")] == ["retained", "dropped", "not enough data"]


def test_the_terminal_says_the_words_and_the_reason(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each constraint with why it was not decided; what a pair lacked on how many days."""
    folder = changed(tiny, tmp_path)
    funnel = json.loads((folder / "funnel.json").read_text())
    funnel["C1"]["inputs"][0]["lacking"] = {"okx:BTCUSDT-PERP: no funding rate": 3}
    (folder / "funnel.json").write_text(json.dumps(funnel))
    print_summary([folder], "sqlite:///x", as_json=False, ends=lambda _: dict.fromkeys(CODES, "the end"))
    lines = capsys.readouterr().out.splitlines()

    assert "      C1  retained" in "\n".join(lines)
    assert "      C2  dropped" in "\n".join(lines)
    assert any(line.startswith("      C3  not enough data: ") and "fewer than" in line for line in lines)
    assert "  C3  the end" in lines
    assert "  lacks   C1: okx:BTCUSDT-PERP: no funding rate (3 of its days)" in lines


def test_every_id_has_its_word() -> None:
    """The ids of the records, no more and no fewer."""
    assert {WORD_OF_STATUS[status.value] for status in Status} == {status.value for status in Status}
    assert set(WORD_OF_DECISION.values()) == {answer.value for answer in Answer}
