"""`cme covenants` end to end on a small synthetic pair: files, figures, page, the same bytes twice, a killed study."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from backtest.commands.verify import verify
from backtest.gate.freeze import import_closure
from backtest.rundir import checksums
from backtest.rundir.plan_lock import sole_writer
from backtest.simulation.covenant_verify import is_covenant_run, verify_covenant_run
from backtest.tracking import journal
from engine.errors import AppendError, CmeError
from hypotheses.covenants.reproduce import reproduce_covenant_run
from hypotheses.covenants.run import study_job
from hypotheses.reproduction.commands import reproduce
from reports.covenants.commands import covenants
from tests.helpers.covenant_plan import candles
from tests.reports.covenant_run import PLAN


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(PLAN.replace("KIND", "synthetic"))
    return path


@pytest.fixture(autouse=True)
def no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backtest.tracking.background.Tracker.sync", lambda self, journal: "")


def ask(plan: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(covenants, [str(plan), "--out", str(out), "--json", *options], catch_exceptions=False)


@pytest.fixture
def finished(covenant_runs: Path, plan: Path, tmp_path: Path) -> Path:
    """The finished run of ``plan`` in a folder of the test's own."""
    out = shutil.copytree(covenant_runs, tmp_path / "runs")
    return out / study_job(plan, None).name


def contents(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in checksums.file_digests(run)}


def test_the_command(plan: Path, finished: Path) -> None:
    document = json.loads(ask(plan, finished.parent, "--quiet").stdout)
    run = Path(document["run"])
    assert run == finished

    assert {"sigma_pp_min", "sigma_pp_median", "sigma_pp_max", "breach_share_literal_lagged", "breach_share_fixed",
            "drift_alarm_share_literal", "manual_share"} <= set(document["figures"])  # fmt: skip
    assert checksums.file_digests(run) == checksums.listed_digests(run / "files.sha256")
    page = (run / "report.html").read_text()
    assert page.index("Time in MANUAL") < page.index("Accounts")
    assert json.loads((run / "manifest.json").read_text())["synthetic"] is True


def test_a_finished_run_stays_and_a_damaged_one_is_made_again(plan: Path, finished: Path) -> None:
    out, run = finished.parent, finished
    first, when = contents(run), (run / "equity.parquet").stat().st_mtime_ns

    assert "is finished and stays as it is" in ask(plan, out).stderr
    assert (run / "equity.parquet").stat().st_mtime_ns == when
    (run / "figures.json").write_text("{}")
    ask(plan, out, "--quiet")
    assert contents(run) == first


def test_a_killed_study_leaves_the_run_before_it_whole_and_is_made_again(plan: Path, finished: Path) -> None:
    """Killed while the page is drawn, when all other files lie in the staged folder; the same bytes twice."""
    out, run = finished.parent, finished
    first = contents(run)
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(plan), str(out)], cwd=import_closure.ROOT, check=False, capture_output=True
    )

    assert died.returncode == -signal.SIGKILL
    assert contents(run) == first
    staged = [path for path in out.iterdir() if path.name.endswith(".unfinished")]
    assert len(staged) == 1
    assert not checksums.holds(staged[0])
    ask(plan, out, "--quiet", "--again")
    assert contents(run) == first
    assert not staged[0].exists()
    assert not list(out.glob(".*.lock"))


KILLED = """
import os, signal, sys
from reports.covenants import page
page.write_page = lambda run: os.kill(os.getpid(), signal.SIGKILL)
from reports.covenants.commands import covenants
from tests.helpers.covenant_plan import candles
covenants([sys.argv[1], "--out", sys.argv[2], "--again", "--quiet"])
"""


