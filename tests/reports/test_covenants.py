"""`cme covenants` end to end on a small synthetic pair: files, figures, page, the same bytes twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backtest.commands.verify import verify
from backtest.rundir import checksums
from backtest.simulation.covenant_verify import is_covenant_run, verify_covenant_run
from hypotheses.covenants.run import run_study
from reports.covenants.commands import covenants
from reports.covenants.page import write_page

PLAN = """
schema = "covenants/1"
study = "tiny"
title = "Tiny"
kind = "KIND"
[window]
start = "2024-01-01T00:00:00Z"
end = "2024-12-01T00:00:00Z"
[pair]
a = "A"
b = "B"
price = "synthetic"
[parameters]
bar_min = 60
reading = "literal"
beta_rule = "regime"
[inference]
placebo_draws = 5
plain_draws = 2
bootstrap_draws = 50
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(PLAN.replace("KIND", "synthetic"))
    return path


def test_the_command(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backtest.tracking.background.Tracker.sync", lambda self, journal: "")
    out = tmp_path / "runs"
    done = CliRunner().invoke(covenants, [str(plan), "--out", str(out), "--json", "--quiet"], catch_exceptions=False)
    document = json.loads(done.output)
    run = Path(document["run"])

    assert {"sigma_pp_min", "sigma_pp_median", "sigma_pp_max", "breach_share_literal_lagged", "breach_share_fixed",
            "drift_alarm_share_literal", "manual_share"} <= set(document["figures"])  # fmt: skip
    assert checksums.file_digests(run) == checksums.listed_digests(run / "files.sha256")
    page = (run / "report.html").read_text()
    assert page.index("Time in MANUAL") < page.index("Accounts")
    assert json.loads((run / "manifest.json").read_text())["synthetic"] is True
    first = {name: (run / name).read_bytes() for name in checksums.file_digests(run)}
    CliRunner().invoke(covenants, [str(plan), "--out", str(out), "--json", "--quiet"], catch_exceptions=False)
    assert first == {name: (run / name).read_bytes() for name in checksums.file_digests(run)}


def test_a_changed_file_is_found(plan: Path, tmp_path: Path) -> None:
    run = run_study(plan, None, tmp_path / "runs", lambda stage: None).folder
    write_page(run)
    checksums.write(run)
    assert is_covenant_run(run)
    assert verify_covenant_run(run)["exit"] == 0
    assert CliRunner().invoke(verify, ["path", str(run)]).exit_code == 0
    table = (run / "accounts.csv").read_text().replace("b_short_a,", "b_short_a,9", 1)
    (run / "accounts.csv").write_text(table)
    assert "accounts.csv was changed" in verify_covenant_run(run)["reason"]
    checksums.write(run)
    assert "is not that of equity.parquet" in verify_covenant_run(run)["reason"]
    (run / "extra").write_text("x")
    assert "extra was added" in verify_covenant_run(run)["reason"]
    assert CliRunner().invoke(verify, ["path", str(run)]).exit_code == 16


def test_nothing_is_left_of_a_study_that_is_refused(plan: Path, tmp_path: Path) -> None:
    plan.write_text(plan.read_text().replace('"literal"', '"literal"\nalpha = 0.1'))
    out = tmp_path / "runs"
    with pytest.raises(Exception, match="alpha: expected a value"):
        run_study(plan, None, out, lambda stage: None)
    assert not out.exists()
