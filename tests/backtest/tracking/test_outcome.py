"""The answers of a window stand in the journal, hence in MLflow, and on the terminal in the words for readers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from backtest.commands.run_summary import print_summary
from backtest.results.vocabulary import WORD_OF_DECISION, WORD_OF_STATUS
from backtest.tracking.outcome import FIGURES, copies_of, journal_plan, journal_results
from engine.constraints.codes import CODES
from hypotheses.records import Answer, Status
from tests.helpers.small_run import Tiny


class Log:
    """A journal that keeps what it is given in memory."""

    def __init__(self, path: Path) -> None:
        self.path, self.tags, self.points, self.files = path, {}, {}, []

    def tag(self, key: str, value: str) -> None:
        self.tags[key] = value

    def metric(self, key: str, value: float, step: int = 0) -> None:
        self.points[key, step] = float(value)

    def artifact(self, path: str) -> None:
        self.files.append(path)


def changed(tiny: Tiny, folder: Path) -> Path:
    """A copy of the run in which constraints have each status, and answers the intervals that ten days do not give."""
    copy = Path(shutil.copytree(tiny.folder, folder / "copy" / tiny.folder.name))
    verdicts = json.loads((copy / "verdicts.json").read_text())
    for row, status in zip(verdicts["H3"]["constraints"], ("retain", "drop"), strict=False):
        row["status"] = status
    verdicts["H1"]["ci"] = [-1.5, 2.5]
    verdicts["H2"] |= {"lower_95": 10.0, "upper_95": 20.0}
    (copy / "verdicts.json").write_text(json.dumps(verdicts))
    return copy


def test_mlflow_gets_the_words(tiny: Tiny, tmp_path: Path) -> None:
    """One tag a hypothesis and a constraint, by window."""
    log = Log(tmp_path / "journal.jsonl")
    journal_results(log, changed(tiny, tmp_path))  # type: ignore[arg-type]  # a journal that writes nothing

    found = {key.partition(".")[0]: value for key, value in log.tags.items() if key.endswith(".2026_01_23")}
    assert [found[name] for name in ("h1", "h2", "h3")] == ["cannot tell"] * 3
    assert [found[name] for name in ("c1", "c2", "c3")] == ["retained", "dropped", "not enough data"]


def test_the_numbers_are_those_of_the_results_at_the_day_of_the_window(tiny: Tiny, tmp_path: Path) -> None:
    """Each number with the ends of its interval, each constraint's, under one key for every window."""
    log, step = Log(tmp_path / "journal.jsonl"), 20476  # of 2026-01-23: `date -d 2026-01-23 +%s` divided by 86400
    folder = changed(tiny, tmp_path)
    journal_results(log, folder)  # type: ignore[arg-type]  # a journal that writes nothing
    verdicts = json.loads((folder / "verdicts.json").read_text())
    h1, h2 = verdicts["H1"], verdicts["H2"]

    ends = [log.points[f"h1/sharpe{end}", step] for end in ("_low", "", "_high")]
    assert ends == [-1.5, h1["sharpe"], 2.5]
    ends = [log.points[f"h2/mean_usd_per_day{end}", step] for end in ("_low", "", "_high")]
    assert ends == [10.0, h2["mean_usd_per_day"], 20.0]
    assert log.points["h1/sharpe_claim", step] == 1.0
    for row in verdicts["H3"]["constraints"]:
        assert log.points[f"h3/{row['code'].lower()}/trades", step] == row["trades"]
        key, interval = f"h3/{row['code'].lower()}/sharpe", row.get("ci") or (None, None)
        ends = [log.points.get((f"{key}{end}", step)) for end in ("_low", "", "_high")]
        assert ends == [interval[0], row["sharpe"], interval[1]]


def test_the_folds_add_up_to_the_window(tiny: Tiny, tmp_path: Path) -> None:
    """Net results of the ten folds, each at its first day, are the result of the window; so are their trades."""
    log = Log(tmp_path / "journal.jsonl")
    journal_results(log, tiny.folder)  # type: ignore[arg-type]  # a journal that writes nothing
    net = {step: value for (key, step), value in log.points.items() if key == "fold/net_usd"}
    returns = pd.read_parquet(tiny.folder / "returns.parquet")

    assert sorted(net) == list(range(20476, 20486))
    assert sum(net.values()) == pytest.approx(returns["x"].sum() / 1e6, abs=1e-6)
    traded = sum(value for (key, _), value in log.points.items() if key == "fold/trades")
    of_constraints = [
        value for (key, _), value in log.points.items() if key.startswith("h3/") and key.endswith("/trades")
    ]
    assert traded == sum(of_constraints)


def test_pictures_and_page_are_artifacts(tiny: Tiny, tmp_path: Path) -> None:
    """What was drawn into the folder of copies is recorded with the page, the plan and the digest."""
    log = Log(tmp_path / "journal.jsonl")
    copies = copies_of(log, tiny.folder)  # type: ignore[arg-type]
    (copies / FIGURES).mkdir(parents=True)
    (copies / FIGURES / "equity.svg").write_text("<svg/>")
    journal_results(log, tiny.folder)  # type: ignore[arg-type]

    names = ("digest.txt", "figures/equity.svg", "registration.toml", "report.html", "report.md", "verdicts.json")
    assert log.files == [f"{tiny.folder.name}/{name}" for name in names]
    assert (copies / "report.html").read_bytes() == (tiny.folder / "report.html").read_bytes()


def test_the_plan_is_recorded_under_dotted_keys(tiny: Tiny) -> None:
    """Each value of the plan once: a nested one by its key, a list as JSON."""
    params: dict[str, str] = {}

    class Params:
        def param(self, key: str, value: str) -> None:
            params[key] = value

    journal_plan(Params(), tiny.registration)  # type: ignore[arg-type]
    assert params["grid.step_s"] == "1800"
    assert params["constraints.c1.enabled"] == "true"
    assert [window["start"] for window in json.loads(params["split.windows"])] == ["2026-01-23T00:00:00Z"]
    with_tables = [key for key, text in params.items() if text.startswith("{")]
    assert with_tables == []


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