def test_two_processes_do_not_write_one_run(plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    out.mkdir()
    with (
        sole_writer(out, study_job(plan, None).name, plan.name, 0),
        pytest.raises(AppendError, match=rf"only process that runs {plan.name} below .*, was process {os.getpid()}"),
    ):
        ask(plan, out, "--quiet")


def test_a_changed_file_is_found(finished: Path) -> None:
    run = finished
    assert is_covenant_run(run)
    assert verify_covenant_run(run)["exit"] == 0
    assert CliRunner().invoke(verify, ["path", str(run)]).exit_code == 0
    table = (run / "accounts.csv").read_text().replace("b_short_a,", "b_short_a,9", 1)
    (run / "accounts.csv").write_text(table)
    assert "accounts.csv was changed" in verify_covenant_run(run)["reason"]
    assert CliRunner().invoke(reproduce, [str(run)]).exit_code == 16
    checksums.write(run)
    document = verify_covenant_run(run)
    assert document["reason"].startswith("digest: expected")
    assert "is not that of equity.parquet" in document["checks"][-1]["reason"]
    (run / "extra").write_text("x")
    assert "extra was added" in verify_covenant_run(run)["reason"]
    assert CliRunner().invoke(verify, ["path", str(run)]).exit_code == 16


def test_a_run_is_reproduced_and_another_result_is_named(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = finished
    before = contents(run)
    done = CliRunner().invoke(reproduce, [str(run), "--quiet"])
    assert done.exit_code == 0, done.output
    assert "recomputed   ok" in done.output
    assert contents(run) == before

    # Code that pays no funding: the accounts are others, the signals are not.
    monkeypatch.setattr("backtest.simulation.covenant_actions.fund", lambda *_: None)
    document = reproduce_covenant_run(run, None, lambda stage: None)
    assert document["exit"] == 30
    assert document["reason"].startswith("accounts.csv: computed again")


def test_another_code_has_another_name(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, code = study_job(plan, None).name, study_job(plan, None).inputs["code"]
    assert "backtest.simulation.covenant_actions" in import_closure.closure(("hypotheses.covenants.run",))
    assert "hypotheses.statistics.bootstrap" in import_closure.closure(("hypotheses.covenants.run",))
    monkeypatch.setattr("hypotheses.covenants.run.closure_hash", lambda roots: "0" * 64)
    other = study_job(plan, None)
    assert other.inputs["code"] != code
    assert other.name != name


MACHINERY = PLAN.replace("KIND", "machinery").replace("2024-01-01", "2024-02-10").replace("2024-12-01", "2024-03-01")
PAIR = 'price = "last"\nmark = ["a.feather", "b.feather"]\n'


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[[0, 2, 1, *range(3, len(frame))]].reset_index(drop=True)


@pytest.mark.parametrize(
    ("old", "new", "change", "code", "words"),
    [
        ('["a.feather", "b.feather"]', '["a.feather"]', None, 2, "mark: expected two files, one a leg, was 1"),
        ("b.feather", "c.feather", None, 3, r"expected candles at .*c\.feather"),
        ("", "", lambda f: f.assign(close=float("nan")), 4, "expected two legs with prices, leg B has none"),
        ("", "", lambda f: f.iloc[:0], 4, r"b\.feather: expected bars, was an empty file"),
        ("", "", swapped, 4, r"b\.feather: expected times in rising order, row 2 is not after the row before it"),
        ("", "", lambda f: f.assign(close=-f["close"]), 4, "leg B: expected prices above 0 USD, was -"),
        ('"literal"', '"literal"\nalpha = 0.71', None, 2, r"alpha: expected a value in \[0.3, 0.7\], was 0.71"),
        ('"literal"', '"literal"\nalpha = 0.29', None, 2, r"alpha: expected a value in \[0.3, 0.7\], was 0.29"),
        ('"literal"', '"literal"\nl_min = 5\nl_max = 2', None, 2, r"was \[5.0, 2.0\]: no leverage can meet it"),
        ('"literal"', '"literal"\nsb_0_pp = 0', None, 2, "sb_0_pp: expected more than 0, was 0"),
        ("", "", lambda f: f.iloc[:100], 4, "expected at least .* bars of 60 min .*, was 100"),
        ("[inference]", "[learners]\nevery_blocks = 1\n[inference]", None, 4, "at least 91 days .* window, was 40.0: "),
    ],
)
def test_nothing_is_left_of_a_study_that_is_refused(
    tmp_path: Path, old: str, new: str, change: Callable[[pd.DataFrame], pd.DataFrame] | None, code: int, words: str
) -> None:
    """A leg missing, prices out of order, alpha outside, a covenant nobody can meet, fewer days than the warm-up."""
    for name in ("a", "b"):
        frame = candles(tmp_path / f"{name}.feather", seed=ord(name))
        if change is not None and name == "b":
            change(frame).to_feather(tmp_path / f"{name}.feather")
    plan = tmp_path / "plan.toml"
    plan.write_text(MACHINERY.replace('price = "synthetic"\n', PAIR).replace(old, new))
    out = tmp_path / "runs"

    with pytest.raises(CmeError, match=words) as refused:
        ask(plan, out, "--quiet", "--data", str(tmp_path))
    assert refused.value.exit_code == code
    assert "\n" not in str(refused.value)
    # The journal says how it ended; nothing else was written.  [S8.7]
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["journal.jsonl"]
    assert journal.read(next(out.rglob("journal.jsonl"))).exit_code == code


def test_the_same_bars_without_a_fault_are_run(tmp_path: Path) -> None:
    for name in ("a", "b"):
        candles(tmp_path / f"{name}.feather", seed=ord(name))
    plan = tmp_path / "plan.toml"
    plan.write_text(MACHINERY.replace('price = "synthetic"\n', PAIR))
    assert ask(plan, tmp_path / "runs", "--quiet", "--data", str(tmp_path)).exit_code == 0
